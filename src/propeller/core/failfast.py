"""Fail-fast jobs and workflows: the first task that fails ends the others.

Tasks that run or queue are interrupted, and pending ones are skipped. Tasks with ``run_if: failure``, and
those that depend on one, are spared: they are there for that case.
"""

from collections.abc import Iterable

from propeller.core import attempts, causes
from propeller.core.model import JobMode, Task
from propeller.core.reasons import JobFailed
from propeller.core.state import ClusterState
from propeller.core.states import PENDING, SKIPPED


def stop_others(state: ClusterState, failed: Task, now: int) -> None:
    """Stop the other tasks in the job or workflow of a failed task."""
    group = state.groups.get(failed.spec.group_id)
    if group is None or not group.has_live_tasks:
        return
    spared = for_failures(group.tasks.values())
    if failed.id in spared:  # the others have been stopped before
        return
    reason = JobFailed(failed.id, group.kind)
    state.cause = causes.by_task(failed.id)
    for task in reversed(group.tasks.values()):  # so that none starts because one before it was stopped
        if task.state.has_ended or task.id in spared:
            continue
        if task.state is PENDING and group.mode is JobMode.SEQUENTIAL:
            continue  # its turn does not come: see skips.skip_reason
        if task.state is PENDING:
            task.reason = reason
            attempts.end(state, task, SKIPPED, now)
        else:
            attempts.interrupt(state, task, reason, now)


def for_failures(tasks: Iterable[Task]) -> set[str]:
    """Give the ids of the tasks with ``run_if: failure``, and of those that depend on one."""
    found: set[str] = set()
    waiting = [task for task in tasks if task.spec.run_if == "failure"]
    while waiting:
        task = waiting.pop()
        if task.id not in found:
            found.add(task.id)
            waiting += [child for child in task.children if task.id in child.spec.depends_on]
    return found
