"""The event log: what became of one task, workflow or job is found in it, and the oldest of it goes in time."""

import asyncio
import contextlib
import sqlite3
import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from propeller.core import causes
from propeller.core.effects import Changes
from propeller.core.states import COMPLETED, PENDING
from propeller.store import limits
from propeller.store.port import EventFilter
from propeller.store.sqlite import events
from propeller.store.sqlite.store import SqliteStore
from tests.builders import TEXT, a_move, a_task

#: Ids that are parts of others, or have a meaning in patterns, in JSON or in SQL.
IDS = ["a", "aa", "b", "[a]", "a*", "?", "a-z", "^a", '"', "\\", "%", "_", "é", "]", "'", "task_id", TEXT]


@pytest.fixture
def play(tmp_path):
    def run(work, **options):
        async def whole():
            store = SqliteStore(tmp_path, durability="normal", **options)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(whole())

    return run


async def all_of(store, only, limit=1000):
    """Read page by page."""
    found, after = [], 0
    while True:
        page = await store.events_of(only, after, limit)
        found += page.events
        assert len(page.events) <= limit
        assert page.has_more or len(page.events) <= limit
        if not page.has_more:
            return found
        after = page.next_after


# -- the search ----------------------------------------------------------------------------------------------

MOVES = st.lists(
    st.builds(
        a_move,
        task_id=st.sampled_from(IDS),
        workflow_id=st.sampled_from(["", *IDS]),
        results=st.sampled_from([None, '"task_id":"a"', {"task_id": "b", "workflow_id": "a"}]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(MOVES, max_size=20),
    st.integers(1, 5),
    st.integers(1, 9),
    st.integers(0, 40) | st.just(2**63 - 1),
)
@example([[a_move("a"), a_move("b")]] * 3, 1, 1, 0)
def test_a_search_finds_exactly_what_is_in_the_log(tmp_path_factory, commits, limit, count, start):
    async def whole():
        store = SqliteStore(tmp_path_factory.mktemp("store"), durability="normal")
        try:
            first = 1
            for moves in commits:
                await store.commit(Changes(transitions=moves, first_event_id=first))
                first += len(moves)
            await judge(store)
        finally:
            await store.close()

    async def judge(store):
        everything = await store.events(0, 1000)
        for field in ("task_id", "workflow_id"):
            for name in sorted({getattr(move, field) for _, move in everything} - {""} | {"absent"}):
                wanted = [event for event in everything if getattr(event[1], field) == name]
                assert await all_of(store, EventFilter(**{field: name}), limit) == wanted
                search = events.Search(EventFilter(**{field: name}), start, 1000)
                while await store._read(lambda db, search=search: search.piece(db, count)):
                    pass
                assert search.page().events == [event for event in wanted if event[0] > start]

    asyncio.run(whole())


def test_the_events_of_an_earlier_task_of_the_same_id_are_not_its_own(play):
    async def work(store):
        old, new = a_task(1, task_id="t"), a_task(3, task_id="t")
        await store.commit(Changes(created=[old], transitions=[a_move("t")], first_event_id=1))
        await store.commit(Changes(transitions=[a_move("t", COMPLETED)], first_event_id=2))
        await store.commit(Changes(deleted=[old], created=[a_task(2)]))
        await store.commit(Changes(created=[new]))
        await store.commit(Changes(transitions=[a_move("t2"), a_move("t")], first_event_id=3))
        return await store.events_of(EventFilter("t"), 0, 10)

    page = play(work)
    assert [number for number, _ in page.events] == [4]
    assert (page.first_id, page.next_after, page.has_more, page.is_complete) == (1, 4, False, True)


def test_after_a_restart_newer_tasks_are_still_told_from_older_ones(play):
    async def create(store):
        await store.commit(Changes(created=[a_task(1), a_task(2)]))

    async def work(store):
        await store.commit(Changes(transitions=[a_move("t1")], first_event_id=1))
        await store.commit(Changes(created=[a_task(3)], transitions=[a_move("t3")], first_event_id=2))
        return [(await store.events_of(EventFilter(name), 0, 10)).events for name in ("t1", "t2", "t3")]

    play(create)
    assert [[number for number, _ in found] for found in play(work)] == [[1], [], [2]]


def test_a_search_that_takes_long_gives_what_it_has_and_goes_on_from_there(play, monkeypatch):
    monkeypatch.setattr(limits, "SEARCH_S", 0.0)

    async def work(store):
        await store.commit(Changes(transitions=[a_move("a")], first_event_id=1))
        page = await store.events_of(EventFilter("a"), 0, 10)
        monkeypatch.setattr(limits, "SEARCH_S", 1.0)
        rest = await store.events_of(EventFilter("a"), page.next_after, 10)
        return page, rest

    page, rest = play(work)
    assert (page.events, page.next_after, page.has_more) == ([], 0, True)
    assert ([number for number, _ in rest.events], rest.has_more) == ([1], False)


def test_rows_of_an_earlier_version_name_no_causes(tmp_path, play):
    async def before(store):
        await store.commit(Changes(created=[a_task(1, task_id="a")]))
        await store.commit(Changes(transitions=[a_move("a")], first_event_id=1))

    async def after(store):
        await store.commit(Changes(transitions=[a_move("a")], first_event_id=2))
        return await store.events_of(EventFilter("a"), 0, 10)

    play(before)
    with contextlib.closing(sqlite3.connect(tmp_path / "propeller.db")) as db, db:
        db.execute("UPDATE events SET task_seq = NULL")
    (tmp_path / "propeller.db-mark").unlink()
    page = play(after)
    assert [move.whole_cause for _, move in page.events] == [causes.UNKNOWN, causes.PLACEMENT]
    assert page.is_complete


# -- its bounds ----------------------------------------------------------------------------------------------


def log_of(play, count, results, **options):
    async def work(store):
        for n in range(1, count + 1):
            move = a_move(f"t{n}", results=results)
            await store.commit(Changes(transitions=[move], first_event_id=n))
        return [number for number, _ in await store.events(0, 10_000)]

    return play(work, **options)


def event_bytes(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "propeller.db")) as db:
        return db.execute("SELECT SUM(LENGTH(CAST(transitions AS BLOB))) FROM events").fetchone()[0]


def test_it_is_bounded_in_bytes(tmp_path, play, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_PIECE_BYTES", 20_000)
    kept = log_of(play, 300, "é" * 1000, history_bytes=200_000)
    assert kept == list(range(kept[0], 301)), "the newest, without a gap"
    assert 150_000 < event_bytes(tmp_path) < 250_000

    async def a_few_more(store):
        for n in range(301, 320):
            await store.commit(Changes(transitions=[a_move(f"t{n}")], first_event_id=n))

    play(a_few_more, history_bytes=50_000)
    assert event_bytes(tmp_path) < 80_000, "what an earlier program left is counted too"


def test_the_newest_change_stays_however_large_it_is(play, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_PIECE_BYTES", 100)
    assert log_of(play, 5, "x" * 5000, history_bytes=1000) == [5]


def test_what_is_gone_is_told(play, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_PIECE_BYTES", 100)

    async def work(store):
        await store.commit(Changes(created=[a_task(1)]))
        for n in range(1, 11):
            await store.commit(Changes(transitions=[a_move("t1", results="x" * 500)], first_event_id=n))
        await store.commit(
            Changes(created=[a_task(2)], transitions=[a_move("t2", PENDING)], first_event_id=11)
        )
        return [await store.events_of(EventFilter(name), 0, 100) for name in ("t1", "t2")]

    old, new = play(work, history_bytes=2000)
    assert old.events[0][0] == old.first_id > 1
    assert not old.is_complete
    assert (new.is_complete, [number for number, _ in new.events]) == (True, [11])


def test_what_is_too_old_goes_a_little_at_a_time(play, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_PIECE_S", 0.0)

    async def write(store):
        for n in range(1, 21):
            await store.commit(Changes(transitions=[a_move("t", at=n * 10)], first_event_id=n))

    async def forget(store):
        pieces = 1
        while await store.forget_events(105):
            pieces += 1
        assert pieces == 11
        return [number for number, _ in await store.events(0, 100)]

    async def forget_all(store):
        while await store.forget_events(10**9):
            pass
        await store.commit(Changes(transitions=[a_move("t", at=5)], first_event_id=21))
        return [number for number, _ in await store.events(0, 100)], (await store.load()).last_event_id

    play(write)
    assert play(forget) == list(range(11, 21)), "through a restart"
    assert play(forget_all) == ([20, 21], 21), "the newest stays, for the numbers to go on"


def test_long_searches_leave_a_reader_and_the_writer_free(play, monkeypatch):
    """Two searches at once take turns, piece by piece."""
    may_go_on, inside, at_once = threading.Event(), [], []
    real = events.Search.piece

    def slow(search, db, count):
        inside.append(search)
        at_once.append(len(inside))
        may_go_on.wait(20)
        is_left = real(search, db, count)
        inside.remove(search)
        return is_left

    monkeypatch.setattr(events.Search, "piece", slow)

    async def work(store):
        await store.commit(Changes(created=[a_task(1)], transitions=[a_move("t1")], first_event_id=1))
        searches = [asyncio.create_task(store.events_of(EventFilter("t1"), 0, 10)) for _ in range(2)]
        while not inside:  # noqa: ASYNC110  threads set no event of the loop
            await asyncio.sleep(0)
        await store.commit(Changes(transitions=[a_move("t1")], first_event_id=2))
        assert (await store.task("t1")).id == "t1"
        assert not any(search.done() for search in searches)
        may_go_on.set()
        return [await search for search in searches]

    pages = play(work)
    assert [len(page.events) for page in pages] == [2, 2]
    assert set(at_once) == {1}
