"""One call of a guest on Propeller's own WASI: its resources, its waits and its end.

A call runs in one thread, in which the host's functions find its session. Other threads may feed it (bodies
that arrive) and cancel it: all waits of a session are on one condition, and none outlasts its deadline.
"""

import contextlib
import io
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from propeller.core.sandbox import Grants
from propeller.runtime.guest_run import Trust
from propeller.runtime.system.directories import Given
from propeller.runtime.wasi.clocks import Sources

#: How many resources a guest may hold: they are in the host's memory.
_RESOURCES_MAX = 10_000

T = TypeVar("T")
_local = threading.local()


class Opened(Protocol):
    """A descriptor of the system that has to be closed."""

    def release(self) -> None: ...


class Cancelled(Exception):
    """The call was cancelled, or its time is up."""


class Exited(Exception):
    """The guest ended itself."""

    def __init__(self, code: int | None) -> None:
        super().__init__("the guest has ended itself")
        #: None for an error without a code.
        self.code = code

    @property
    def is_ok(self) -> bool:
        return self.code == 0


class Session:
    """One call; the module's text says which thread may do what."""

    def __init__(
        self,
        *,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        grants: Grants | None = None,
        trust: Trust | None = None,
        dirs: Sequence[Given] = (),
        stdin: bytes = b"",
        on_stdout: Callable[[bytes], None] = lambda _: None,
        on_stderr: Callable[[bytes], None] = lambda _: None,
        deadline: float | None = None,
    ) -> None:
        """Begin a call.

        Args:
            args: Arguments of a program.
            env: Its environment.
            grants: Its grants; None for none.
            trust: The certificates that it accepts; None for those of the system.
            dirs: Its directories, open until its end.
            stdin: Its standard input.
            on_stdout: Gets its standard output.
            on_stderr: Gets its standard error.
            deadline: The latest time of its end, by the monotonic clock, s; None for none.

        """
        self.args = args
        self.env = env or {}
        self.grants = grants or Grants()
        self.trust = trust or Trust()
        self.dirs = dirs
        #: Descriptors that the guest has open. Only the call's own thread closes them: numbers of descriptors
        #: are used again, and this thread might read another's file.
        self.files: set[Opened] = set()
        self.stdin = io.BytesIO(stdin)
        self.on_stdout = on_stdout
        self.on_stderr = on_stderr
        self.sources = Sources(self.grants)
        self.condition = threading.Condition()
        #: The error of a function of the host that ended the guest.
        self.failure: BaseException | None = None
        #: Requests to other servers that are under way.
        self.exchanges = 0
        self._deadline = deadline
        self._is_cancelled = False
        self._resources: dict[int, Any] = {}
        self._last = 0
        self._enders: list[Callable[[], None]] = []

    # -- resources of the guest ----------------------------------------------------------------------------

    def add(self, resource: object) -> int:
        """Add a resource; return the number under which the guest knows it."""
        if len(self._resources) >= _RESOURCES_MAX:
            raise Cancelled(f"the guest holds more than {_RESOURCES_MAX} resources at once")
        self._last += 1
        self._resources[self._last] = resource
        return self._last

    def get(self, number: int, kind: type[T]) -> T:
        resource = self._resources[number]
        assert isinstance(resource, kind)
        return resource

    def take(self, number: int, kind: type[T]) -> T:
        """Remove a resource that the guest gave away, and return it."""
        resource = self._resources.pop(number)
        assert isinstance(resource, kind)
        return resource

    def drop(self, number: int) -> None:
        """Remove a resource that the guest dropped; calls its ``dropped``, if it has one."""
        dropped = getattr(self._resources.pop(number, None), "dropped", None)
        if dropped is not None:
            dropped()

    # -- waiting -------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """End all waits, from any thread; the guest ends at its first wait after that."""
        with self.condition:
            self._is_cancelled = True
            enders, self._enders = self._enders, []
            self.condition.notify_all()
        for end in enders:
            end()

    def at_end(self, end: Callable[[], None]) -> None:
        """Call a function when the call is cancelled or over; at once, if it is."""
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
        """Seconds until the deadline."""
        return math.inf if self._deadline is None else max(self._deadline - time.monotonic(), 0.001)

    def wake(self) -> None:
        """Let all waits check their condition again, from any thread."""
        with self.condition:
            self.condition.notify_all()

    def wait(self, is_over: Callable[[], bool], until: float | None = None) -> None:
        """Wait until a condition holds, or for a time of the monotonic clock, s.

        Raises:
            Cancelled: The call was cancelled, or its deadline has passed.

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
        """Make this the session of functions of the host; all that the guest has begun ends with it."""
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
