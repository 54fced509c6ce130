"""Another server takes the place of one that stands still, or of one that only looked like the right one."""

import asyncio
import contextlib

import pytest

from propeller.core.effects import Changes
from propeller.errors import Unavailable
from propeller.store.postgres import link
from propeller.store.postgres.connecting import connect
from propeller.store.postgres.store import PostgresStore
from tests.builders import a_move, a_task
from tests.parts.postgres import Postgres, running
from tests.parts.postgres_proxy import Proxy
from tests.store.helpers import ids
from tests.store.postgres.conftest import settings_of
from tests.store.postgres.helpers import leading, through


def creation(number):
    return Changes(created=[a_task(number)], transitions=[a_move(f"t{number}")], first_event_id=number)


async def commit_one(settings):
    async with leading(settings) as store:
        await store.commit(creation(1))


@contextlib.contextmanager
def two_servers(*, is_standby):
    """Give a server, another with its data, a proxy that leads to the first, and the settings to reach that."""
    with running(Postgres()) as server:
        settings = settings_of(server, server.database())
        asyncio.run(commit_one(settings))
        server.stop()
        other = server.copied(is_standby=is_standby)
        server.start()
        with running(other), Proxy(server.host, server.port).running() as proxy:
            yield server, other, proxy, through(settings, proxy)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(link, "_LOOK_EVERY_S", 0.2)


def test_a_server_that_stands_still_holds_up_nobody_once_another_has_its_place(impatient):
    """No connection to it breaks: its machine is there, and answers for its kernel."""
    with two_servers(is_standby=False) as (server, other, proxy, settings):

        async def run():
            async with leading(settings) as store:
                held = store._lead
                await store.find(["t1"], [])  # connects
                other.sql(
                    f"UPDATE leader SET token = {held.token}, holder = '{held.holder}', commits = {held.commits}",
                    settings.database,
                )
                server.freeze()
                commit = asyncio.create_task(store.commit(creation(2)))
                found = asyncio.create_task(store.find(["t1"], []))
                await asyncio.sleep(0)
                proxy.lead_to(other.host, other.port)
                async with asyncio.timeout(30):
                    await commit
                    return ids((await found).tasks)

        try:
            assert asyncio.run(run()) == ["t1"]
        finally:
            server.thaw()
        assert other.sql("SELECT COUNT(*) FROM tasks", settings.database) == "2"
        assert server.sql("SELECT COUNT(*) FROM tasks", settings.database) == "1"


def test_a_statement_that_takes_long_is_not_cut(server, settings, impatient):
    """The server has it still, so it goes on however often it is looked after."""

    async def run():
        async with leading(settings) as store:
            calls = []

            async def slow(db):
                calls.append(1)
                return await db.fetchval("SELECT 5 FROM pg_sleep(1.5)")

            assert await store._read(slow, for_work=True) == 5
            assert await store._beside(slow) == 5
            assert len(calls) == 2

    asyncio.run(run())


def test_a_standby_is_not_read_for_it_may_lag_behind():
    with two_servers(is_standby=True) as (_, other, proxy, settings):
        proxy.lead_to(other.host, other.port)

        async def run():
            store = PostgresStore(settings)
            with pytest.raises(Unavailable, match="is a standby, and may lag behind"):
                await store._read(lambda db: db.fetchval("SELECT 1"), seconds=1)
            await store.close()
            # The commands that only look at a database, or copy it, may do so on a standby.
            db = await connect(settings)
            assert await db.fetchval("SELECT pg_is_in_recovery()")
            await db.close()

        asyncio.run(run())
