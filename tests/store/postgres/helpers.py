"""A store in PostgreSQL that leads, and what is around it."""

import contextlib
import itertools

import msgspec

from propeller.store.lead import Held
from propeller.store.postgres.lease import Lease
from propeller.store.postgres.store import PostgresStore

_holders = (f"manager-{number}" for number in itertools.count(1))


@contextlib.asynccontextmanager
async def leading(settings, **options):
    """Open a store, take the lead, whoever has it, and write."""
    store = PostgresStore(settings, **options)
    try:
        await store.open(10)
        await take_the_lead(store, settings)
        yield store
    finally:
        await store.close()


async def take_the_lead(store, settings):
    """Let a store lead in the place of whoever does."""
    lease = Lease(settings)
    try:
        leader = await lease.leader()
        if leader is not None:
            await lease.release(Held(leader.token, 0, leader.holder))
        held = await lease.take(next(_holders), "http://here")
    finally:
        await lease.close()
    assert held is not None
    await store.lead(held)
    return held


def through(settings, proxy):
    """Reach the same database through a proxy."""
    return msgspec.structs.replace(settings, host=proxy.host, port=proxy.port)
