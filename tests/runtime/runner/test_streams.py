"""Streams of guests: they are kept up to a limit, and their last piece says where they are cut."""

import pytest

from propeller.runtime.guest_run import Limits, Piece
from propeller.runtime.runner.streams import Streams

LIMITS = Limits(log_bytes=10)


@pytest.fixture
def pieces():
    return []


@pytest.fixture
def streams(pieces: list[Piece]):
    streams = Streams(pieces.extend)
    streams.begin(1, LIMITS, is_result=False)
    yield streams
    streams.close()


def read_part_by_part(streams, parts):
    for part in parts:
        streams.print_err(part)
        streams.drain()
    streams.end()


@pytest.mark.parametrize("parts", [[b"0123456789ab"], [b"0123456789", b"ab"], [b"012345678", b"9", b"ab"]])
def test_what_is_cut_is_marked_at_its_end(streams, pieces, parts):
    read_part_by_part(streams, parts)
    assert b"".join(piece.data for piece in pieces) == b"0123456789"
    assert [piece.is_cut for piece in pieces] == [False] * (len(pieces) - 1) + [True]


@pytest.mark.parametrize("parts", [[b"0123456789"], [b"01234", b"56789"]])
def test_what_just_fits_is_whole(streams, pieces, parts):
    read_part_by_part(streams, parts)
    assert b"".join(piece.data for piece in pieces) == b"0123456789"
    assert not any(piece.is_cut for piece in pieces)


def test_a_character_is_never_in_two_pieces(streams, pieces):
    read_part_by_part(streams, [bytes([byte]) for byte in "äöüß".encode()])
    assert "".join(piece.data.decode() for piece in pieces) == "äöüß"


def test_what_one_guest_printed_is_not_held_against_the_next(streams):
    streams.begin(1, Limits(output_bytes=10), is_result=True)
    streams.print_out(b"0123456789ab")
    assert streams.drain(), "more than the limit"
    assert streams.end() == (b"0123456789", True, b"")
    assert not streams.drain(), "the next guest may be a function, which prints nothing and begins no stream"
