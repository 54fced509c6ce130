"""The event log: what became of one task, workflow or job is found in it, and the oldest of it goes in time."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from propeller.core.effects import Changes
from propeller.core.states import COMPLETED, PENDING
from propeller.store import limits, rows
from propeller.store.port import EventFilter
from tests.builders import TEXT, a_move, a_task

#: Ids that are parts of others, or have a meaning in patterns, in JSON or in SQL.
IDS = ["a", "aa", "b", "[a]", "a*", "?", "a-z", "^a", '"', "\\", "%", "_", "é", "]", "'", "task_id", TEXT]


async def all_of(store, only, limit=1000, after=0):
    """Read page by page."""
    found = []
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


@settings(max_examples=25, deadline=None)
@given(st.lists(MOVES, max_size=20), st.integers(1, 5))
@example([[a_move("a"), a_move("b")]] * 3, 1)
def test_a_search_finds_exactly_what_is_in_the_log(fresh, commits, limit):
    async def work(store):
        first = 1
        for moves in commits:
            await store.commit(Changes(transitions=moves, first_event_id=first))
            first += len(moves)
        everything = await store.events(0, 1000)
        assert [move for _, move in everything] == [move for moves in commits for move in moves]
        for field in ("task_id", "workflow_id"):
            for name in sorted({getattr(move, field) for _, move in everything} - {""} | {"absent"}):
                wanted = [event for event in everything if getattr(event[1], field) == name]
                assert await all_of(store, EventFilter(**{field: name}), limit) == wanted
                assert await all_of(store, EventFilter(**{field: name}), after=2**63 - 1) == []

    with fresh() as data:
        data.with_store(work)


def test_a_large_commit_is_in_rows_of_which_none_is_large(data):
    moves = [a_move(f"t{number % 900}", at=number) for number in range(1, 1204)]
    assert [row[:2] for row in rows.event_rows(7, moves, 5)] == [(506, 7), (1006, 507), (1209, 1007)]

    async def work(store):
        await store.commit(Changes(created=[a_task(seq) for seq in range(1, 901)]))
        await store.commit(Changes(transitions=moves, first_event_id=1))
        await store.commit(Changes(transitions=[a_move("t600")], first_event_id=1204))
        assert [move for _, move in await store.events(0, 5000)] == [*moves, a_move("t600")]
        assert [event_id for event_id, _ in await store.events(499, 3)] == [500, 501, 502]
        assert await store.last_event_id() == 1204
        page = await store.events_of(EventFilter(task_id="t600"), 0, 10)
        assert page.is_complete
        return [event_id for event_id, _ in await all_of(store, EventFilter(task_id="t600"))], page.first_id

    assert data.with_store(work) == ([600, 1204], 1)


def test_the_events_of_an_earlier_task_of_the_same_id_are_not_its_own(data):
    async def work(store):
        old, new = a_task(1, task_id="t"), a_task(3, task_id="t")
        await store.commit(Changes(created=[old], transitions=[a_move("t")], first_event_id=1))
        await store.commit(Changes(transitions=[a_move("t", COMPLETED)], first_event_id=2))
        await store.commit(Changes(deleted=[old], created=[a_task(2)]))
        await store.commit(Changes(created=[new]))
        await store.commit(Changes(transitions=[a_move("t2"), a_move("t")], first_event_id=3))
        return await store.events_of(EventFilter("t"), 0, 10)

    page = data.with_store(work)
    assert [number for number, _ in page.events] == [4]
    assert (page.first_id, page.next_after, page.has_more, page.is_complete) == (1, 4, False, True)


def test_after_a_restart_newer_tasks_are_still_told_from_older_ones(data):
    async def create(store):
        await store.commit(Changes(created=[a_task(1), a_task(2)]))

    async def work(store):
        await store.commit(Changes(transitions=[a_move("t1")], first_event_id=1))
        await store.commit(Changes(created=[a_task(3)], transitions=[a_move("t3")], first_event_id=2))
        return [(await store.events_of(EventFilter(name), 0, 10)).events for name in ("t1", "t2", "t3")]

    data.with_store(create)
    assert [[number for number, _ in found] for found in data.with_store(work)] == [[1], [], [2]]


def test_a_search_that_takes_long_goes_on_where_it_stopped(data, monkeypatch):
    monkeypatch.setattr(limits, "SEARCH_S", 0.0)

    async def work(store):
        for n in range(1, 8):
            await store.commit(Changes(transitions=[a_move("a" if n == 5 else "b")], first_event_id=n))
        found, after = [], 0
        while True:
            page = await store.events_of(EventFilter("a"), after, 10)
            found += page.events
            if not page.has_more:
                return found
            after = page.next_after
            monkeypatch.setattr(limits, "SEARCH_S", 1.0)

    assert [number for number, _ in data.with_store(work)] == [5]


# -- its bounds ----------------------------------------------------------------------------------------------


def log_of(data, count, results, **options):
    """Write so many changes with these results; give the numbers of those that are still there."""

    async def work(store):
        for n in range(1, count + 1):
            move = a_move(f"t{n}", results=results)
            await store.commit(Changes(transitions=[move], first_event_id=n))
        return [number for number, _ in await store.events(0, 10_000)]

    return data.with_store(work, **options)


def test_it_is_bounded_in_bytes(data, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_PIECE_BYTES", 20_000)
    kept = log_of(data, 300, "é" * 1000, history_bytes=200_000)
    assert kept == list(range(kept[0], 301)), "the newest, without a gap"
    assert 150_000 < 2100 * len(kept) < 250_000


def test_what_an_earlier_program_left_is_counted_too(data, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_PIECE_BYTES", 20_000)
    assert len(log_of(data, 60, "é" * 1000)) == 60
    data.reopen()

    async def a_few_more(store):
        for n in range(61, 80):
            await store.commit(Changes(transitions=[a_move(f"t{n}")], first_event_id=n))
        return [number for number, _ in await store.events(0, 10_000)]

    assert 2100 * len([n for n in data.with_store(a_few_more, history_bytes=50_000) if n <= 60]) < 80_000


def test_the_newest_change_stays_however_large_it_is(data, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_PIECE_BYTES", 100)
    # Some stores delete the excess with the commit, some before the next one.
    assert log_of(data, 5, "x" * 5000, history_bytes=1000) in ([5], [4, 5])


def test_what_is_gone_is_told(data, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_PIECE_BYTES", 100)

    async def work(store):
        await store.commit(Changes(created=[a_task(1)]))
        for n in range(1, 11):
            await store.commit(Changes(transitions=[a_move("t1", results="x" * 500)], first_event_id=n))
        await store.commit(
            Changes(created=[a_task(2)], transitions=[a_move("t2", PENDING)], first_event_id=11)
        )
        return [await store.events_of(EventFilter(name), 0, 100) for name in ("t1", "t2")]

    old, new = data.with_store(work, history_bytes=2000)
    assert old.events[0][0] == old.first_id > 1
    assert not old.is_complete
    assert (new.is_complete, [number for number, _ in new.events]) == (True, [11])


def test_what_is_too_old_goes_a_little_at_a_time(data, monkeypatch):
    monkeypatch.setattr(limits, "HISTORY_PIECE_S", 0.0)

    async def write(store):
        for n in range(1, 21):
            await store.commit(Changes(transitions=[a_move("t", at=n * 10)], first_event_id=n))

    async def forget(store):
        while await store.forget_events(105):
            pass
        return [number for number, _ in await store.events(0, 100)]

    async def forget_all(store):
        while await store.forget_events(10**9):
            pass
        await store.commit(Changes(transitions=[a_move("t", at=5)], first_event_id=21))
        return [number for number, _ in await store.events(0, 100)], (await store.load()).last_event_id

    data.with_store(write)
    assert data.with_store(forget) == list(range(11, 21)), "through a restart"
    assert data.with_store(forget_all) == ([20, 21], 21), "the newest stays, for the numbers to go on"
