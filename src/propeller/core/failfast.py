"""Fail-fast jobs and workflows: the first task that fails ends the others.

Tasks that run or queue are interrupted, and pending ones are skipped. Tasks that are there for failures too
(``conditions.is_spared``), and those that depend on one, are spared.
"""

from collections.abc import Iterable

from propeller.core import attempts, causes
from propeller.core.conditions import is_spared
from propeller.core.model import JobMode, Task
from propeller.core.reasons import JobFailed
from propeller.core.state import ClusterState
from propeller.core.states import PENDING


def stop_others(state: ClusterState, failed: Task, now: int) -> None:
    """Stop the other tasks in the job or workflow of a failed task; many may fail at once."""
    group = state.groups.get(failed.spec.group_id)
    if group is None or not group.has_live_tasks:
        return
    waiting = state.consequences.failed
    waiting[:] = [other for other in waiting if other.spec.group_id != group.id]
    spared = spared_of(group.tasks.values())
    reason = JobFailed(failed.id, group.kind)
    state.cause = causes.by_task(failed.id)
    for task in reversed(group.tasks.values()):  # so that none starts because one before it was stopped
        if task.state.has_ended or task.id in spared:
            continue
        if task.state is PENDING and group.mode is JobMode.SEQUENTIAL:
            continue  # its turn does not come: see conditions.why_not
        if task.state is PENDING:
            attempts.skip(state, task, reason, now)
        else:
            attempts.interrupt(state, task, reason, now)


def spared_of(tasks: Iterable[Task]) -> set[str]:
    """Give the ids of the tasks that are there for failures too, and of those that depend on one."""
    found: set[str] = set()
    waiting = [task for task in tasks if is_spared(task.spec.run_if)]
    while waiting:
        task = waiting.pop()
        if task.id not in found:
            found.add(task.id)
            waiting += [child for child in task.children if task.id in child.spec.depends_on]
    return found
