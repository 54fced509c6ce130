"""A feed of what another manager commits: nothing is missed and nothing comes twice, whatever is heard of it."""

import asyncio

import pytest
from tests.builders import a_move, a_task

from propeller.core.effects import Changes
from propeller.errors import StoreUnusable, Unavailable
from propeller.manager import followed_feed as module
from propeller.manager.followed_feed import FollowedFeed
from propeller.manager.rounds import Rounds
from propeller.store.deletions import notices
from propeller.store.port import Gone, Record
from propeller.store.sqlite.store import SqliteStore

DEADLINE_S = 60


class Read:
    """A store, with a count of how often its events are read; it may be broken."""

    def __init__(self, store):
        self.store = store
        self.reads = 0
        self.error = None
        self.was_asked = asyncio.Event()

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def events(self, after, limit):
        self.reads += 1
        self.was_asked.set()
        if self.error is not None:
            raise self.error
        return await self.store.events(after, limit)


class Log:
    """What another manager commits, and the feed that follows it."""

    def __init__(self, directory):
        self.store = Read(SqliteStore(directory, durability="normal"))

    async def __aenter__(self):
        self.last_id = await self.store.last_event_id()
        self.feed = FollowedFeed(self.store, self.last_id)
        self._running = [asyncio.create_task(self.feed.run()), asyncio.create_task(self.feed.watch())]
        return self

    async def __aexit__(self, *_):
        for task in self._running:
            task.cancel()
        self.feed.close()
        await self.store.close()

    async def happens(self, count, **more):
        first, self.last_id = self.last_id + 1, self.last_id + count
        moves = [a_move(f"t{first + n}") for n in range(count)]
        await self.store.commit(Changes(transitions=moves, first_event_id=first, **more))


async def take(count, following):
    found = []
    async with asyncio.timeout(DEADLINE_S):
        async for event_id, move in following:
            assert move.task_id == f"t{event_id}"
            found.append(event_id)
            if len(found) == count:
                break
    return found


def run(directory, part):
    async def scene():
        async with Log(directory) as log, asyncio.timeout(DEADLINE_S):
            await part(log)

    asyncio.run(scene())


def test_it_reads_what_is_heard_of(tmp_path):
    async def part(log):
        following = asyncio.create_task(take(5, log.feed.follow()))
        await asyncio.sleep(0)
        await log.happens(3)
        log.feed.heard(3)
        await log.happens(2)
        log.feed.heard(5)
        assert await following == [1, 2, 3, 4, 5]
        assert await take(2, log.feed.follow(3)) == [4, 5]

    run(tmp_path, part)


def test_what_was_not_heard_of_comes_with_what_follows(tmp_path):
    async def part(log):
        following = asyncio.create_task(take(6, log.feed.follow(0)))
        await log.happens(2)
        await log.happens(2)  # nothing is heard of these
        log.feed.missed()
        assert await take(4, log.feed.follow(0)) == [1, 2, 3, 4]
        await log.happens(2)
        log.feed.heard(6)
        log.feed.heard(2)  # notices are late, and come twice
        log.feed.heard(6)
        assert await following == [1, 2, 3, 4, 5, 6]

    run(tmp_path, part)


def test_who_comes_from_a_manager_that_was_ahead_gets_nothing_twice(tmp_path):
    async def part(log):
        await log.happens(7)  # of which this feed has not heard
        following = asyncio.create_task(take(1, log.feed.follow(5)))
        await following
        assert following.result() == [6]
        following = asyncio.create_task(take(1, log.feed.follow(7)))
        await asyncio.sleep(0)
        await log.happens(1)
        log.feed.heard(8)
        assert await following == [8]

    run(tmp_path, part)


@pytest.mark.parametrize("error", [StoreUnusable("it is away"), Unavailable("it is away")])
def test_it_waits_for_a_store_that_is_away(tmp_path, monkeypatch, error):
    monkeypatch.setattr(module, "_AGAIN", module.Backoff(first_s=0.001, longest_s=0.001))

    async def part(log):
        following = asyncio.create_task(take(3, log.feed.follow(0)))
        log.store.error = error
        await log.happens(3)
        log.feed.heard(3)
        while log.store.reads < 3:
            await log.store.was_asked.wait()
            log.store.was_asked.clear()
        log.store.error = None
        assert await following == [1, 2, 3]

    run(tmp_path, part)


def test_events_that_are_forgotten_leave_no_wrong_order(tmp_path):
    async def part(log):
        await log.happens(2)
        log.feed.heard(2)
        assert await take(2, log.feed.follow(0)) == [1, 2]
        for _ in range(3):
            await log.happens(2)
        while await log.store.forget_events(2**62):
            pass
        log.feed.missed()
        assert await take(2, log.feed.follow(2)) == [7, 8]
        assert await take(2, log.feed.follow(0)) == [7, 8]

    run(tmp_path, part)


def test_a_thousand_followers_cost_one_read_for_each_notice(tmp_path):
    async def part(log):
        following = [asyncio.create_task(take(20, log.feed.follow())) for _ in range(1000)]
        await asyncio.sleep(0)
        for n in range(10):
            await log.happens(2)
            log.feed.heard(2 * n + 2)
        for found in await asyncio.gather(*following):
            assert found == list(range(1, 21))
        assert log.store.reads <= 10

    run(tmp_path, part)


async def next_gone(log, watch, after):
    """Give the events that come before the next news of a deletion, and that."""
    seen = []
    async with asyncio.timeout(DEADLINE_S):
        async for batch in log.feed.follow_in_batches(after, watch):
            if not batch:
                break
            seen += [event_id for event_id, _ in batch]
    return seen, watch.take()


@pytest.mark.parametrize("is_heard", [True, False])
def test_who_follows_a_record_hears_of_its_deletion_behind_its_events(tmp_path, monkeypatch, is_heard):
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.01)

    async def part(log):
        task = a_task(1)
        await log.happens(1, created=[task])
        log.feed.heard(1)
        async with log.feed.watching([Record("task", task.id)]) as watch:
            await log.happens(2, deleted=[task])
            if is_heard:
                log.feed.heard(3)
            assert await next_gone(log, watch, 0) == ([1, 2, 3], [Gone(Record("task", task.id))])

    run(tmp_path, part)


def test_who_is_to_hear_of_a_deletion_waits_until_the_events_before_it_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_AGAIN", module.Backoff(first_s=0.001, longest_s=0.001))
    waits = []
    wait = Rounds.next

    def counted(rounds, *given, **more):
        waits.append(given)
        return wait(rounds, *given, **more)

    monkeypatch.setattr(Rounds, "next", counted)

    async def part(log):
        task = a_task(1)
        await log.happens(1, created=[task])
        log.feed.heard(1)
        async with log.feed.watching([Record("task", task.id)]) as watch:
            heard = asyncio.create_task(next_gone(log, watch, 0))
            log.store.error = StoreUnusable("it is away")
            log.feed.heard(3)
            log.feed.heard_of_deletions(notice_of(task))
            for _ in range(200):
                await asyncio.sleep(0)
            assert len(waits) < 5
            log.store.error = None
            await log.happens(2, deleted=[task])
            assert await heard == ([1, 2, 3], [Gone(Record("task", task.id))])

    run(tmp_path, part)


def notice_of(task):
    (notice,) = notices(Changes(deleted=[task]))
    return notice
