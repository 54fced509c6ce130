"""A watchdog for the run that a process executes: its deadline, and what happens when it is interrupted.

An interruption first advances the engine's epoch, which ends a guest that computes. It does not end a guest
that blocks in a call of the host, nor a compilation: a little later the process itself has to end.
"""

import time
from collections.abc import Callable

import wasmtime

from propeller.runtime import failures
from propeller.runtime.guest_run import SERVER_GRACE_S, Ended, GuestRun, Limits, compile_ns_of
from propeller.runtime.runner.guest import Halt

_NEVER = float("inf")
#: How long a guest may go on after its interruption.
_GRACE_S = 0.05


class Watchdog:
    """Watches one run; all methods that change it are called under the runner's lock."""

    #: Runs that take longer than this are watched; quick ones must not pay for it.
    LONG_MS = 20.0

    def __init__(self, run: GuestRun, limits: Limits) -> None:
        self.run = run
        self.limits = limits
        self.halt = Halt.NONE
        self.is_running = False
        self._began = time.monotonic()
        self._deadline = _NEVER
        #: When the process has to end.
        self._end = _NEVER
        #: Size of the module that is compiled now; 0 for none.
        self.compiled_bytes = 0
        self._started_ns = 0
        self._engine: wasmtime.Engine | None = None
        self._on_interrupt: Callable[[], None] = lambda: None

    def begin_compiling(self, size_bytes: int) -> None:
        """Start the time in which a module of this size has to be compiled."""
        self.compiled_bytes = size_bytes
        self._deadline = self._end = time.monotonic() + compile_ns_of(self.limits, size_bytes) / 1e9

    def begin_running(self, engine: wasmtime.Engine) -> None:
        """Start the run's own time; an interruption from now on advances this engine's epoch."""
        self.compiled_bytes = 0
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

    def next_due_ms(self) -> float | None:
        """Give the time until the next deadline; None where there is none."""
        if not self.is_running:
            return self.LONG_MS  # it may be compiled any moment, and has another deadline then
        due = self._end if self.halt else min(self._deadline, self._end)
        return None if due == _NEVER else max((due - time.monotonic()) * 1e3, 0.0) + 1

    def interrupt(self, halt: Halt) -> None:
        """Interrupt the guest, for this reason; later interruptions mean nothing."""
        if not self.halt:
            # IMPORTANT: first the reason, then the epoch; execute() sets its deadline before it asks.
            self.halt = halt
            self._end = time.monotonic() + (SERVER_GRACE_S if self.run.port else _GRACE_S)
            self._on_interrupt()
            if self._engine is not None:
                self._engine.increment_epoch()

    def on_interrupt(self, end: Callable[[], None]) -> None:
        """Have an interruption call this too, from whichever thread it comes."""
        self._on_interrupt = end
        if self.halt:
            end()

    def check(self) -> Halt | None:
        """Interrupt a run beyond its deadline; give the reason why the process has to end, or None."""
        now = time.monotonic()
        if now >= self._deadline and not self.halt:
            self.interrupt(Halt.TIMEOUT)
            if self.compiled_bytes:
                self._end = now
        return self.halt if self.halt and now >= self._end else None

    def ended_with_process(self) -> Ended:
        """Give the end of the run that ends with its process."""
        match self.halt:
            case Halt.STOP:
                failure = failures.STOPPED
            case Halt.OUTPUT:
                failure = failures.of_output(self.limits)
            case _ if self.compiled_bytes:
                failure = failures.of_compilation(self.limits, self.compiled_bytes)
            case _:
                failure = failures.of_time(self.limits)
        finished_ns = time.time_ns() if self._started_ns else 0
        is_stopped = self.halt is Halt.STOP
        return Ended(self.run.key, "", failure, self._started_ns, finished_ns, is_stopped)
