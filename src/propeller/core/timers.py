"""Timers: times at which a rule has something to do, though nothing may happen until then.

A timer costs nothing until it is due. Rules take out those of their kind as time passes. The time is that of
the clock that the owner of the timers names (``ClusterState.timers`` and ``alarms``), ns.
"""

from enum import Enum

from propeller.core.ranked import Ranked


class TimerOf(Enum):
    """The kind of a timer: whose it is, and what is due."""

    #: A task that failed is to be tried again.
    RETRY = "retry"
    #: A task has used up its time in all.
    DEADLINE = "deadline"
    #: A task has waited for a proplet for as long as it may.
    QUEUE = "queue"
    #: A workflow or job has used up its time.
    GROUP = "group"
    #: The schedule of a task, workflow or job.
    SCHEDULE = "schedule"


class Timers:
    """The timers that are set, at most one of each kind for each id."""

    def __init__(self) -> None:
        self._by_kind: dict[TimerOf, Ranked[str, str]] = {}

    def set(self, kind: TimerOf, owner_id: str, due: int) -> None:
        """Set a timer, or set it to another time."""
        self._by_kind.setdefault(kind, Ranked()).push(owner_id, due, owner_id)

    def drop(self, kind: TimerOf, owner_id: str) -> None:
        if kind in self._by_kind:
            self._by_kind[kind].leave(owner_id)

    def pop_due(self, kind: TimerOf, now: int) -> str | None:
        """Take out the timer of a kind that is due first, and by now; give its owner's id, or None."""
        head = self._by_kind[kind].head() if kind in self._by_kind else None
        if head is None or head[0] > now:
            return None
        self._by_kind[kind].leave(head[1])
        return head[1]

    def due(self, kind: TimerOf, owner_id: str) -> int | None:
        """Give the time of a timer; None if it is not set."""
        return self._by_kind[kind].rank(owner_id) if kind in self._by_kind else None

    def next_due(self) -> int | None:
        """Give the time of the timer that is due first; None if none is set."""
        first: int | None = None
        for timers in self._by_kind.values():
            head = timers.head()
            if head is not None and (first is None or head[0] < first):
                first = head[0]
        return first
