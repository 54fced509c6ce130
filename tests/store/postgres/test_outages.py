"""Whatever becomes of the connection or the server: a commit is made once, and none fails for that."""

import asyncio
import contextlib
import itertools
import logging
import os
import random
import subprocess

import pytest

from propeller.core.effects import Changes
from propeller.core.idempotency import Key, Remembered
from propeller.core.states import COMPLETED
from propeller.errors import LeadershipLost, StoreUnusable, Unavailable
from propeller.store.port import KeptAnswer, PaceStep
from propeller.store.postgres.lease import Lease
from tests.builders import a_move, a_task
from tests.parts.postgres import Postgres, running
from tests.parts.postgres_proxy import Proxy
from tests.store.helpers import ids
from tests.store.postgres.conftest import settings_of
from tests.store.postgres.helpers import leading, take_the_lead, through


@pytest.fixture
def proxy(server):
    with Proxy(server.host, server.port).running() as one:
        yield one


@pytest.fixture
def own():
    """A server for one test alone."""
    with running(Postgres()) as one:
        yield one


def creation(number):
    return Changes(created=[a_task(number)], transitions=[a_move(f"t{number}")], first_event_id=number)


async def is_said(store, word):
    """Wait until the store says of the database that it can't be used, with this word."""
    while not store.outage or word not in store.outage:  # noqa: ASYNC110  nothing tells of it
        await asyncio.sleep(0.01)


def count(server, settings, table="tasks"):
    return int(server.sql(f"SELECT COUNT(*) FROM {table}", settings.database))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_whose_connection_is_cut_is_made_once(server, settings, proxy, when):
    async def run():
        async with leading(through(settings, proxy)) as store:
            await store.commit(creation(1))
            proxy.cut(when)
            await store.commit(creation(2))
            await store.commit(creation(3))
            return await store.load(), await store.events(0, 10)

    loaded, events = asyncio.run(run())
    assert proxy.cuts == 1
    assert ids(loaded.live.tasks) == ["t1", "t2", "t3"]
    assert [number for number, _ in events] == [1, 2, 3]
    assert server.sql("SELECT commits FROM leader", settings.database) == "3"


@pytest.mark.parametrize("whens", [["before", "before", "after"], ["after"]])
def test_a_commit_that_deletes_is_made_once_too(server, settings, proxy, whens):
    async def run():
        async with leading(through(settings, proxy)) as store:
            first = a_task(1)
            await store.commit(Changes(created=[first]))
            proxy.cut(*whens)
            again = a_task(2, task_id="t1")
            await store.commit(Changes(deleted=[first], created=[again], past_attempts={"t1": 7}))
            return await store.find(["t1"], [])

    found = asyncio.run(run())
    assert proxy.cuts == len(whens)
    assert ([task.seq for task in found.tasks], found.past_attempts) == ([2], {"t1": 7})
    assert server.sql("SELECT commits FROM leader", settings.database) == "2"


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_written_beside_is_written_once(server, settings, proxy, when):
    step = PaceStep(1, 1, 2, 3, 4, 5, 6)

    async def run():
        async with leading(through(settings, proxy)) as store:
            proxy.cut(when)
            await store.write_pace([step], 10)
            return await store.pace()

    assert asyncio.run(run()) == [step]
    assert proxy.cuts == 1


def test_an_answer_whose_connection_is_cut_is_the_first_still(settings, proxy):
    key, answer = Key("k", b"f"), KeptAnswer(201, "/tasks/t1", b"{}")

    async def run():
        async with leading(through(settings, proxy)) as store:
            await store.commit(Changes(remembered=[Remembered(key, 5)]))
            proxy.cut("after")
            return await store.write_answer(key, answer), await store.write_answer(
                key, KeptAnswer(500, None, b"")
            )

    assert asyncio.run(run()) == (answer, answer)


def test_commits_go_on_while_every_connection_is_cut_again_and_again(server, settings, proxy):
    chance = random.Random(1)

    async def run():
        loop = asyncio.get_running_loop()
        async with leading(through(settings, proxy)) as store:
            for number in range(1, 101):
                # At some moment of the two: while they connect, ask, or hear the answer.
                loop.call_later(chance.uniform(0, 0.004), proxy.cut_all)
                await store.commit(creation(number))
                await store.find([f"t{number}"], [])
            return await store.events(0, 1000)

    events = asyncio.run(run())
    assert [(number, move.task_id) for number, move in events] == [(n, f"t{n}") for n in range(1, 101)]
    assert count(server, settings) == 100


