"""Followers of what happens: none misses anything, whether it comes early, late, or again after a restart."""

import asyncio
import random

import pytest
from tests.builders import a_group, a_move

from propeller.core.effects import Changes
from propeller.core.model import GroupKind
from propeller.manager import feed as feed_module
from propeller.manager.batches import Batch
from propeller.manager.feed import Feed
from propeller.store.port import Gone, Record
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
    assert ids("a", "w", "") == [1, 3]
    assert ids("", "w", "w") == []
    for only in (("", "w", ""), ("b", "w", "")):
        assert batch.of(only) is batch.of(only), "what is made of it is made once"


def test_those_who_come_one_after_the_other_while_more_happens_share_a_batch(tmp_path):
    async def work(log):
        await log.happen(100)
        found = []
        for _ in range(30):
            following = log.feed.follow_in_batches(0)
            found.append(await anext(following))
            await log.happen(1)
        assert len({id(batch) for batch in found}) < 5

    run(tmp_path, work)


def test_who_comes_late_need_not_go_through_what_others_got_event_by_event(tmp_path):
    async def work(log):
        quick = log.feed.follow_in_batches(0)
        for _ in range(130):
            await log.happen(1)
            assert len(await anext(quick)) == 1
        found = [batch async for batch in _up_to(log.feed.follow_in_batches(0), 130)]
        assert [event_id for batch in found for event_id, _ in batch] == list(range(1, 131))
        assert len(found) < 5

    run(tmp_path, work)


async def _up_to(following, last_id):
    async for batch in following:
        yield batch
        if batch.last == last_id:
            return


def test_followers_at_one_place_read_it_from_the_store_once(tmp_path, monkeypatch):
    monkeypatch.setattr(feed_module, "_KEPT_IN_MEMORY", 10)

    async def work(log):
        for _ in range(60):
            await log.happen(100)
        reads = []
        events = log.store.events

        async def counted(*given):
            reads.append(given)
            return await events(*given)

        monkeypatch.setattr(log.store, "events", counted)
        found = await asyncio.gather(*(take(500, log.feed.follow(0)) for _ in range(50)))
        assert found == [list(range(1, 501))] * 50
        assert reads == [(0, 250), (250, 250)]

    run(tmp_path, work)


# -- those whom it does not concern ------------------------------------------------------------------------


def test_nobody_takes_a_step_whose_job_has_no_news(tmp_path, monkeypatch):
    async def work(log):
        looks = []
        batch_of = log.feed._batch

        async def counted(after, *given):
            looks.append(after)
            return await batch_of(after, *given)

        monkeypatch.setattr(log.feed, "_batch", counted)
        onlys = [("", "", "j"), ("t", "", ""), ("", "w", ""), ("", "w", "j"), ("t", "w", "")] * 10
        heard = [[] for _ in onlys]

        async def follow(only, found):
            async for batch in log.feed.follow_in_batches(only=only):
                found += [event_id for event_id, _ in batch]

        following = [asyncio.create_task(follow(*given)) for given in zip(onlys, heard, strict=True)]
        await settle()
        for n in range(100):
            announce(log, a_move(f"other-{n}", workflow_id="x", job_id="y"))
            await settle()
        assert looks == []
        announce(log, a_move("t", workflow_id="w"))
        await settle()
        assert looks == [100] * 40, "those of the job alone are not among them"
        assert heard == [[], [101], [101], [], [101]] * 10
        looks.clear()
        announce(log, a_move("other"))
        await settle()
        assert looks == []
        for one in following:
            one.cancel()
        await asyncio.wait(following)
        await settle()
        assert not any(log.feed._interests._by_name), "they have left"

    run(tmp_path, work)


def announce(log, *moves):
    """Have something happen that the store has nothing of."""
    log.feed.announce(log.feed.last_id + 1, list(moves))


async def settle():
    for _ in range(60):
        await asyncio.sleep(0)


class Reader:
    """A follower that takes its time as it likes, with what is to come to it and what has."""

    def __init__(self, rng, moves):
        self._rng = rng
        self._moves = moves
        self.after = rng.randrange(len(moves) + 1)
        self.only = tuple(rng.choices(NAMES, k=3)) if rng.random() < 0.7 else ("", "", "")
        self.records = [Record("job", self.only[2])] if self.only[2] and rng.random() < 0.5 else []
        self.found, self.gone = [], []

    async def follow(self, feed):
        page, rest_s = self._rng.choice([10, 250]), self._rng.choice([0.0, 0.001])
        async with feed.watching(self.records) as watch:
            async for batch in feed.follow_in_batches(
                self.after, watch, only=self.only, page=page, rest_s=rest_s
            ):
                self.found += batch
                self.gone += watch.take()
                for _ in range(self._rng.choice([0, 0, 1, 20])):
                    await asyncio.sleep(0)

    @property
    def is_complete(self):
        wanted = [
            (event_id, it)
            for event_id, it in enumerate(self._moves, start=1)
            if event_id > self.after
            and all(
                one in ("", name)
                for one, name in zip(self.only, (it.task_id, it.workflow_id, it.job_id), strict=True)
            )
        ]
        assert self.found == wanted[: len(self.found)]
        # There is no job in the store, and job b is deleted at the end once more.
        gone = [Gone(record) for record in self.records] * (2 if self.only[2] == "b" else 1)
        assert self.gone == gone[: len(self.gone)]
        return len(self.found) == len(wanted) and self.gone == gone


async def until(look):
    async with asyncio.timeout(60):
        while not look():  # noqa: ASYNC110  those who read say nothing
            await asyncio.sleep(0.001)


NAMES = ["", "a", "b", "c"]


@pytest.mark.parametrize("seed", range(8))
def test_each_follower_gets_all_that_concerns_it_once_and_in_order(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(feed_module, "_KEPT_IN_MEMORY", 200)
    monkeypatch.setattr(feed_module, "_DROPPED_AT_ONCE", 100)
    rng = random.Random(seed)

    async def work(log):
        log.feed = Feed(log.store, log.feed.last_id, is_busy=lambda: rng.random() < 0.1)
        moves, readers, following = [], [], []

        async def happen():
            new = []
            for _ in range(rng.choice([1, 1, 3, 40])):
                workflow, job = rng.choices(NAMES, k=2)
                new.append(a_move(rng.choice(NAMES[1:]), workflow_id=workflow, job_id=job))
            await log.store.commit(Changes(transitions=new, first_event_id=len(moves) + 1))
            log.feed.announce(len(moves) + 1, new)
            moves.extend(new)

        for _ in range(40):
            await happen()
            if rng.random() < 0.5:
                readers.append(Reader(rng, moves))
                following.append(asyncio.create_task(readers[-1].follow(log.feed)))
            for _ in range(rng.choice([0, 1, 5, 50])):
                await asyncio.sleep(0)
        await until(lambda: all(reader.gone or not reader.records for reader in readers))
        log.feed.committed(Changes(deleted_groups=[a_group("b", kind=GroupKind.JOB)]))
        await happen()
        await until(lambda: all(reader.is_complete for reader in readers))
        assert not any(task.done() for task in following)
        log.feed.close()
        await asyncio.gather(*following)

    run(tmp_path, work)
