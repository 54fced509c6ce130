"""Leases of tasks that foreign proplets run, in the order in which they are due.

A foreign proplet acknowledges nothing, and does not say which tasks it holds. A lease is due when its start
is to be repeated, or when it ends; ``leases`` has the rules. Times are those of the clock that runs while the
proplet could be heard (``silence.Silence.clock``), ns.
"""

from heapq import heappop, heappush

import msgspec

from propeller.core.model import Proplet, Task


class Lease(msgspec.Struct, kw_only=True, eq=False):
    """The lease of a foreign proplet on an attempt of a task."""

    proplet: Proplet
    task: Task
    attempt: int
    ends: int
    #: After how long the start is repeated next.
    repeat_after_ns: int
    repeats: int = 0
    #: When the start is to be repeated next, or the lease ends.
    due: int = 0

    @property
    def is_over(self) -> bool:
        """True if the end is what is due."""
        return self.due == self.ends


class Leases:
    """The running leases, by when they are due."""

    def __init__(self) -> None:
        self._by_task: dict[tuple[str, str], Lease] = {}
        self._due: list[tuple[int, int, Lease]] = []
        self._pushes = 0

    def get(self, proplet_id: str, task_id: str) -> Lease | None:
        return self._by_task.get((proplet_id, task_id))

    def begin(self, lease: Lease, due: int) -> None:
        """Take in a lease; it takes the place of an older one for the same task and proplet."""
        self._by_task[lease.proplet.id, lease.task.id] = lease
        self.put_off(lease, due)

    def put_off(self, lease: Lease, due: int) -> None:
        """Set when a lease is due next; at its end at the latest."""
        self._pushes += 1
        lease.due = min(due, lease.ends)
        heappush(self._due, (lease.due, self._pushes, lease))

    def drop(self, lease: Lease) -> None:
        del self._by_task[lease.proplet.id, lease.task.id]

    def pop_due(self, clock: int) -> Lease | None:
        """Take out the next lease that is due by now; None if there is none."""
        while self._due and self._due[0][0] <= clock:
            due, _, lease = heappop(self._due)
            if due == lease.due and self.get(lease.proplet.id, lease.task.id) is lease:
                return lease
        return None
