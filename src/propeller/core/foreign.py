"""What foreign proplets were told to run: they acknowledge nothing, and say nothing of what they hold.

A start is repeated a few times while nothing shows that it was heard; such a proplet ignores the repetition
of what it runs. What it gives no result of within a lease is taken for lost. All here goes by the time in
which it could have been heard (``Watch.remote_clock``).
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

import msgspec

from propeller.core.effects import SendStop
from propeller.core.model import Proplet, Task

if TYPE_CHECKING:
    from propeller.core.cluster import Cluster

#: How often a start is repeated; each time after three times as long as before.
REPEATS_MAX = 3


class _Start(msgspec.Struct, kw_only=True, eq=False):
    proplet: Proplet
    task: Task
    attempt: int
    lease_ends: int
    repeat_after_ns: int
    repeats: int = 0
    #: When something is next to be done about it.
    due: int = 0


class ForeignWork:
    """Starts that have no result yet, by when something is to be done about them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._by_task: dict[tuple[str, str], _Start] = {}
        self._due: list[tuple[int, int, _Start]] = []
        self._pushes = 0

    def manager_started(self, proplet: Proplet, now: int) -> None:
        """Go on with the leases of what a foreign proplet was given before."""
        if proplet.is_ours:
            return
        for task_id in proplet.placed:
            task = self._cluster.tasks[task_id]
            self._given(proplet, task, gone_ns=max(now - task.placed_on(proplet.id), 0))

    def given(self, proplet: Proplet, task: Task) -> None:
        """Note that a foreign proplet is told to run a task: it may never hear of it."""
        before = self._by_task.get((proplet.id, task.id))
        if before is None or before.attempt != task.attempt_on(proplet.id):
            self._given(proplet, task, gone_ns=0)

    def heard_of(self, proplet_id: str, task_id: str) -> None:
        """Note that a foreign proplet said something of what it runs: it was told, then."""
        start = self._by_task.get((proplet_id, task_id))
        if start is not None:
            start.repeats = REPEATS_MAX
            self._push(start.lease_ends, start)

    def time_passed(self, now: int) -> None:
        watch = self._cluster.watch
        while watch.may_judge_remote() and self._due and self._due[0][0] <= watch.remote_clock():
            due, _, start = heappop(self._due)
            if due == start.due and self._waits_for(start):
                self._overdue(start, now)

    def _given(self, proplet: Proplet, task: Task, *, gone_ns: int) -> None:
        policy = self._cluster.policy
        lease_ns, repeat_ns = int(policy.foreign_lease_s * 1e9), int(policy.resend_s * 1e9)
        clock = self._cluster.watch.remote_clock()
        start = _Start(
            proplet=proplet,
            task=task,
            attempt=task.attempt_on(proplet.id),
            lease_ends=clock + max(lease_ns - gone_ns, 0),
            repeat_after_ns=repeat_ns,
        )
        self._by_task[proplet.id, task.id] = start
        self._push(clock + repeat_ns, start)

    def _push(self, due: int, start: _Start) -> None:
        self._pushes += 1
        start.due = min(due, start.lease_ends)
        heappush(self._due, (start.due, self._pushes, start))

    def _waits_for(self, start: _Start) -> bool:
        """Say whether this is still what the proplet was told last, and is to do; forget it if not."""
        key = (start.proplet.id, start.task.id)
        if self._by_task.get(key) is not start:
            return False
        is_there = self._cluster.current(*key, start.attempt) is start.task
        if not is_there:
            del self._by_task[key]
        return is_there

    def _overdue(self, start: _Start, now: int) -> None:
        proplet, task = start.proplet, start.task
        if start.due == start.lease_ends:
            del self._by_task[proplet.id, task.id]
            # Of a latent task it never says anything, and of one that is up only when it ends.
            if not task.is_up and not task.spec.latent:
                self._lease_is_over(start, now)
            return
        if start.repeats < REPEATS_MAX:
            start.repeats += 1
            start.repeat_after_ns *= 3
            self._cluster.send_start(task, proplet)
        is_last = start.repeats >= REPEATS_MAX
        again_at = self._cluster.watch.remote_clock() + start.repeat_after_ns
        self._push(start.lease_ends if is_last else again_at, start)

    def _lease_is_over(self, start: _Start, now: int) -> None:
        proplet, lease_s = start.proplet, self._cluster.policy.foreign_lease_s
        self._cluster.effects.append(SendStop(proplet.id, start.task.id, start.attempt, is_ours=False))
        why = f"proplet {proplet.name}, which acknowledges nothing, sent no result within {lease_s:g} s"
        self._cluster.lose_on(proplet, start.task, why, now)
