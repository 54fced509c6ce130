"""Watches the run that a process executes: how long it takes, and whether an interruption ends it.

An interruption first advances the engine's epoch, which ends a guest that computes. One that blocks in a call
of the host, or a compilation, is not ended by that; a little later the process itself has to go.
"""

import time
from collections.abc import Callable

import wasmtime

from propeller.runtime import failures
from propeller.runtime.guest_run import SERVER_GRACE_S, Ended, GuestRun, Limits
from propeller.runtime.runner.guest import STOPPED, Halt

_NEVER = float("inf")
#: For how long a guest may survive its interruption.
_GRACE_S = 0.05


class Watchdog:
    """One run; all methods that change it are called under the runner's lock."""

    #: A run that takes longer is watched: quick ones must not pay for it.
    LONG_MS = 20.0

    def __init__(self, run: GuestRun, limits: Limits) -> None:
        self.run = run
        self.limits = limits
        self.halt = Halt.NONE
        self.is_running = False
        self._began = time.monotonic()
        self._deadline = _NEVER
        #: When the process has to go.
        self._end = _NEVER
        self._is_compiling = False
        self._started_ns = 0
        self._engine: wasmtime.Engine | None = None
        self._also: Callable[[], None] = lambda: None

    def compiles(self) -> None:
        self._is_compiling = True
        self._deadline = self._end = time.monotonic() + self.limits.compile_ns / 1e9

    def runs(self, engine: wasmtime.Engine) -> None:
        """Begin to run; an interruption from now on advances this engine's epoch."""
        self._is_compiling = False
        self._engine = engine
        self._started_ns = time.time_ns()
        timeout_ns = self.limits.timeout_ns
        self._deadline = time.monotonic() + timeout_ns / 1e9 if timeout_ns else _NEVER
        if not self.halt:
            self._end = _NEVER
        self.is_running = True

    @property
    def is_long(self) -> bool:
        return time.monotonic() - self._began >= 0.9 * self.LONG_MS / 1e3

    def patience_ms(self) -> float | None:
        """Say until when nothing is due."""
        if not self.is_running:
            return self.LONG_MS  # it may be compiled any moment, and has another deadline then
        due = self._end if self.halt else min(self._deadline, self._end)
        return None if due == _NEVER else max((due - time.monotonic()) * 1e3, 0.0) + 1

    def interrupt(self, halt: Halt) -> None:
        """End the guest, for this reason."""
        if not self.halt:
            # IMPORTANT: first the word, then the epoch; execute() asks for it after its deadline is set.
            self.halt = halt
            self._end = time.monotonic() + (SERVER_GRACE_S if self.run.port else _GRACE_S)
            self._also()
            if self._engine is not None:
                self._engine.increment_epoch()

    def also_by(self, end: Callable[[], None]) -> None:
        """Have an interruption call this as well, from whichever thread it comes."""
        self._also = end
        if self.halt:
            end()

    def look(self) -> Halt | None:
        """Interrupt what has run too long; say why the process has to go, None if it has not."""
        now = time.monotonic()
        if now >= self._deadline and not self.halt:
            self.interrupt(Halt.TIMEOUT)
            if self._is_compiling:
                self._end = now
        return self.halt if self.halt and now >= self._end else None

    def given_up(self) -> Ended:
        """Say how the run ended that is ended together with its process."""
        match self.halt:
            case Halt.STOP:
                error = STOPPED
            case Halt.OUTPUT:
                error = failures.of_output(self.limits)
            case _ if self._is_compiling:
                error = failures.of_compilation(self.limits)
            case _:
                error = failures.of_time(self.limits)
        finished_ns = time.time_ns() if self._started_ns else 0
        is_stopped = self.halt is Halt.STOP
        return Ended(self.run.key, "", error, self._started_ns, finished_ns, is_stopped)