def test_no_acknowledged_commit_is_lost_when_the_server_is_killed_again_and_again(own):
    settings = settings_of(own, own.database())

    async def kill():
        for _ in range(5):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(own.kill)
            await asyncio.to_thread(own.start)

    async def run():
        async with leading(settings) as store:
            killing = asyncio.create_task(kill())
            for number in itertools.count(1):
                task = a_task(number)
                await store.commit(
                    Changes(created=[task], transitions=[a_move(task.id)], first_event_id=2 * number - 1)
                )
                task.state = COMPLETED
                await store.commit(
                    Changes(updated=[task], transitions=[a_move(task.id)], first_event_id=2 * number)
                )
                if killing.done():
                    break
            return number

    made = asyncio.run(run())
    assert made > 10
    assert own.sql("SELECT COUNT(*), MIN(state) FROM runs", settings.database) == f"{made}|3"
    assert own.sql("SELECT COUNT(*), MAX(last_id) FROM events", settings.database) == f"{2 * made}|{2 * made}"
    assert own.sql("SELECT commits FROM leader", settings.database) == str(2 * made)


# -- who leads -----------------------------------------------------------------------------------------------


def test_who_has_lost_the_lead_writes_nothing_more(server, settings):
    async def run():
        async with leading(settings) as old, leading(settings) as new:
            await new.commit(creation(1))
            for write in (
                old.commit(creation(2)),
                old.write_pace([PaceStep(1, 1, 2, 3, 4, 5, 6)], 10),
                old.write_answer(Key("k", b""), KeptAnswer(200, None, b"")),
                old.forget_events(10**18),
                old.begin_epoch(),
            ):
                with pytest.raises(LeadershipLost):
                    await write
            await new.commit(creation(2))
            assert ids(await old.tasks_of(["t1", "t2"])) == ["t1", "t2"], "it still reads"

    asyncio.run(run())
    assert count(server, settings, "pace") == 0


def test_who_gave_the_lead_back_writes_nothing_more(settings):
    """Else a commit that was on its way would renew the lease, and nobody could take the lead."""

    async def run():
        lease = Lease(settings)
        async with leading(settings) as store:
            held = await take_the_lead(store, settings)
            await lease.release(held)
            with pytest.raises(LeadershipLost):
                await store.commit(creation(1))
            assert await lease.leader() is None
        await lease.close()

    asyncio.run(run())


def test_who_has_a_token_that_was_given_again_writes_nothing_more(server, settings):
    """A replica that takes the place of the database may lack the last take-over."""

    async def run():
        async with leading(settings) as old, leading(settings) as new:
            await take_the_lead(old, settings)
            server.sql("UPDATE leader SET token = token - 1", settings.database)
            await take_the_lead(new, settings)
            await new.commit(creation(1))
            for write in (old.commit(creation(2)), old.write_pace([PaceStep(1, 1, 2, 3, 4, 5, 6)], 10)):
                with pytest.raises(LeadershipLost):
                    await write
            await new.commit(creation(2))

    asyncio.run(run())
    assert count(server, settings, "pace") == 0


def test_who_does_not_lead_writes_nothing(settings):
    async def run():
        async with leading(settings) as store:
            store.follow()
            with pytest.raises(LeadershipLost):
                await store.commit(creation(1))
            assert await store.task("t1") is None

    asyncio.run(run())


def test_a_commit_that_waits_for_the_connection_while_another_takes_over_is_refused(settings, proxy):
    async def run():
        async with leading(through(settings, proxy)) as old, leading(settings) as new:
            await take_the_lead(old, settings)
            proxy.cut("before")
            commit = asyncio.create_task(old.commit(creation(1)))
            while not proxy.cuts:  # noqa: ASYNC110  it runs in a thread
                await asyncio.sleep(0)
            await take_the_lead(new, settings)
            with contextlib.suppress(LeadershipLost):  # it may have been faster
                await commit
            await new.commit(creation(2))
            with pytest.raises(LeadershipLost):
                await old.commit(creation(3))
            return ids((await new.load()).live.tasks)

    assert asyncio.run(run()) in (["t2"], ["t1", "t2"])


def test_a_take_over_waits_for_the_commit_under_way(server, settings):
    """A transaction of the leader is open; nobody else can lead before it has ended."""

    async def run():
        async with leading(settings) as old:
            is_open, may_go_on = asyncio.Event(), asyncio.Event()

            async def write(db):
                is_open.set()
                await may_go_on.wait()
                await db.execute("INSERT INTO going (id, kind) VALUES ('slow', 'task')")

            writing = asyncio.create_task(old._beside(write))
            await is_open.wait()
            async with contextlib.AsyncExitStack() as stack:
                taking = asyncio.create_task(stack.enter_async_context(leading(settings)))
                await asyncio.sleep(0.3)
                assert not taking.done()
                may_go_on.set()
                await writing
                await taking

    asyncio.run(run())
    assert count(server, settings, "going") == 1


def test_a_leader_that_stands_still_in_a_transaction_keeps_nobody_waiting(settings):
    """The server ends its transaction, so that its locks do."""

    async def run():
        async with leading(settings) as old:
            is_open, may_go_on = asyncio.Event(), asyncio.Event()

            async def write(db):
                is_open.set()
                await may_go_on.wait()
                await db.execute("SELECT 1")

            writing = asyncio.create_task(old._beside(write))
            await is_open.wait()
            async with asyncio.timeout(10), leading(settings) as new:
                await new.commit(creation(1))
                may_go_on.set()
                with pytest.raises(LeadershipLost):
                    await writing

    asyncio.run(run())


