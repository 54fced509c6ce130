"""Streams and pollables: ``wasi:io``."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from propeller.runtime.component.variants import Case, Err, Ok
from propeller.runtime.wasi.session import Session

#: How much a guest may write at once, and how much of a body waits until it reads.
CHUNK_BYTES = 64 * 1024
_SLEEP_NS_MAX = 2**62


class Problem:
    """An ``error`` of a stream."""

    def __init__(self, text: str, code: Case | None = None) -> None:
        self.text = text
        #: The code of ``wasi:http``, where the error is about HTTP.
        self.code = code


class Pollable:
    """Ready when a condition holds, or at a time of the monotonic clock, s."""

    def __init__(self, is_ready: Callable[[], bool] = lambda: False, at: float | None = None) -> None:
        self._is_ready = is_ready
        self.at = at

    def is_ready(self) -> bool:
        return self._is_ready() or (self.at is not None and time.monotonic() >= self.at)


class InputStream:
    """Bytes for a guest, from any thread; ``on_room`` tells that thread when the guest has read some."""

    def __init__(self, session: Session, on_room: Callable[[], None] = lambda: None) -> None:
        self._session = session
        self._on_room = on_room
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._is_closed = False
        #: The guest will not read the rest.
        self.is_abandoned = False
        self.problem: Problem | None = None

    @property
    def has_room(self) -> bool:
        return self._size < CHUNK_BYTES

    @property
    def is_ready(self) -> bool:
        return bool(self._chunks) or self._is_closed

    @property
    def is_at_end(self) -> bool:
        return self._is_closed and not self._chunks

    def put(self, chunk: bytes) -> None:
        with self._session.condition:
            if chunk and not self._is_closed:
                self._chunks.append(chunk)
                self._size += len(chunk)
            self._session.condition.notify_all()

    def close(self, problem: str = "", code: Case | None = None) -> None:
        """End the stream; with a problem the guest gets an error."""
        with self._session.condition:
            self._is_closed = True
            if problem and self.problem is None:
                self.problem = Problem(problem, code)
            self._session.condition.notify_all()

    def dropped(self) -> None:
        """Discard the rest."""
        with self._session.condition:
            self._is_closed = self.is_abandoned = True
            self._chunks.clear()
            self._size = 0
            self._session.condition.notify_all()
        self._on_room()

    def read(self, most: int) -> bytes:
        """Give up to so many bytes of what has arrived, perhaps none."""
        with self._session.condition:
            if not self._chunks or most <= 0:
                return b""
            chunk = self._chunks.popleft()
            if len(chunk) > most:
                self._chunks.appendleft(chunk[most:])
                chunk = chunk[:most]
            self._size -= len(chunk)
            self._session.condition.notify_all()
        self._on_room()
        return chunk


class StandardInput(InputStream):
    """The standard input of a call: all handles of it read on from where the last one stopped."""

    @property
    def is_ready(self) -> bool:
        return True

    @property
    def is_at_end(self) -> bool:
        stdin = self._session.stdin
        return stdin.tell() >= stdin.getbuffer().nbytes

    def read(self, most: int) -> bytes:
        return self._session.stdin.read(max(most, 0))


class OutputStream:
    """A stream that a guest writes; ``write`` may block until there is room."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, data: bytes) -> Any:
        try:
            self._write(data)
        except OSError:
            return Err(Case("closed"))
        return Ok()


def _end(session: Session, stream: InputStream) -> Any:
    if stream.problem is not None:
        return Err(Case("last-operation-failed", session.add(stream.problem)))
    return Err(Case("closed"))


def _read(session: Session, number: int, most: int) -> Any:
    stream = session.get(number, InputStream)
    data = stream.read(min(most, CHUNK_BYTES))
    return _end(session, stream) if not data and stream.is_at_end and most else Ok(data)


def _blocking_read(session: Session, number: int, most: int) -> Any:
    stream = session.get(number, InputStream)
    session.wait(lambda: stream.is_ready)
    return _read(session, number, most)


def _skipped(result: Any) -> Any:
    return Ok(len(result.value)) if isinstance(result, Ok) else result


def _write(session: Session, number: int, data: bytes) -> Any:
    return session.get(number, OutputStream).write(data)


def _splice(session: Session, number: int, source: int, most: int) -> Any:
    read = _blocking_read(session, source, most)
    if isinstance(read, Err):
        return read
    written = _write(session, number, read.value)
    return Ok(len(read.value)) if isinstance(written, Ok) else written


def _poll(session: Session, numbers: list[int]) -> list[int]:
    if not numbers:
        raise ValueError("poll was called with nothing to wait for")
    pollables = [session.get(number, Pollable) for number in numbers]
    times = [pollable.at for pollable in pollables if pollable.at is not None]
    session.wait(lambda: any(p.is_ready() for p in pollables), min(times, default=None))
    return [index for index, pollable in enumerate(pollables) if pollable.is_ready()]


def subscribe_at(session: Session, at_ns: int) -> int:
    """Make a pollable that is ready at a time of the monotonic clock, ns."""
    return session.add(Pollable(at=min(at_ns, _SLEEP_NS_MAX) / 1e9))


def _subscribe_to_input(session: Session, number: int) -> int:
    stream = session.get(number, InputStream)
    return session.add(Pollable(lambda: stream.is_ready))


def _always(session: Session, _number: int) -> int:
    return session.add(Pollable(lambda: True))


FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "wasi:io/error": {
        "[method]error.to-debug-string": lambda session, number: session.get(number, Problem).text,
    },
    "wasi:io/poll": {
        "[method]pollable.ready": lambda session, number: session.get(number, Pollable).is_ready(),
        "[method]pollable.block": lambda session, number: _poll(session, [number]) and None,
        "poll": _poll,
    },
    "wasi:io/streams": {
        "[method]input-stream.read": _read,
        "[method]input-stream.blocking-read": _blocking_read,
        "[method]input-stream.skip": lambda *given: _skipped(_read(*given)),
        "[method]input-stream.blocking-skip": lambda *given: _skipped(_blocking_read(*given)),
        "[method]input-stream.subscribe": _subscribe_to_input,
        "[method]output-stream.check-write": lambda session, number: Ok(CHUNK_BYTES),
        "[method]output-stream.write": _write,
        "[method]output-stream.blocking-write-and-flush": _write,
        "[method]output-stream.flush": lambda session, number: Ok(),
        "[method]output-stream.blocking-flush": lambda session, number: Ok(),
        "[method]output-stream.subscribe": _always,
        "[method]output-stream.write-zeroes": lambda session, number, size: _write(
            session, number, bytes(min(size, CHUNK_BYTES))
        ),
        "[method]output-stream.blocking-write-zeroes-and-flush": lambda session, number, size: _write(
            session, number, bytes(min(size, CHUNK_BYTES))
        ),
        "[method]output-stream.splice": _splice,
        "[method]output-stream.blocking-splice": _splice,
    },
}
