"""Messages between the pool, the fork server and the runners.

The pool and a runner speak MessagePack behind a length, over a socket pair.

Pool → runner: ``Hand``, ``TakeBack``, ``Stop``. Runner → pool: ``Ready`` first, then ``Report`` and
``Returned``. Frames arrive in the order sent, so after ``TakeBack`` and ``Returned`` both sides agree
on the runs that it has.

Beside the socket all runners share one page of memory with the pool, in which each has its status: the key
of the run that it executes, a number that is 0 between runs and new for each run, and how many HTTP requests
a run that serves has answered, and how many of them failed. The status outlives its writer, so the pool knows
whose guest killed a runner; and it costs nothing to write.
"""

import mmap
import struct
from collections.abc import Iterator

import msgspec

from propeller.runtime.guest_run import Compiling, Ended, GuestRun, Piece, Up

#: An order to the fork server: ``SPAWN`` or ``KILL``, and the runner's place.
order = struct.Struct("<ci")
#: A report of its: the place of a runner that died, and its status from ``waitpid``.
report = struct.Struct("<ii")
SPAWN, KILL = b"s", b"k"

_LENGTH_BYTES = 4
_WORD_BYTES = 8
_WORDS = 4


class Hand(msgspec.Struct, frozen=True, array_like=True, tag="hand"):
    """Runs to execute, after those that the runner has already."""

    runs: list[GuestRun]


class TakeBack(msgspec.Struct, frozen=True, array_like=True, tag="take back"):
    """Give back the runs that were not begun."""


class Stop(msgspec.Struct, frozen=True, array_like=True, tag="stop"):
    """End this run, begun or not."""

    key: int


class Ready(msgspec.Struct, frozen=True, array_like=True, tag="ready"):
    """The runner is up."""

    pid: int


class Report(msgspec.Struct, frozen=True, array_like=True, tag="report"):
    """Runs that ended, and what guests printed before."""

    ended: list[Ended]
    pieces: list[Piece] = []
    up: list[Up] = []
    compiling: list[Compiling] = []


class Returned(msgspec.Struct, frozen=True, array_like=True, tag="returned"):
    """The runs taken back, in their order; they were not begun and will not be."""

    keys: list[int]


ToRunner = Hand | TakeBack | Stop
ToPool = Ready | Report | Returned

_encoder = msgspec.msgpack.Encoder()
to_runner: msgspec.msgpack.Decoder[ToRunner] = msgspec.msgpack.Decoder(ToRunner)
to_pool: msgspec.msgpack.Decoder[ToPool] = msgspec.msgpack.Decoder(ToPool)


def framed(message: ToRunner | ToPool) -> bytes:
    body = _encoder.encode(message)
    return len(body).to_bytes(_LENGTH_BYTES) + body


class Frames:
    """Cuts a stream of bytes into the bodies of frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the bodies that are complete now; to be iterated to its end."""
        self._buffer += data
        begin = 0
        while len(self._buffer) - begin >= _LENGTH_BYTES:
            end = begin + _LENGTH_BYTES + int.from_bytes(self._buffer[begin : begin + _LENGTH_BYTES])
            if len(self._buffer) < end:
                break
            yield bytes(self._buffer[begin + _LENGTH_BYTES : end])
            begin = end
        del self._buffer[:begin]


class RunnerStatus:
    """One runner's status: four words of 64 bits in the shared page, written by it and read by the pool."""

    def __init__(self, page: mmap.mmap, place: int) -> None:
        self._words = memoryview(page).cast("q")[_WORDS * place : _WORDS * (place + 1)]

    def begin(self, key: int, number: int) -> None:
        """Set the key before the number: the number says that the key holds."""
        self._words[2] = self._words[3] = 0
        self._words[0] = key
        self._words[1] = number

    def count(self, requests: int, errors: int) -> None:
        """Say what the run that serves has had to do so far."""
        self._words[2], self._words[3] = requests, errors

    @property
    def counted(self) -> tuple[int, int]:
        """Requests, and those of them that went wrong."""
        return self._words[2], self._words[3]

    def end(self) -> None:
        self._words[1] = 0

    @property
    def number(self) -> int:
        """The number of the run that is executed now; 0 when none is."""
        return self._words[1]

    @property
    def key(self) -> int | None:
        """The key of the run that is executed now."""
        return self._words[0] if self._words[1] else None


def page_bytes(places: int) -> int:
    """Size of a page with the status of this many runners."""
    return max(_WORDS * places * _WORD_BYTES, mmap.PAGESIZE)
