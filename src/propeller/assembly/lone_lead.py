"""The store in PostgreSQL of a manager that leads from its start to its end."""

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import AsyncIterator

from propeller.errors import LeadershipLost, Unavailable
from propeller.store.port import Store
from propeller.store.postgres.lease import Lease
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.postgres.store import PostgresStore

#: How long a database that is starting is waited for.
_OPEN_S = 30.0


@contextlib.asynccontextmanager
async def leading_store(
    settings: PostgresSettings, history_bytes: int
) -> AsyncIterator[tuple[Store, "asyncio.Task[None]"]]:
    """Open the store and take the lead; the task keeps it, and ends with ``LeadershipLost``."""
    holder = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    async with contextlib.AsyncExitStack() as stack:
        store = PostgresStore(settings, history_bytes=history_bytes)
        stack.push_async_callback(store.close)
        await store.open(_OPEN_S)
        lease = Lease(settings)
        stack.push_async_callback(lease.close)
        while (held := await lease.take(holder, "")) is None:  # noqa: ASYNC110  only the clock tells
            await asyncio.sleep(settings.lease_s / 3)
        await store.lead(held)
        keeping = asyncio.create_task(_keep(lease, held.token, settings.lease_s / 3))
        try:
            yield store, keeping
        finally:
            keeping.cancel()
            with contextlib.suppress(Unavailable):
                await lease.release(held.token)


async def _keep(lease: Lease, token: int, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        with contextlib.suppress(Unavailable):  # the store waits for the database too
            if not await lease.renew(token):
                raise LeadershipLost("another manager of this database leads now; this one ends")
