"""The event log in SQLite: how a search goes through it, and what earlier versions wrote."""

import asyncio
import contextlib
import sqlite3
import threading

from hypothesis import example, given, settings
from hypothesis import strategies as st

from propeller.core import causes
from propeller.core.effects import Changes
from propeller.store import limits
from propeller.store.port import EventFilter
from propeller.store.sqlite import events
from tests.builders import a_move, a_task
from tests.store.conformance.test_events import MOVES
from tests.store.helpers import SqliteData


@settings(max_examples=50, deadline=None)
@given(st.lists(MOVES, max_size=20), st.integers(1, 9), st.integers(0, 40) | st.just(2**63 - 1))
@example([[a_move("a"), a_move("b")]] * 3, 1, 0)
def test_pieces_of_any_size_find_exactly_what_is_in_the_log(tmp_path_factory, commits, count, start):
    async def work(store):
        first = 1
        for moves in commits:
            await store.commit(Changes(transitions=moves, first_event_id=first))
            first += len(moves)
        everything = await store.events(0, 1000)
        for field in ("task_id", "workflow_id"):
            for name in sorted({getattr(move, field) for _, move in everything} - {""} | {"absent"}):
                search = events.Search(EventFilter(**{field: name}), start, 1000)
                while await store._read(lambda db, search=search: search.piece(db, count)):
                    pass
                assert search.page().events == [
                    event for event in everything if getattr(event[1], field) == name and event[0] > start
                ]

    SqliteData(tmp_path_factory.mktemp("store"), durability="normal").with_store(work)


def test_a_search_that_takes_long_gives_what_it_has_and_goes_on_from_there(data, monkeypatch):
    monkeypatch.setattr(limits, "SEARCH_S", 0.0)

    async def work(store):
        await store.commit(Changes(transitions=[a_move("a")], first_event_id=1))
        page = await store.events_of(EventFilter("a"), 0, 10)
        monkeypatch.setattr(limits, "SEARCH_S", 1.0)
        rest = await store.events_of(EventFilter("a"), page.next_after, 10)
        return page, rest

    page, rest = data.with_store(work)
    assert (page.events, page.next_after, page.has_more) == ([], 0, True)
    assert ([number for number, _ in rest.events], rest.has_more) == ([1], False)


def test_what_is_too_old_goes_one_row_at_a_time_if_there_is_no_time(data, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_PIECE_S", 0.0)

    async def work(store):
        for n in range(1, 21):
            await store.commit(Changes(transitions=[a_move("t", at=n * 10)], first_event_id=n))
        pieces = 1
        while await store.forget_events(105):
            pieces += 1
        return pieces

    assert data.with_store(work) == 11


def test_rows_of_an_earlier_version_name_no_causes(tmp_path, data):
    async def before(store):
        await store.commit(Changes(created=[a_task(1, task_id="a")]))
        await store.commit(Changes(transitions=[a_move("a")], first_event_id=1))

    async def after(store):
        await store.commit(Changes(transitions=[a_move("a")], first_event_id=2))
        return await store.events_of(EventFilter("a"), 0, 10)

    data.with_store(before)
    with contextlib.closing(sqlite3.connect(tmp_path / "propeller.db")) as db, db:
        db.execute("UPDATE events SET task_seq = NULL")
    (tmp_path / "propeller.db-mark").unlink()
    page = data.with_store(after)
    assert [move.whole_cause for _, move in page.events] == [causes.UNKNOWN, causes.PLACEMENT]
    assert page.is_complete


def test_long_searches_leave_a_reader_and_the_writer_free(data, monkeypatch):
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

    pages = data.with_store(work)
    assert [len(page.events) for page in pages] == [2, 2]
    assert set(at_once) == {1}
