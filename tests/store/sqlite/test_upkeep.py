"""The write-ahead log stays small, whoever reads and whatever is written, and nobody waits long for that."""

import asyncio
import contextlib
import itertools
import sqlite3
import threading

import pytest

from propeller.core.effects import Changes
from propeller.core.model import GroupKind
from propeller.store.port import GroupFilter, Sample, SampleOf, TaskFilter
from propeller.store.sqlite import queries, upkeep
from propeller.store.sqlite.store import SqliteStore
from propeller.store.sqlite.wal import LiveLog
from tests.builders import a_task

BOUND = 256 * 1024
PAD = {"pad": "x" * 4000}


@pytest.fixture(autouse=True)
def small_bound(monkeypatch):
    monkeypatch.setattr(upkeep, "LOG_BYTES", BOUND)
    monkeypatch.setattr(upkeep, "_MORE_BYTES", BOUND // 4)


@contextlib.asynccontextmanager
async def opened(directory):
    store = SqliteStore(directory, durability="normal")
    try:
        yield store
    finally:
        await store.close()


def log_bytes(directory):
    return (directory / "propeller.db-wal").stat().st_size


async def commit_for(store, directory, count, first=1):
    """Commit tasks, and say how large the log ever was."""
    largest = 0
    for n in range(first, first + count):
        await store.commit(Changes(created=[a_task(n, metadata=PAD)]))
        largest = max(largest, log_bytes(directory))
    return largest


async def until(is_so):
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  another thread's file
            await asyncio.sleep(0.01)


class Relay:
    """Whoever reads stays until the next one is there too, or held back: somebody reads at all times."""

    def __init__(self):
        self._change = threading.Condition()
        self._arrived = 0

    def read(self, db):
        with queries.snapshot(db):
            db.execute("SELECT COUNT(*) FROM tasks").fetchone()
            with self._change:
                self._arrived += 1
                number = self._arrived
                self._change.notify_all()
                self._change.wait_for(lambda: self._arrived > number, 0.04)


async def read_without_a_pause(store, relay):
    for start in itertools.count():
        await store._read(relay.read)
        await store.tasks(start % 50, 50, TaskFilter())
        await store.groups(GroupKind.JOB, 0, 10, GroupFilter(), tasks_max=50)


def test_a_writer_that_does_not_rest_leaves_a_small_log(tmp_path):
    async def work():
        async with opened(tmp_path) as store:
            largest = await commit_for(store, tmp_path, 400)
            return largest, (await store.tasks(0, 1, TaskFilter())).total

    largest, total = asyncio.run(work())
    assert largest < 6 * BOUND
    assert total == 400


def test_readers_that_take_turns_do_not_keep_the_log(tmp_path):
    async def work():
        async with opened(tmp_path) as store:
            relay = Relay()
            readers = [asyncio.create_task(read_without_a_pause(store, relay)) for _ in range(4)]
            largest = await commit_for(store, tmp_path, 1000)
            assert not any(reader.done() for reader in readers), "they read all the time"
            for reader in readers:
                reader.cancel()
            await asyncio.wait(readers)
            return largest

    assert asyncio.run(work()) < 20 * BOUND, "nothing is waited for but those who read already"


def test_a_commit_looks_at_the_log_once(tmp_path, monkeypatch):
    looks = []
    look = LiveLog.look
    monkeypatch.setattr(LiveLog, "look", lambda log: looks.append(1) or look(log))

    async def work():
        async with opened(tmp_path) as store:
            await store.commit(Changes(created=[a_task(1)]))
            of_commit = len(looks)
            await store.write_samples([Sample(SampleOf.TASK, "t1", "{}")], now=1)
            return of_commit, len(looks)

    assert asyncio.run(work()) == (1, 2)


def test_one_large_commit_leaves_no_large_file(tmp_path):
    async def work():
        async with opened(tmp_path) as store:
            await store.commit(Changes(created=[a_task(n, metadata=PAD) for n in range(1, 1001)]))
            await until(lambda: log_bytes(tmp_path) <= BOUND)
            return (await store.tasks(0, 1, TaskFilter())).total

    assert asyncio.run(work()) == 1000


def test_somebody_who_reads_from_outside_delays_it_and_no_more(tmp_path):
    """As a backup does: meanwhile commits and reads go on; afterwards the log is small again."""

    async def work():
        async with opened(tmp_path) as store:
            await commit_for(store, tmp_path, 10)
            with contextlib.closing(
                sqlite3.connect(tmp_path / "propeller.db", isolation_level=None)
            ) as other:
                other.execute("BEGIN")
                other.execute("SELECT COUNT(*) FROM tasks").fetchone()
                await commit_for(store, tmp_path, 300, first=11)
                assert log_bytes(tmp_path) > 2 * BOUND, "it can't begin anew"
                assert (await store.tasks(0, 1, TaskFilter())).total == 310
                assert other.execute("SELECT COUNT(*) FROM tasks").fetchone() == (10,)
            await commit_for(store, tmp_path, 200, first=311)
            await until(lambda: log_bytes(tmp_path) < 6 * BOUND)

    asyncio.run(work())


def test_closed_in_the_middle_of_it_nothing_hangs_and_nothing_is_lost(tmp_path):
    async def work(count):
        async with opened(tmp_path) as store, asyncio.timeout(20):
            await commit_for(store, tmp_path, 70, first=1 + 70 * count)
            reading = [asyncio.create_task(store.tasks(0, 10, TaskFilter())) for _ in range(4)]
            await asyncio.gather(*reading)

    for count in range(5):
        asyncio.run(work(count))

    async def look():
        async with opened(tmp_path) as store:
            return (await store.tasks(0, 1, TaskFilter())).total

    assert asyncio.run(look()) == 350
