"""Leases of tasks that foreign proplets run, in the order in which something is due about them.

A foreign proplet acknowledges nothing, and says nothing of what it holds. This file keeps when a lease is
due; ``leases`` has the rules for what is done then. Times are those of the clock that runs while the proplet
could be heard (``silence.Silence.clock``), ns.
"""

from heapq import heappop, heappush

import msgspec

from propeller.core.model import Proplet, Task


class Lease(msgspec.Struct, kw_only=True, eq=False):
    """How long a foreign proplet may have a task, and how often it was told to run it."""

    proplet: Proplet
    task: Task
    attempt: int
    ends: int
    #: After how long the start is repeated next.
    repeat_after_ns: int
    repeats: int = 0
    #: When something is next to be done about it.
    due: int = 0

    @property
    def is_over(self) -> bool:
        """Whether what is due is its end."""
        return self.due == self.ends


class Leases:
    """The leases that run, by when something is to be done about them."""

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
        """Say when something is next to be done about a lease: at its end, if that is before."""
        self._pushes += 1
        lease.due = min(due, lease.ends)
        heappush(self._due, (lease.due, self._pushes, lease))

    def drop(self, lease: Lease) -> None:
        del self._by_task[lease.proplet.id, lease.task.id]

    def pop_due(self, clock: int) -> Lease | None:
        """Take out the next lease about which something is to be done by now."""
        while self._due and self._due[0][0] <= clock:
            due, _, lease = heappop(self._due)
            if due == lease.due and self.get(lease.proplet.id, lease.task.id) is lease:
                return lease
        return None
