"""What one call of a guest has of the host.

A call runs in one thread, and the host's functions find its session there. Other threads may feed it (bodies
that arrive) and cancel it: all waits of a session are on one condition, and none outlasts its deadline.
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from propeller.core.sandbox import Grants
from propeller.runtime.system.directories import Given
from propeller.runtime.wasi.clocks import Sources

#: More of them at once are refused: the host's memory is not the guest's.
_THINGS_MAX = 10_000

T = TypeVar("T")
_local = threading.local()


class Opened(Protocol):
    """Something of the system that has to be given back."""

    def release(self) -> None: ...


class Cancelled(Exception):
    """Somebody wants the call to end, or its time is up."""


class Exited(Exception):
    """The guest has asked to end."""

    def __init__(self, *, is_ok: bool) -> None:
        super().__init__("the guest has ended itself")
        self.is_ok = is_ok


class Session:
    """One call; see the module's text for who may do what."""

    def __init__(
        self,
        *,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        grants: Grants | None = None,
        dirs: Sequence[Given] = (),
        on_stdout: Callable[[bytes], None] = lambda _: None,
        on_stderr: Callable[[bytes], None] = lambda _: None,
        deadline: float | None = None,
    ) -> None:
        """Begin a call.

        Args:
            args: Arguments of a program.
            env: Its environment.
            grants: None for nothing.
            dirs: The directories that it finds; open until its end.
            on_stdout: Gets what it prints.
            on_stderr: Likewise.
            deadline: When it has to be over, by the monotonic clock, s; None for never.

        """
        self.args = args
        self.env = env or {}
        self.grants = grants or Grants()
        self.dirs = dirs
        #: What of the system the guest has open. Closed by the call's own thread alone: such numbers are used
        #: anew, and another's file might have it by the time that this thread reads.
        self.files: set[Opened] = set()
        self.on_stdout = on_stdout
        self.on_stderr = on_stderr
        self.sources = Sources(self.grants)
        self.condition = threading.Condition()
        #: What a function of the host raised; the guest was ended by it.
        self.failure: BaseException | None = None
        #: Requests to other servers that are under way.
        self.exchanges = 0
        self._deadline = deadline
        self._is_cancelled = False
        self._things: dict[int, Any] = {}
        self._last = 0
        self._enders: list[Callable[[], None]] = []

    # -- things that the guest holds -----------------------------------------------------------------------

    def add(self, thing: object) -> int:
        """Take in a thing; return the number that the guest will know it by."""
        if len(self._things) >= _THINGS_MAX:
            raise Cancelled(f"the guest holds more than {_THINGS_MAX} resources at once")
        self._last += 1
        self._things[self._last] = thing
        return self._last

    def get(self, number: int, kind: type[T]) -> T:
        thing = self._things[number]
        assert isinstance(thing, kind)
        return thing

    def take(self, number: int, kind: type[T]) -> T:
        """Give a thing that the guest has given away."""
        thing = self._things.pop(number)
        assert isinstance(thing, kind)
        return thing

    def drop(self, number: int) -> None:
        """Forget a thing that the guest does not want any more; one that has a ``dropped`` is told."""
        dropped = getattr(self._things.pop(number, None), "dropped", None)
        if dropped is not None:
            dropped()

    # -- waiting -------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """End all waits, from any thread; the guest is ended by the first that it waits for."""
        with self.condition:
            self._is_cancelled = True
            enders, self._enders = self._enders, []
            self.condition.notify_all()
        for end in enders:
            end()

    def at_end(self, end: Callable[[], None]) -> None:
        """Have something done when the call is cancelled or over; at once, if it is."""
        with self.condition:
            if not self._is_cancelled:
                self._enders.append(end)
                return
        end()

    def not_at_end(self, end: Callable[[], None]) -> None:
        with self.condition, contextlib.suppress(ValueError):
            self._enders.remove(end)

    @property
    def is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    @property
    def remaining_s(self) -> float:
        """Seconds until it has to be over."""
        return math.inf if self._deadline is None else max(self._deadline - time.monotonic(), 0.001)

    def wake(self) -> None:
        """Let those who wait look again, from any thread."""
        with self.condition:
            self.condition.notify_all()

    def wait(self, is_over: Callable[[], bool], until: float | None = None) -> None:
        """Wait until something is so, or a time of the monotonic clock has come.

        Raises:
            Cancelled: The call was cancelled, or its own time is up.

        """
        times = [at for at in (until, self._deadline) if at is not None]
        with self.condition:
            while True:
                now = time.monotonic()
                if self._is_cancelled or (self._deadline is not None and now >= self._deadline):
                    raise Cancelled("the call was ended")
                if is_over() or (until is not None and now >= until):
                    return
                self.condition.wait(min(times) - now if times else None)

    @contextlib.contextmanager
    def in_this_thread(self) -> Iterator[None]:
        """Let functions of the host find this session; with it ends all that the guest has begun."""
        _local.session = self
        try:
            yield
        finally:
            _local.session = None
            self.cancel()
            for file in list(self.files):
                file.release()


def current() -> Session:
    """Return the session of the call in this thread."""
    session = _local.session
    assert isinstance(session, Session)
    return session
