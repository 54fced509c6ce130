"""Reports on disk: kept until they are dropped, whatever happens to the program."""

import asyncio

import pytest

from propeller.errors import StoreUnusable
from propeller.proplet.outbox import Outbox
from propeller.wire.fleet.from_proplet import HandBack, Results


def a_result(task_id: str, attempt: int = 1) -> Results:
    return Results(task_id=task_id, proplet_id="p", results="30\n", attempt=attempt)


def with_outbox(directory, work=None):
    """Open an outbox, work with it, close it, and return what it held at first and its boot."""

    async def play():
        outbox = Outbox(directory)
        try:
            if work is not None:
                await work(outbox)
            return outbox.kept, outbox.boot
        finally:
            outbox.close()

    return asyncio.run(play())


async def kept(outbox: Outbox, *reports) -> None:
    durable = asyncio.Event()
    outbox.keep(reports, durable.set)
    async with asyncio.timeout(20):
        await durable.wait()


def test_reports_are_there_after_a_restart_and_gone_when_they_were_dropped(tmp_path):
    back = HandBack(task_id="b", proplet_id="p", attempt=2, reason="busy")

    async def first(outbox):
        await kept(outbox, a_result("a"), back)

    async def second(outbox):
        outbox.forget(["a"])

    assert with_outbox(tmp_path, first)[0] == []
    assert with_outbox(tmp_path, second)[0] == [a_result("a"), back]
    assert with_outbox(tmp_path)[0] == [back]


def test_a_newer_end_of_a_task_takes_the_place_of_an_older_one(tmp_path):
    async def work(outbox):
        await kept(outbox, a_result("a"))
        outbox.forget(["a"])
        await kept(outbox, a_result("a", attempt=2))

    with_outbox(tmp_path, work)
    assert with_outbox(tmp_path)[0] == [a_result("a", attempt=2)]


def test_each_start_has_a_higher_number_even_if_the_clock_was_set_back(tmp_path, monkeypatch):
    _, first = with_outbox(tmp_path)
    monkeypatch.setattr("propeller.proplet.outbox.time.time_ns", lambda: 5)
    _, second = with_outbox(tmp_path)
    assert second > first > 5


def test_a_second_proplet_on_the_same_directory_is_refused(tmp_path):
    async def work(_outbox):
        with pytest.raises(StoreUnusable, match="if another proplet uses this directory stop that one"):
            Outbox(tmp_path)

    with_outbox(tmp_path, work)


def test_large_reports_leave_no_large_file(tmp_path):
    large = [Results(task_id=f"t{n}", proplet_id="p", results="x" * 2**20, attempt=1) for n in range(12)]

    async def work(outbox):
        await kept(outbox, *large)
        outbox.forget([report.task_id for report in large])
        for _ in range(3):
            await kept(outbox, a_result("a"))
        return (tmp_path / "outbox.db-wal").stat().st_size

    sizes = []

    async def measured(outbox):
        sizes.append(await work(outbox))

    with_outbox(tmp_path, measured)
    assert sizes[0] <= 4 * 2**20


def test_what_a_full_disk_did_not_take_is_written_when_it_has_room_again(tmp_path):
    large = Results(task_id="large", proplet_id="p", results="x" * 2**20, attempt=1)

    async def work(outbox):
        await kept(outbox, a_result("gone"))
        pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
        outbox._db.execute(f"PRAGMA max_page_count={pages}")
        await kept(outbox, large)  # it is sent all the same
        outbox.forget(["gone"])
        await kept(outbox, a_result("large", attempt=2), large)
        outbox._db.execute("PRAGMA max_page_count=100000")
        await kept(outbox, a_result("b"))

    with_outbox(tmp_path, work)
    assert with_outbox(tmp_path)[0] == [large, a_result("b")]


def test_a_report_that_can_not_be_read_is_lost_and_keeps_no_program_from_starting(tmp_path):
    async def work(outbox):
        await kept(outbox, a_result("a"), a_result("b"))
        outbox._db.execute("UPDATE reports SET line = x'5b2200' WHERE task_id = 'a'")

    with_outbox(tmp_path, work)
    assert with_outbox(tmp_path)[0] == [a_result("b")]


def test_a_damaged_outbox_is_refused_with_the_way_out(tmp_path):
    with_outbox(tmp_path)
    (tmp_path / "outbox.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnusable, match=r"outbox\.db is damaged: .*; move it away"):
        with_outbox(tmp_path)
