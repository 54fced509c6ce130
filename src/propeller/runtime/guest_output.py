"""The output of a guest as far as it is kept, and the pieces of its logs.

One stream may be the result: it is kept up to a limit, and a guest that prints more fails. The others are
logs: they are kept up to a limit, and the rest is dropped.
"""

import time

from propeller.runtime.guest_run import Piece, Stream

_PIECE_BYTES = 64 * 1024
#: How much of the end of a stream is kept, for the message of a failure.
TAIL_BYTES = 4096


class GuestOutput:
    """The output of one stream: its begin up to a limit, and its end."""

    def __init__(self, name: Stream, *, is_result: bool = False, limit_bytes: int = 0) -> None:
        self.name = name
        self.begin(is_result=is_result, limit_bytes=limit_bytes)

    def begin(self, *, is_result: bool, limit_bytes: int) -> None:
        """Forget everything, for the next guest."""
        self.is_result = is_result
        self._limit_bytes = limit_bytes
        self.kept = bytearray()
        self.tail = b""
        self.is_over = False
        #: How many bytes of ``kept`` have become pieces.
        self._told = 0

    def take(self, data: bytes) -> None:
        """Take in the next bytes."""
        room = self._limit_bytes - len(self.kept)
        self.kept += data[:room]
        self.is_over |= len(data) > room
        self.tail = (self.tail + data[-TAIL_BYTES:])[-TAIL_BYTES:]

    def pieces(self, key: int, *, is_last: bool) -> list[Piece]:
        """Give the bytes that were not given before, in whole characters where it is text.

        The last byte within the limit waits until it is known whether the output is cut there.
        """
        pieces = []
        is_last |= self.is_over
        known = len(self.kept) if is_last else min(len(self.kept), self._limit_bytes - 1)
        while self._told < known:
            end = min(self._told + _PIECE_BYTES, known)
            if end < known or not is_last:
                end = _border(self.kept, self._told, end)
            if end == self._told:
                break
            is_cut = self.is_over and end == known
            data = bytes(self.kept[self._told : end])
            pieces.append(Piece(key, self.name, data, time.time_ns(), is_cut))
            self._told = end
        return pieces


def _border(data: bytearray, begin: int, end: int) -> int:
    """Move an end that is inside a character back to its begin (UTF-8: up to 4 bytes)."""
    for at in range(end - 1, max(begin, end - 4) - 1, -1):
        if data[at] & 0xC0 != 0x80:
            size = 1 if data[at] < 0x80 else 2 if data[at] < 0xE0 else 3 if data[at] < 0xF0 else 4
            return at if at + size > end else end
    return end
