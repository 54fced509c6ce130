"""Skips: tasks that must not run because of the way in which their predecessors ended."""

from propeller.core.model import Task
from propeller.core.reasons import NoParentFailed, ParentEnded, Reason, TaskBeforeEnded
from propeller.core.states import FAILED, SKIPPED


def skip_reason(task: Task) -> Reason | None:
    """Say why a task whose predecessors have all ended must not run; None if it may.

    Source: ``semantics``, section 4 (``run_if``) and the tutorial (a sequential job stops at its first
    failure).
    """
    before = task.before
    if before is not None and not before.has_succeeded:
        if before.state is SKIPPED:
            return before.reason
        return TaskBeforeEnded(before.id, before.state)
    if task.spec.run_if == "failure":
        if not task.parents or any(parent.state is FAILED for parent in task.parents):
            return None
        return NoParentFailed()
    for parent in task.parents:
        if not parent.has_succeeded:
            return ParentEnded(parent.id, parent.state)
    return None
