"""Moments and the times of runs, and whose clock they go by."""

import msgspec

from propeller.core.events import RunEnded
from propeller.core.model import Task


class Moment(msgspec.Struct, frozen=True):
    """When a turn is taken."""

    #: The time that people see, ns since the Unix epoch; it never runs backwards.
    now: int
    #: The monotonic clock, ns: what leases, drains and repetitions go by, whatever is done to the other one.
    ticks: int
    #: For how long the manager stood still just before, ns: it could read nothing of what arrived.
    paused_ns: int = 0


def own_times(task: Task, event: RunEnded, now: int) -> tuple[int, int]:
    """When a run began and ended, by this manager's clock.

    The proplet's clock may be wrong. Where it says what can be, it is believed; else only how long the run
    took, and that it ended when we heard of it.
    """
    if not event.finished_at:
        return task.placed_at, now
    if task.placed_at <= event.started_at <= event.finished_at <= now:
        return event.started_at, event.finished_at
    took = max(event.finished_at - event.started_at, 0)
    return max(task.placed_at, now - took), now
