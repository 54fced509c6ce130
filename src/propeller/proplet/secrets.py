"""The secrets of runs: opened when a run begins, and masked in all that leaves the proplet.

Values are here only in memory, and only while the run goes on.
"""

from collections.abc import Iterable, Iterator

import msgspec

from propeller.core.failures import Failure
from propeller.proplet.actions import StartRun
from propeller.runtime.guest_run import Ended, Piece, Stream, Up
from propeller.vault.masking import MASK, Mask, MaskedStream
from propeller.vault.sealing import Opener, about_attempt

#: A piece of logs has no more.
_PIECE_BYTES = 64 * 1024


class _Run:
    """The values of one run, as far as it has printed."""

    def __init__(self, values: Iterable[str]) -> None:
        self.mask = Mask(values)
        self.streams: dict[Stream, MaskedStream] = {}
        #: The last piece of each stream.
        self.last: dict[Stream, Piece] = {}


class RunSecrets:
    """The secrets of all runs of a proplet."""

    def __init__(self, proplet_id: str, opener: Opener) -> None:
        self._proplet_id = proplet_id
        self._opener = opener
        self._runs: dict[int, _Run] = {}

    def open(self, action: StartRun) -> dict[str, str]:
        """Give the variables of a run that are secrets, and mask their values; raise ``CannotOpen``."""
        start = action.start
        if not start.sealed:
            return {}
        about = about_attempt(self._proplet_id, start.id, start.attempt or 0, start.placed_at or 0)
        values = self._opener.open(start.sealed, about)
        self._runs[action.key] = _Run(values.values())
        return values

    def forget(self, key: int) -> None:
        """Mask no more of a run: nothing of it is heard any more."""
        self._runs.pop(key, None)

    def printed(self, pieces: list[Piece]) -> list[Piece]:
        """Mask what guests print; what may be the begin of a value is held back."""
        if not self._runs:
            return pieces
        return [masked for piece in pieces for masked in self._masked(piece)]

    def _masked(self, piece: Piece) -> Iterator[Piece]:
        run = self._runs.get(piece.key)
        if run is None:
            yield piece
            return
        stream = run.streams.setdefault(piece.stream, MaskedStream(run.mask))
        run.last[piece.stream] = piece
        data = stream.take(piece.data)
        if piece.is_cut and stream.holds_some:  # the rest is dropped, so nobody knows whether it was one
            data += MASK.encode()
        yield from _pieces(piece, data)

    def rest(self, ended: Iterable[Ended]) -> list[Piece]:
        """Give what was held back of runs that have ended."""
        return [
            piece
            for one in ended
            if (run := self._runs.get(one.key)) is not None
            for stream, masked in run.streams.items()
            if not run.last[stream].is_cut
            for piece in _pieces(run.last[stream], masked.take(b"", is_last=True))
        ]

    def ended(self, ended: Ended) -> Ended:
        """Mask the results and the error of a run, and forget it."""
        run = self._runs.pop(ended.key, None)
        if run is None:
            return ended
        failure = ended.failure
        if failure is not None:
            failure = Failure(run.mask.parts(failure.error), failure.kind, failure.exit_code)
        results = run.mask.whole(ended.results)  # text, or bytes
        return msgspec.structs.replace(ended, results=results, failure=failure)

    def up(self, up: Up) -> Up:
        """Mask the address at which a guest says that it serves."""
        run = self._runs.get(up.key)
        return up if run is None else msgspec.structs.replace(up, results=run.mask.whole(up.results))


def _pieces(like: Piece, data: bytes) -> Iterator[Piece]:
    """Make pieces of what is given of a stream, each small enough and of whole characters."""
    begin = 0
    while begin < len(data) or (like.is_cut and begin == 0):
        end = min(begin + _PIECE_BYTES, len(data))
        while begin < end < len(data) and data[end] & 0xC0 == 0x80 and end > begin + _PIECE_BYTES - 4:
            end -= 1
        yield msgspec.structs.replace(like, data=data[begin:end], is_cut=like.is_cut and end == len(data))
        if end == len(data):
            return
        begin = end
