"""A run that waits, or is executed, in a pool or an external runtime."""

import time

from propeller.core.failures import ErrorKind, Failure
from propeller.runtime import failures
from propeller.runtime.guest_run import Ended, GuestRun
from propeller.runtime.system.death import Death


class QueuedRun:
    """A run, when it was submitted (the loop's clock, s) and when it was handed over (Unix epoch, ns)."""

    __slots__ = ("handed_ns", "run", "since")

    def __init__(self, run: GuestRun, since: float) -> None:
        self.run = run
        self.since = since
        self.handed_ns = 0

    def stopped(self) -> Ended:
        finished_ns = time.time_ns() if self.handed_ns else 0
        return Ended(self.run.key, "", failures.STOPPED, self.handed_ns, finished_ns, stopped=True)

    def killed(self, death: Death, *, stopped: bool) -> Ended:
        error = f"the process that ran it {death.how}"
        is_lost = death.is_from_outside and not stopped
        failure = Failure(error, ErrorKind.LOST if death.is_from_outside else ErrorKind.TRAP)
        return Ended(self.run.key, "", failure, self.handed_ns, time.time_ns(), stopped, is_lost=is_lost)
