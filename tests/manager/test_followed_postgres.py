"""A feed of what another manager commits to a real PostgreSQL, told by its notices, also over a lost connection."""

import asyncio
import contextlib

import pytest
from tests.builders import a_group, a_move, a_task
from tests.parts.postgres import Postgres, running

from propeller.core.effects import Changes
from propeller.core.model import JobMode
from propeller.core.states import PENDING
from propeller.manager import followed_feed
from propeller.manager.follower import Follower
from propeller.manager.leaders import Leaders
from propeller.store.port import Gone, Record
from propeller.store.postgres.commits import DELETIONS, EVENTS
from propeller.store.postgres.lease import Lease
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.postgres.store import PostgresStore

DEADLINE_S = 60


@pytest.fixture(scope="module")
def server():
    with running(Postgres()) as one:
        yield one


@pytest.fixture
def settings(server):
    name = server.database()
    yield PostgresSettings(host=server.host, port=server.port, database=name)
    server.drop(name)


class Two:
    """A store that leads, and a follower with a store of its own; a lease of its own hears the notices."""

    def __init__(self, settings):
        self.leading, self.following = PostgresStore(settings), PostgresStore(settings)
        self.follower = Follower(self.following, Leaders(), job_mode=JobMode.PARALLEL)
        self.lease = Lease(settings, self._told)
        self._last_id = 0

    def _told(self, channel, text):
        if channel == EVENTS and text:
            self.follower.feed.heard(int(text))
        elif channel == DELETIONS and text:
            self.follower.feed.heard_of_deletions(text)
        elif not text:
            self.follower.feed.missed()

    async def happens(self, count, **more):
        first, self._last_id = self._last_id + 1, self._last_id + count
        moves = [a_move(f"t{first + n}") for n in range(count)]
        await self.leading.commit(Changes(transitions=moves, first_event_id=first, **more))


@contextlib.asynccontextmanager
async def two(settings):
    it = Two(settings)
    async with asyncio.timeout(DEADLINE_S), contextlib.AsyncExitStack() as stack:
        for store in (it.leading, it.following):
            stack.push_async_callback(store.close)
            await store.open(10)
        stack.push_async_callback(it.follower.stop)
        await it.follower.start()
        stack.push_async_callback(it.lease.close)
        await it.lease.start()
        held = await it.lease.take("m-1", "http://m-1:7070")
        assert held is not None
        await it.leading.lead(held)
        yield it


async def take(count, following):
    found = []
    async for event_id, move in following:
        assert move.task_id == f"t{event_id}"
        found.append(event_id)
        if len(found) == count:
            break
    return found


def test_it_hears_of_each_commit(settings):
    async def scene():
        async with two(settings) as it:
            following = asyncio.create_task(take(300, it.follower.feed.follow(0)))
            for _ in range(100):
                await it.happens(3)
            assert await following == list(range(1, 301))

    asyncio.run(scene())


def test_nothing_is_missed_while_the_database_is_away(server, settings):
    async def scene():
        async with two(settings) as it:
            following = asyncio.create_task(take(60, it.follower.feed.follow(0)))
            for n in range(20):
                await it.happens(3)
                if n % 8 == 4:
                    await asyncio.to_thread(server.kill)
                    await asyncio.to_thread(server.start)
            assert await following == list(range(1, 61))

    asyncio.run(scene())


def test_it_hears_of_deletions_behind_their_events(settings, monkeypatch):
    monkeypatch.setattr(followed_feed, "_LOOK_EVERY_S", DEADLINE_S)

    async def scene():
        async with two(settings) as it:
            tasks = [a_task(1, workflow_id="w"), a_task(2, workflow_id="w")]
            group = a_group("w", of=[PENDING, PENDING])
            await it.happens(1, created=tasks, groups=[group])
            workflow, task = Record("workflow", "w"), Record("task", "t1")
            feed = it.follower.feed
            async with feed.watching([workflow]) as watch:
                await it.happens(2, deleted=tasks[:1], groups=[group])
                assert await heard(feed, watch) == [1, 2, 3, Gone(task, workflow)]
                await it.happens(1, deleted=tasks[1:], deleted_groups=[group])
                assert await heard(feed, watch, 3) == [4, Gone(workflow)]

    asyncio.run(scene())


async def heard(feed, watch, after=0):
    """Give what comes up to the next news of a deletion."""
    found = []
    async for batch in feed.follow_in_batches(after, watch):
        if not batch:
            break
        found += [event_id for event_id, _ in batch]
    return [*found, *watch.take()]
