"""Connections for reads, without a server."""

import asyncio

import pytest

from propeller.store.postgres.link import Link, Links, Outage
from propeller.store.postgres.settings import PostgresSettings


@pytest.mark.parametrize("steps", range(8))
def test_who_is_cancelled_while_it_takes_a_connection_ends(monkeypatch, steps):
    """Else a manager that stops would wait for it for ever."""

    async def never(_link, _work, _seconds):
        await asyncio.Event().wait()

    monkeypatch.setattr(Link, "run", never)

    async def cancel():
        settings = PostgresSettings()
        reading = asyncio.create_task(Links(settings, Outage(settings), 1).run(lambda _: None, 60))
        for _ in range(steps):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading}, timeout=1)
        assert reading.cancelled()

    asyncio.run(cancel())
