"""What guests wrote: whose it is, how much of it is kept, and that it goes with its task."""

import pytest

from propeller.core.effects import Changes
from propeller.store import limits
from propeller.store.port import LogFilter, LogPiece, LogTail
from tests.builders import a_task, filled_execution

MIB = 1024 * 1024


def piece(task_id, offset, text, *, attempt=1, stream="stderr", proplet_id="p", is_cut=False):
    return LogPiece(task_id, proplet_id, attempt, stream, offset, text, is_cut, 1000 + offset)


def tasks(*seqs, attempt=1):
    return Changes(created=[a_task(seq, attempt=attempt) for seq in seqs])


async def texts(store, task_id, after=0, limit=1000, **only):
    page = await store.logs(LogFilter(task_id, **only), after, limit)
    return [one.text for _, one in page.items]


async def size(store, task_id, **only):
    return sum(len(text.encode()) for text in await texts(store, task_id, limit=100_000, **only))


def test_pieces_come_back_as_they_were_in_order_of_arrival(data):
    written = [
        piece("t1", 0, "one\n"),
        piece("t1", 7, 'a "quoted" text, ü, \u2028, \x00, \\', stream="stdout", is_cut=True),
        piece("t2", 0, "of another"),
        piece("t1", 2**62, "far", attempt=2, proplet_id="q"),
        piece("t1", 4, "", attempt=2),
    ]

    async def write(store):
        await store.commit(tasks(1, 2, attempt=2))
        await store.write_logs(written[:2])
        await store.write_logs(written[2:])

    async def read(store):
        page = await store.logs(LogFilter("t1"), 0, 100)
        assert page.total == 4
        assert [one for _, one in page.items] == [*written[:2], *written[3:]]
        ids = [number for number, _ in page.items]
        assert ids == sorted(set(ids))
        assert [number for number, _ in (await store.logs(LogFilter("t1"), ids[1], 1)).items] == [ids[2]]
        assert (await store.logs(LogFilter("t1"), ids[-1], 100)) == (4, [])
        assert await texts(store, "t1", stream="stdout") == [written[1].text]
        assert await texts(store, "t1", first_attempt=2) == ["far", ""]
        assert await texts(store, "t1", last_attempt=1, stream="stderr") == ["one\n"]
        assert await texts(store, "ghost") == []
        assert [await store.last_log_attempt("t1", stream) for stream in ("", "stdout", "stderr")] == [
            2,
            1,
            2,
        ]
        assert await store.last_log_attempt("ghost", "") == 0

    data.with_store(write)
    data.with_store(read)


def test_a_repetition_changes_nothing(data):
    async def work(store):
        await store.commit(tasks(1))
        await store.write_logs([piece("t1", 4, "two"), piece("t1", 0, "one"), piece("t1", 4, "TWO")])
        await store.write_logs([piece("t1", 0, "ONE"), piece("t1", 0, "one", stream="stdout")])
        await store.write_logs([piece("t1", 0, "one", proplet_id="q")])
        assert await texts(store, "t1") == ["two", "one", "one", "one"]

    data.with_store(work)


def test_what_belongs_to_no_attempt_is_dropped_alone(data):
    async def work(store):
        await store.commit(tasks(1, attempt=2))
        await store.commit(tasks(2, attempt=0))
        await store.write_logs(
            [
                piece("ghost", 0, "no such task"),
                piece("t1", 0, "not yet", attempt=3),
                piece("t1", 0, "present", attempt=0),
                piece("t2", 0, "never run", attempt=0),
                piece("t1", 8, "half of a pair: \ud800", attempt=2),
            ]
        )
        page = await store.logs(LogFilter("t1"), 0, 100)
        assert [(one.text, one.attempt) for _, one in page.items] == [
            ("present", 2),
            ("half of a pair: ?", 2),
        ]
        assert await texts(store, "t2") == []

    data.with_store(work)


def test_logs_go_with_their_task_and_another_of_its_id_has_its_own(data):
    async def work(store):
        await store.commit(tasks(1, 2))
        await store.write_logs([piece("t1", 0, "one"), piece("t2", 0, "two")])
        (last, _), *_ = (await store.logs(LogFilter("t2"), 0, 1)).items
        await store.commit(Changes(deleted=[a_task(1), a_task(2)], past_attempts={"t1": 1, "t2": 1}))
        await store.commit(Changes(created=[a_task(9, task_id="t1", attempt=2)]))
        assert await texts(store, "t1") == []
        await store.write_logs([piece("t1", 9, "late"), piece("t1", 0, "new", attempt=2)])
        assert await texts(store, "t1") == ["new"]
        assert await texts(store, "t1", after=last) == ["new"], "followers of the ids see it too"

    data.with_store(work)


