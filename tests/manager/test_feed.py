"""Followers of what happens: none misses anything, whether it comes early, late, or again after a restart."""

import asyncio

import pytest
from tests.builders import a_move

from propeller.core.effects import Changes
from propeller.manager import feed as feed_module
from propeller.manager.feed import Batch, Feed
from propeller.store.sqlite.store import SqliteStore


class Log:
    """A feed on a store, as the manager fills them: first the store, then the feed."""

    def __init__(self, directory):
        self.store = SqliteStore(directory, durability="normal")

    async def __aenter__(self):
        self.feed = Feed(self.store, (await self.store.load()).last_event_id)
        return self

    async def __aexit__(self, *_):
        self.feed.close()
        await self.store.close()

    async def happen(self, count):
        first = self.feed.last_id + 1
        moves = [a_move(f"t{first + n}") for n in range(count)]
        await self.store.commit(Changes(transitions=moves, first_event_id=first))
        self.feed.announce(first, moves)


async def take(count, following):
    found = []
    async with asyncio.timeout(60):
        async for item in following:
            assert item[1].task_id == f"t{item[0]}"
            found.append(item[0])
            if len(found) == count:
                break
    return found


def run(directory, *works):
    """Do each piece of work on the same data, with a restart in between."""

    async def one(work):
        async with Log(directory) as log:
            await work(log)

    for work in works:
        asyncio.run(one(work))


def test_a_follower_begins_with_what_happens_from_now_on(tmp_path):
    async def work(log):
        await log.happen(3)
        following = asyncio.create_task(take(2, log.feed.follow()))
        await asyncio.sleep(0)
        await log.happen(1)
        await log.happen(1)
        assert await following == [4, 5]

    run(tmp_path, work)


@pytest.mark.parametrize("after", [0, 1, 4, 5, 8])
def test_a_follower_resumes_after_any_event(tmp_path, after):
    async def work(log):
        for _ in range(3):
            await log.happen(3)
        assert await take(9 - after, log.feed.follow(after)) == list(range(after + 1, 10))

    run(tmp_path, work)


def test_a_follower_resumes_across_a_restart_and_goes_on_live(tmp_path):
    async def before(log):
        await log.happen(5)

    async def after(log):
        following = asyncio.create_task(take(6, log.feed.follow(2)))
        await log.happen(3)
        assert await following == [3, 4, 5, 6, 7, 8]
        assert await take(8, log.feed.follow(0)) == list(range(1, 9))

    run(tmp_path, before, after)


def test_what_memory_no_longer_has_comes_from_the_store(tmp_path, monkeypatch):
    monkeypatch.setattr(feed_module, "_KEPT_IN_MEMORY", 10)
    monkeypatch.setattr(feed_module, "_PAGE", 4)

    async def work(log):
        for _ in range(25):
            await log.happen(3)
        for after in (0, 1, 30, 64, 65, 66, 74):
            assert await take(75 - after, log.feed.follow(after)) == list(range(after + 1, 76))

    run(tmp_path, work)


def test_a_slow_follower_holds_up_nobody_and_misses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(feed_module, "_KEPT_IN_MEMORY", 10)

    async def work(log):
        slow = log.feed.follow(0)
        await log.happen(1)
        assert (await anext(slow))[0] == 1
        quick = asyncio.create_task(take(100, log.feed.follow(1)))
        for _ in range(50):
            await log.happen(2)
        assert await quick == list(range(2, 102))
        assert await take(100, slow) == list(range(2, 102))

    run(tmp_path, work)


def test_an_id_from_the_future_means_from_now_on(tmp_path):
    """A client may have seen events of data that was thrown away since."""

    async def work(log):
        await log.happen(2)
        following = asyncio.create_task(take(1, log.feed.follow(1000)))
        await asyncio.sleep(0)
        await log.happen(1)
        assert await following == [3]

    run(tmp_path, work)


def test_closing_ends_all_followers(tmp_path):
    async def work(log):
        followers = [asyncio.create_task(take(99, log.feed.follow(after))) for after in (None, 0, 5)]
        await asyncio.sleep(0)
        await log.happen(1)
        log.feed.close()
        async with asyncio.timeout(60):
            await asyncio.gather(*followers)
        assert await take(1, log.feed.follow(0)) == []

    run(tmp_path, work)


def test_a_follower_that_goes_away_leaves_the_others(tmp_path):
    async def work(log):
        going, staying = (asyncio.create_task(take(2, log.feed.follow())) for _ in range(2))
        await asyncio.sleep(0)
        going.cancel()
        await asyncio.wait({going})
        await log.happen(2)
        assert await staying == [1, 2]

    run(tmp_path, work)


def test_followers_at_one_place_share_what_is_made_for_them(tmp_path):
    async def work(log):
        await log.happen(300)
        batches = [await anext(log.feed.follow_in_batches(0)) for _ in range(3)]
        assert batches[0] is batches[1] is batches[2]
        made = [batch.made("ids", lambda batch: [event[0] for event in batch]) for batch in batches]
        assert made[0] is made[1] is made[2]
        assert made[0] == list(range(1, 251))
        # One that comes from elsewhere is at the same place after its first batch.
        other = log.feed.follow_in_batches(100)
        assert [event[0] for event in await anext(other)] == list(range(101, 251))
        rest = log.feed.follow_in_batches(250)
        assert await anext(other) is await anext(rest)

    run(tmp_path, work)


def test_a_batch_gives_what_concerns_a_follower(tmp_path):
    moves = [
        a_move("a", workflow_id="w"),
        a_move("b", workflow_id="w"),
        a_move("a", workflow_id="w"),
        a_move("c", job_id="w"),
    ]
    batch = Batch(enumerate(moves, start=1))

    def ids(*only):
        return [event[0] for event in batch.of(only)]

    assert batch.of(("", "", "")) is batch
    assert ids("a", "", "") == [1, 3]
    assert ids("", "w", "") == [1, 2, 3]
    assert ids("", "", "w") == [4]
    assert ids("b", "w", "") == [2]
    assert ids("c", "w", "") == []
    assert ids("none", "", "") == []
