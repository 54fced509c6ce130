"""Messages of a proplet that are larger than the broker takes."""

from propeller.core.failures import ErrorKind
from propeller.proplet.oversize import cut_down, halves_of, small_enough
from propeller.wire.fleet.codec import encode
from propeller.wire.fleet.from_proplet import Logs, Results

WHY = "has 200,000 bytes, and the broker takes 131,072 at most; raise its limit"


def piece(text, offset=0, **more):
    return Logs(
        task_id="t", proplet_id="p", attempt=1, stream="stderr", offset=offset, text=text, at=1, **more
    )


def test_a_result_becomes_a_failure_that_says_why():
    report = Results(task_id="t", proplet_id="p", results="x" * 200_000, attempt=1)
    assert cut_down(report, WHY)
    assert (report.results, report.error) == ("", f"the result's message {WHY}, or write less")
    assert report.error_kind == ErrorKind.OUTPUT
    assert not cut_down(report, WHY), "it does not become smaller"


def test_of_an_error_the_beginning_is_left():
    report = Results(task_id="t", proplet_id="p", error="first" + "x" * 200_000, attempt=1)
    assert cut_down(report, WHY)
    assert report.error.startswith("firstxxx")
    assert report.error.endswith(f"… (cut, because the message {WHY})")
    assert len(report.error) < 1500
    assert not cut_down(report, WHY)


def test_logs_are_cut_until_they_fit_and_nothing_is_lost():
    text = "grüße \0" * 5000
    pieces = small_enough([piece(text, offset=7, is_cut=True), piece("short", offset=9)], 10_000)
    *long, short = pieces
    assert "".join(one.text for one in long) == text
    assert all(len(encode(one)) <= 10_000 for one in pieces)
    assert [one.is_cut for one in long] == [False] * (len(long) - 1) + [True]
    offset = 7
    for one in long:
        assert one.offset == offset
        offset += len(one.text.encode())
    assert short == piece("short", offset=9)


def test_what_fits_is_left_as_it_is():
    pieces = [piece("one"), piece("two", offset=3)]
    assert small_enough(pieces, 2000) == pieces


def test_a_character_is_not_cut():
    assert small_enough([piece("ä")], 10) == [piece("ä")]
    assert [one.text for one in halves_of(piece("äb"))] == ["ä", "b"]