def test_an_older_copy_in_the_place_of_the_database_is_noticed(server, settings):
    async def run():
        async with leading(settings) as store:
            for number in (1, 2):
                await store.commit(creation(number))
            server.sql("UPDATE leader SET commits = 1; DELETE FROM tasks WHERE id = 't2'", settings.database)
            with pytest.raises(
                StoreUnusable, match=r"has 1 commits of Propeller, and 2 were made: an older copy"
            ):
                await store.commit(creation(3))

    asyncio.run(run())


# -- a database that can't write or answer -------------------------------------------------------------------


def test_a_database_that_only_reads_is_waited_for_and_said_once(server, settings, caplog):
    async def run():
        async with leading(settings) as store:
            await store.commit(creation(1))
            alter = f"ALTER DATABASE {settings.database} SET default_transaction_read_only"
            server.sql(f"{alter} = on")
            server.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                f"'{settings.database}'"
            )
            commit = asyncio.create_task(store.commit(creation(2)))
            await is_said(store, "read-only")
            assert ids(await store.tasks_of(["t1"])) == ["t1"], "reads go on"
            await asyncio.sleep(0.3)
            server.sql(f"{alter} = off")
            await commit

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    said = [record.getMessage() for record in caplog.records]
    assert sum("read-only transaction; waiting for it" in line for line in said) == 1
    assert any("is back after" in line for line in said)
    assert count(server, settings) == 2


def test_a_full_disk_is_waited_for(own, small_disk):
    """The tables are on a disk of their own, which is filled by somebody else."""
    own.sql(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    name = own.database()
    own.sql(f"ALTER DATABASE {name} SET TABLESPACE small")
    settings = settings_of(own, name)
    filler = small_disk / "filler"

    async def run():
        async with leading(settings) as store:
            await store.commit(creation(1))
            fill(filler)
            commits = asyncio.create_task(many(store))
            await is_said(store, "No space left on device")
            assert ids(await store.tasks_of(["t1"])) == ["t1"], "reads go on"
            filler.unlink()
            await commits

    async def many(store):
        for number in range(2, 12):  # large, so that the tables have to grow
            task = a_task(number, env={"text": random.Random(number).randbytes(200_000).hex()})
            await store.commit(Changes(created=[task]))

    asyncio.run(run())
    assert count(own, settings) == 11
    assert own.sql("SELECT commits FROM leader", settings.database) == "11"


@pytest.fixture
def small_disk(own):
    """A directory on a disk of 64 MiB, for the server's user."""
    disk = own.directory / "small"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "small", disk], check=True)
    place = disk / "tables"
    place.mkdir(mode=0o700)
    owner = own.directory.stat()
    os.chown(place, owner.st_uid, owner.st_gid)
    yield place
    own.kill()
    subprocess.run(["umount", disk], check=True)


def fill(path):
    """Write a file until nothing more can be written beside it."""
    with path.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
            file.flush()


def test_a_server_that_stands_still_is_waited_for_and_readers_are_told(own):
    settings = settings_of(own, own.database())

    async def run():
        async with leading(settings) as store:
            await store.commit(creation(1))
            own.freeze()
            try:
                commit = asyncio.create_task(store.commit(creation(2)))
                with pytest.raises(Unavailable, match="the database can't be used now"):
                    await store._read(lambda db: db.fetchval("SELECT 1"), seconds=0.5)
                assert not commit.done()
            finally:
                own.thaw()
            await commit
            assert ids(await store.tasks_of(["t1", "t2"])) == ["t1", "t2"]

    asyncio.run(run())


def test_what_a_manager_begins_with_does_not_wait_behind_requests(settings):
    async def run():
        async with leading(settings) as store:
            while not store._readers._free.empty():
                store._readers._free.get_nowait()
            async with asyncio.timeout(5):
                assert await store.pace() == []

    asyncio.run(run())


def test_what_no_waiting_cures_is_said(server, settings):
    async def run():
        async with leading(settings) as store:
            server.sql("ALTER TABLE runs RENAME TO walks", settings.database)
            with pytest.raises(
                StoreUnusable, match=r"lacks a part of Propeller.s tables: relation .runs. does"
            ):
                await store.commit(creation(1))
            server.sql("ALTER TABLE walks RENAME TO runs", settings.database)
            server.sql("ALTER TABLE runs OWNER TO postgres", settings.database)
            with pytest.raises(
                StoreUnusable, match="refuses the user propeller something: permission denied"
            ):
                await store.commit(creation(1))

    asyncio.run(run())


def test_a_store_is_closed_although_the_database_is_away(own):
    settings = settings_of(own, own.database())

    async def run():
        async with leading(settings) as store:
            own.kill()
            commit = asyncio.create_task(store.commit(creation(1)))
            await is_said(store, "")
            async with asyncio.timeout(5):
                await store.close()
            with pytest.raises(StoreUnusable, match="the store has been closed"):
                await commit

    asyncio.run(run())