def test_a_stream_is_cut_at_its_bound(data):
    async def work(store):
        await store.commit(tasks(1))
        part = "€" * 20_000
        await store.write_logs([piece("t1", n * 60_000, part) for n in range(30)])
        assert MIB - 3 < await size(store, "t1") <= MIB
        *whole, last = (await store.logs(LogFilter("t1"), 0, 100)).items
        assert {one.is_cut for _, one in whole} == {False}
        assert last[1].is_cut
        assert set(last[1].text) == {"€"}, "it ends between characters"
        await store.write_logs([piece("t1", 60_000 * 40, "more"), piece("t1", 0, "other", stream="stdout")])
        assert (await texts(store, "t1"))[-1] == "other"
        assert (await store.logs(LogFilter("t1"), 0, 100)).total == len(whole) + 2

    data.with_store(work)


def test_many_small_pieces_are_bounded_too(data):
    async def work(store):
        await store.commit(tasks(1))
        await store.write_logs([piece("t1", n, "x") for n in range(20_000)])
        page = await store.logs(LogFilter("t1"), 0, 100_000)
        assert page.total == MIB // 64 + 1
        assert page.items[-1][1].is_cut

    data.with_store(work)


@pytest.mark.parametrize("order", [(1, 2, 3, 4, 5), (5, 4, 3, 2, 1), (2, 4, 1, 5, 3)])
def test_of_each_task_the_last_attempts_are_kept(data, order):
    async def work(store):
        await store.commit(tasks(1, 2, attempt=5))
        await store.write_logs([piece("t2", 0, "other", attempt=1)])
        for attempt in order:
            for stream in ("stdout", "stderr"):
                await store.write_logs([piece("t1", 0, str(attempt), attempt=attempt, stream=stream)])
        assert sorted(await texts(store, "t1")) == ["3", "3", "4", "4", "5", "5"]
        await store.write_logs([piece("t1", 9, "late", attempt=2)])
        assert await texts(store, "t1", last_attempt=2) == []
        assert await texts(store, "t2") == ["other"]

    data.with_store(work)


def test_of_a_broadcast_each_proplet_keeps_its_present_attempt(data):
    """One that nothing befell goes on with the first, however often others were started anew."""
    task = a_task(1, attempt=9, broadcast=True)
    held = [
        (task, filled_execution(proplet_id="p", attempt=1)),
        (task, filled_execution(proplet_id="q", attempt=9)),
    ]

    async def work(store):
        await store.commit(Changes(created=[task], executions=held))
        for attempt in range(1, 10):
            await store.write_logs([piece("t1", 0, str(attempt), attempt=attempt, stream="stdout")])
        assert await texts(store, "t1") == ["1", "7", "8", "9"]
        await store.write_logs([piece("t1", 0, "goes on", attempt=1)])
        assert (await texts(store, "t1"))[-1] == "goes on"

    data.with_store(work)


def test_all_together_are_bounded_too(data, monkeypatch):
    monkeypatch.setattr(limits, "LOG_BYTES_KEPT", 100_000)

    async def work(store):
        await store.commit(tasks(*range(1, 31)))
        for number in range(1, 31):
            await store.write_logs([piece(f"t{number}", 0, "x" * 9_000)])
        kept = [number for number in range(1, 31) if await texts(store, f"t{number}")]
        assert kept == list(range(21, 31)), "the oldest went first"
        await store.commit(Changes(deleted=[a_task(number) for number in range(21, 30)]))
        await store.write_logs([piece(f"t{number}", 0, "x" * 9_000) for number in range(1, 10)])
        kept = [number for number in range(1, 31) if await texts(store, f"t{number}")]
        assert kept == [*range(1, 10), 30], "what was deleted makes room"

    data.with_store(work)


#: What was written, how many lines are asked for, and what is shown.
TAILS = [
    (["a\nb\n", "c\n"], 1, "c\n"),
    (["a\nb\n", "c\n"], 2, "b\nc\n"),
    (["a\nb\n", "c\n"], 3, "a\nb\nc\n"),
    (["a\nb\n", "c\n"], 9, "a\nb\nc\n"),
    (["a\nb", "c", "d\ne"], 1, "e"),
    (["a\nb", "c", "d\ne"], 2, "bcd\ne"),
    (["a\nb", "c", "d\ne"], 3, "a\nbcd\ne"),
    (["\n", "\n\n"], 2, "\n\n"),
    (["a\n", ""], 1, "a\n"),
    (["a\n", "b\n"], 0, ""),
    (["a\n", "b"], 0, ""),
    ([], 5, ""),
]


def test_the_last_lines(data):
    async def work(store):
        await store.commit(tasks(1, *range(2, len(TAILS) + 2)))
        await store.write_logs([piece("t1", 0, "x\n" * 9)])
        for number, (written, lines, shown) in enumerate(TAILS, 2):
            task_id = f"t{number}"
            await store.write_logs([piece(task_id, n, text) for n, text in enumerate(written)])
            tail = await store.tail_of_logs(LogFilter(task_id), lines)
            found = "".join(await texts(store, task_id, after=tail.after))[tail.chars :]
            assert found == shown, (written, lines)
            assert await store.tail_of_logs(LogFilter("ghost"), lines) == LogTail(0, 0)

    data.with_store(work)
