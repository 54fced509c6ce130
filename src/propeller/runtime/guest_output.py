"""Output of a guest as far as it is kept, and the log pieces that it is told in.

One stream may be the result: it is kept up to a limit, and a guest that prints more has failed. The others
are logs: kept up to a limit, and what comes after that is dropped.
"""

import time

from propeller.runtime.guest_run import Piece, Stream

_PIECE_BYTES = 64 * 1024
#: The end of standard error that is kept for the message of a failure.
TAIL_BYTES = 4096


class GuestOutput:
    """The output of one stream, from its begin on and as far as it is kept."""

    def __init__(self, name: Stream, *, is_result: bool = False, limit_bytes: int = 0) -> None:
        self.name = name
        self.begin(is_result=is_result, limit_bytes=limit_bytes)

    def begin(self, *, is_result: bool, limit_bytes: int) -> None:
        """Forget all that was there, for the next guest."""
        self.is_result = is_result
        self._limit_bytes = limit_bytes
        self.kept = bytearray()
        self.tail = b""
        self.is_over = False
        #: How much of ``kept`` has become pieces.
        self._told = 0

    def take(self, data: bytes) -> None:
        """Take in what comes next."""
        room = self._limit_bytes - len(self.kept)
        self.kept += data[:room]
        self.is_over |= len(data) > room
        self.tail = (self.tail + data[-TAIL_BYTES:])[-TAIL_BYTES:]

    def pieces(self, key: int, *, is_last: bool) -> list[Piece]:
        """Give what was not given before, in whole characters as far as there are any.

        What fills the limit waits for its last byte, until it is known whether it is cut there.
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
    """Move an end back to where a character begins, if it is in the middle of one (UTF-8: up to 4 bytes)."""
    for at in range(end - 1, max(begin, end - 4) - 1, -1):
        if data[at] & 0xC0 != 0x80:
            size = 1 if data[at] < 0x80 else 2 if data[at] < 0xE0 else 3 if data[at] < 0xF0 else 4
            return at if at + size > end else end
    return end
