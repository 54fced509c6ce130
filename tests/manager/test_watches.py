"""Followers hear of deletions in their place among the events, once, and again of a record that came back."""

import asyncio

from tests.builders import a_group, a_move, a_task

from propeller.core.effects import Changes
from propeller.manager.feed import Feed
from propeller.store.port import Gone, Record
from propeller.store.sqlite.store import SqliteStore

WORKFLOW, TASK = Record("workflow", "w"), Record("task", "t1")


def with_feed(directory, work):
    async def run():
        store = SqliteStore(directory, durability="normal")
        try:
            await store.commit(Changes(created=[a_task(1, workflow_id="w")], groups=[a_group("w")]))
            async with asyncio.timeout(60):
                await work(store, Feed(store, 0))
        finally:
            await store.close()

    asyncio.run(run())


async def hear(feed, watch, after, count):
    """Follow until so much was heard: ids of events, and what is gone."""
    heard = []
    async for batch in feed.follow_in_batches(after, watch):
        heard += [event_id for event_id, _ in batch] or watch.take()
        if len(heard) >= count:
            break
    return heard


def delete(feed, *, tasks=(), groups=()):
    feed.committed(Changes(deleted=list(tasks), deleted_groups=list(groups)))


def test_a_deletion_comes_between_the_events_before_and_after_it(tmp_path):
    async def work(_, feed):
        async with feed.watching([WORKFLOW]) as watch:
            feed.announce(1, [a_move("t1"), a_move("t1")])
            delete(feed, tasks=[a_task(1, workflow_id="w")], groups=[a_group("w")])
            feed.announce(3, [a_move("t1")])
            assert await hear(feed, watch, 0, 4) == [1, 2, Gone(WORKFLOW), 3]

    with_feed(tmp_path, work)


def test_who_follows_a_group_hears_of_it_or_of_its_task(tmp_path):
    async def work(_, feed):
        task = a_task(1, workflow_id="w")
        async with feed.watching([WORKFLOW]) as of_group, feed.watching([TASK]) as of_task:
            delete(feed, tasks=[task])
            delete(feed, tasks=[task], groups=[a_group("w")])
            assert await hear(feed, of_group, 0, 2) == [Gone(TASK, WORKFLOW), Gone(WORKFLOW)]
            assert await hear(feed, of_task, 0, 2) == [Gone(TASK), Gone(TASK)]

    with_feed(tmp_path, work)


def test_a_record_that_came_back_is_missed_again_and_one_that_did_not_is_not(tmp_path):
    async def work(store, feed):
        task, group = a_task(1, workflow_id="w"), a_group("w")
        async with feed.watching([WORKFLOW]) as watch:
            for _ in range(2):
                await store.commit(Changes(deleted=[task], deleted_groups=[group]))
                for _ in range(3):
                    await feed.look_for_watched()
                assert await hear(feed, watch, 0, 1) == [Gone(WORKFLOW)]
                assert watch.next_stop is None
                await store.commit(Changes(created=[task], groups=[group]))
                await feed.look_for_watched()
                assert watch.next_stop is None

    with_feed(tmp_path, work)


def test_nobody_who_does_not_watch_is_woken_or_looked_for(tmp_path):
    async def work(store, feed):
        async with feed.watching([Record("job", "other")]) as watch:
            assert await hear(feed, watch, 0, 1) == [Gone(Record("job", "other"))]
            delete(feed, groups=[a_group("w")])
            assert watch.next_stop is None
        assert not feed._watches
        asked = []
        store.missing = asked.append
        await feed.look_for_watched()
        assert not asked

    with_feed(tmp_path, work)
