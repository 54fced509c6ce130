"""The standard output and standard error of guests, each through a pipe.

A pipe costs less than a file, and a third of a callback from the guest into Python. It is read when the guest
has ended; while a guest runs for long, a second thread empties it (``drain``), so that a guest that prints
much is never held up, and its output can be followed.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable

from propeller.runtime.guest_output import GuestOutput
from propeller.runtime.guest_run import Limits, Piece, Stream

_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031


class _Pipe(GuestOutput):
    """One stream of this process, for one guest after the other."""

    def __init__(self, name: Stream) -> None:
        super().__init__(name)
        self.source, self._sink = os.pipe()
        os.set_blocking(self.source, False)
        with contextlib.suppress(OSError):  # the system allows less: it is drained more often
            fcntl.fcntl(self._sink, _F_SETPIPE_SZ, _PIPE_BYTES)
        self.path = f"/proc/self/fd/{self._sink}"

    def read(self) -> None:
        """Take in the bytes in the pipe."""
        while True:
            try:
                data = os.read(self.source, _PIPE_BYTES)
            except BlockingIOError:
                return
            self.take(data)

    def write(self, data: bytes) -> None:
        """Write in a guest's place, for one on Propeller's own WASI."""
        while data:
            data = data[os.write(self._sink, data) :]

    def close(self) -> None:
        os.close(self.source)
        os.close(self._sink)


class Streams:
    """Both streams of this process, for one guest after the other."""

    def __init__(self, on_pieces: Callable[[list[Piece]], None] = lambda _: None) -> None:
        """Open the pipes; ``on_pieces`` gets logs, in the thread that reads them."""
        self._lock = threading.Lock()
        self._out, self._err = _Pipe("stdout"), _Pipe("stderr")
        self._on_pieces = on_pieces
        self._key = 0
        self.print_out, self.print_err = self._out.write, self._err.write
        self.stdout_path, self.stderr_path = self._out.path, self._err.path
        #: Descriptors that can be read when there is something to drain.
        self.sources = (self._out.source, self._err.source)

    def begin(self, key: int, limits: Limits, *, is_result: bool) -> None:
        """Begin with the next guest; ``is_result`` says that its standard output is its result."""
        with self._lock:
            self._key = key
            self._out.begin(
                is_result=is_result, limit_bytes=limits.output_bytes if is_result else limits.log_bytes
            )
            self._err.begin(is_result=False, limit_bytes=limits.log_bytes)

    def drain(self) -> bool:
        """Take in what was printed; say whether the result has exceeded its limit."""
        with self._lock:
            return self._drain()

    def _drain(self, *, is_last: bool = False) -> bool:
        pieces: list[Piece] = []
        for pipe in (self._out, self._err):
            pipe.read()
            if not pipe.is_result:
                pieces += pipe.pieces(self._key, is_last=is_last)
        if pieces:
            self._on_pieces(pieces)
        return self._out.is_result and self._out.is_over

    def end(self) -> tuple[bytes, bool, bytes]:
        """Take in the rest; give the result, whether it exceeds its limit, and the end of standard error."""
        with self._lock:
            is_over = self._drain(is_last=True)
            result = bytes(self._out.kept) if self._out.is_result else b""
            if is_over:
                # A guest without WASI begins no stream, and must not be held to what another has printed.
                self._out.begin(is_result=False, limit_bytes=0)
            return result, is_over, self._err.tail

    def close(self) -> None:
        self._out.close()
        self._err.close()
