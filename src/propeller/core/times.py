"""Moments, and the times of runs by the manager's clock."""

import msgspec

from propeller.core.events import RunEnded
from propeller.core.model import Task


class Moment(msgspec.Struct, frozen=True):
    """The time at which a turn is taken."""

    #: The time that people see, ns since the Unix epoch; it never runs backwards.
    now: int
    #: The monotonic clock, ns. Leases, drains and repetitions go by it, because the other one may be set.
    ticks: int
    #: For how long the manager stood still just before, ns: it could read nothing of what arrived.
    paused_ns: int = 0
    #: The machine's own time, ns since the epoch, which may be set to anything; 0 where it is as ``now``.
    #: Schedules go by it.
    wall: int = 0


def in_words(ns: int) -> str:
    """Write a duration for people: ``1h30m``, ``2.5s``."""
    minutes, seconds = divmod(ns / 1e9, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [
        (f"{hours}h", hours),
        (f"{minutes}m", minutes),
        (f"{seconds:.3f}".rstrip("0").rstrip(".") + "s", seconds),
    ]
    return "".join(text for text, value in parts if value) or "0s"


def own_times(task: Task, event: RunEnded, now: int) -> tuple[int, int]:
    """Give the start and the end of a run by the manager's clock, ns.

    The proplet's clock may be wrong. Its times are taken if they are possible. Otherwise only the duration is
    taken, and the run ended when its report arrived. The manager's clock may be wrong too: one that was set
    back before a restart shows less than the stored begin.
    """
    now = max(now, task.placed_at)
    if not event.finished_at:
        return task.placed_at, now
    if task.placed_at <= event.started_at <= event.finished_at <= now:
        return event.started_at, event.finished_at
    took = max(event.finished_at - event.started_at, 0)
    return max(task.placed_at, now - took), now
