"""A run that waits, or is executed, in a pool or an external runtime."""

import time

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
        return Ended(self.run.key, "", "the task was stopped", self.handed_ns, finished_ns, stopped=True)

    def killed(self, death: Death, *, stopped: bool) -> Ended:
        error = f"the process that ran it {death.how}"
        is_lost = death.is_from_outside and not stopped
        return Ended(self.run.key, "", error, self.handed_ns, time.time_ns(), stopped, is_lost=is_lost)
