"""Conditions: whether a task may run, by how the tasks before it ended (``run_if``).

``success``      all parents succeeded; so does a task without ``run_if``.
``failure``      a parent failed, or was skipped because a task before it failed.
``all_done``     each parent completed, failed or was skipped: none was interrupted.
``always``       whatever happened to the parents.
``any_success``  a parent succeeded.

Without parents each of these words lets the task run. That a skip came after a failure is kept in its reason
(``Reason.after_failure``). So a handler at the end of a chain hears of a failure at its front, and each task
looks at its own parents only.

In a sequential job, a task with ``success`` also needs that the job was not halted before it: no task before
it failed or was interrupted. One that was skipped by its own condition halts nothing. A task with another
word is there for a job that was halted, too: a *handler*.
"""

from propeller.core.model import Group, Task
from propeller.core.reasons import (
    NoParentFailed,
    NoParentSucceeded,
    NoTaskFailed,
    ParentEnded,
    Reason,
    TaskBeforeEnded,
)
from propeller.core.states import FAILED, INTERRUPTED, SKIPPED

#: The words of ``run_if``; ``""`` is ``success``.
WORDS = ("", "success", "failure", "all_done", "always", "any_success")


def is_handler(run_if: str) -> bool:
    """Say whether a task with this ``run_if`` is there for a job that was halted, too."""
    return run_if not in ("", "success")


def is_spared(run_if: str) -> bool:
    """Say whether a task with this ``run_if`` goes on when its job stops at a failure."""
    return run_if not in ("", "success", "any_success")


def why_skipped(task: Task, group: Group | None) -> Reason | None:
    """Say why a task whose predecessors have all ended must not run; None if it may.

    Source: ``semantics``, section 4 (``run_if``) and the tutorial (a sequential job stops at its first
    failure).
    """
    match task.spec.run_if:
        case "" | "success":
            return _why_halted(task, group) or _why_not_success(task)
        case "failure":
            return _why_not_failure(task, group)
        case "all_done":
            return _why_not_all_done(task)
        case "any_success":
            return _why_not_any_success(task)
        case _:
            return None


def _why_not_success(task: Task) -> Reason | None:
    for parent in task.parents:
        if not parent.has_succeeded:
            after_failure = any(map(_brings_failure, task.parents))
            return ParentEnded(parent.id, parent.state, after_failure=after_failure)
    return None


def _why_not_failure(task: Task, group: Group | None) -> Reason | None:
    if any(map(_brings_failure, task.parents)):
        return None
    if task.before is not None and group is not None:
        others_failed = group.counts[FAILED] - (task.state is FAILED)
        return None if others_failed else NoTaskFailed()
    return NoParentFailed() if task.parents else None


def _why_not_all_done(task: Task) -> Reason | None:
    for parent in task.parents:
        if parent.state is INTERRUPTED:
            return ParentEnded(parent.id, parent.state)
    return None


def _why_not_any_success(task: Task) -> Reason | None:
    parents = task.parents or (() if task.before is None else (task.before,))
    if not parents or any(parent.has_succeeded for parent in parents):
        return None
    return NoParentSucceeded(after_failure=any(map(_brings_failure, parents)))


def _brings_failure(parent: Task) -> bool:
    """Say whether a parent failed, or was skipped because a task before it failed."""
    if parent.state is SKIPPED:
        return parent.reason is not None and parent.reason.comes_after_failure
    return parent.state is FAILED


def _why_halted(task: Task, group: Group | None) -> Reason | None:
    """Say which task before one with ``success`` has halted its sequential job; None if none has.

    The task before tells it, if that one has ``success`` too. Else the nearest such task before it does.
    """
    before = task.before
    if before is None or group is None or (before.has_succeeded and not is_handler(before.spec.run_if)):
        return None
    if before.state is SKIPPED and isinstance(before.reason, TaskBeforeEnded):
        return before.reason
    if not group.counts[FAILED] + group.counts[INTERRUPTED]:
        return None
    while before is not None:
        if before.state in (FAILED, INTERRUPTED):
            return TaskBeforeEnded(before.id, before.state)
        if before.state is SKIPPED and isinstance(before.reason, TaskBeforeEnded):
            return before.reason
        if before.has_succeeded and not is_handler(before.spec.run_if):
            return None
        before = before.before
    return None
