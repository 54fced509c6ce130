"""Conditions: whether a task may run, by how the tasks before it ended (``run_if``).

``success``      all parents succeeded; so does a task without ``run_if``.
``failure``      a parent failed, or was skipped because a task before it failed.
``all_done``     each parent completed, failed or was skipped: none was interrupted.
``always``       whatever happened to the parents.
``any_success``  a parent succeeded.

Without parents each of these words lets the task run. Anything else is an expression (``expressions``) over
what the parents returned (``results``) and how they ended (``states``), by their ids or names.

That a skip came after a failure is kept in its reason
(``Reason.after_failure``). So a handler at the end of a chain hears of a failure at its front, and each task
looks at its own parents only.

In a sequential job, a task with ``success`` also needs that the job was not halted before it: no task before
it failed or was interrupted. One that was skipped by its own condition halts nothing. A task with another
word is there for a job that was halted, too: a *handler*.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterable

from propeller.core.expressions.compiler import Expression, compiled
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Group, Spec, Task
from propeller.core.reasons import (
    ConditionNotMet,
    NoParentFailed,
    NoParentSucceeded,
    NoTaskFailed,
    ParentEnded,
    Reason,
    TaskBeforeEnded,
    on_one_line,
)
from propeller.core.results import to_guest
from propeller.core.states import FAILED, INTERRUPTED, SKIPPED
from propeller.errors import Invalid

#: The words of ``run_if``; ``""`` is ``success``.
WORDS = ("", "success", "failure", "all_done", "always", "any_success")
_WORD = re.compile(r"\w+")


def check_written(run_if: str) -> None:
    """Check what can be checked of a ``run_if`` by itself.

    Raises:
        Invalid: It is neither a word nor an expression; the message says where, and what to write.

    """
    if run_if in WORDS:
        return
    if _WORD.fullmatch(run_if) and run_if not in ("true", "false"):
        near = difflib.get_close_matches(run_if.lower(), WORDS[1:], n=1)
        words = f"did you mean {near[0]}?" if near else f"use one of {', '.join(WORDS[1:])}"
        raise Invalid(
            f"\"{run_if[:40]}\" is unknown; {words}, or an expression such as states['a'] == 'failed'"
        )
    compiled(run_if)


def is_expression(run_if: str) -> bool:
    return run_if not in WORDS


def check_names(spec: Spec, parents: Iterable[Spec], at: str = "") -> None:
    """Check that the expression of a task names parents only; ``at`` is what messages begin with.

    Raises:
        Invalid: It names another task, or one of several parents of that name.

    """
    if not is_expression(spec.run_if):
        return
    known = _names(parents)
    for key in compiled(spec.run_if).keys:
        if key.name not in known:
            names = ", ".join(list(known)[:5])
            hint = f"use one of {names}, or add it to depends_on" if known else "add it to depends_on"
            raise Invalid(
                f"{at}run_if: at character {key.at}: {key.name[:80]!r} is not one parent of task {spec.id}; "
                f"{hint}"
            )


def _names(parents: Iterable[Spec]) -> dict[str, str]:
    """Give the ids of parents by all names that an expression may call them.

    Its id does, and so do the ids that it was copied from, or its name, if no other parent has the same.
    """
    parents = tuple(parents)
    named = [(spec.name, spec.id) for spec in parents]
    copied = [(alias, spec.id) for spec in parents for alias in (spec.copy_of, *spec.copied_before)]
    found: dict[str, str] = {}
    for aliases in (named, copied):
        counts = Counter(alias for alias, _ in aliases)
        found |= {alias: task_id for alias, task_id in aliases if alias and counts[alias] == 1}
    return found | {spec.id: spec.id for spec in parents}


def is_handler(run_if: str) -> bool:
    """Say whether a task with this ``run_if`` is there for a job that was halted, too."""
    return run_if not in ("", "success")


def is_spared(run_if: str) -> bool:
    """Say whether a task with this ``run_if`` goes on when its job stops at a failure."""
    return run_if not in ("", "success", "any_success")


def why_not(task: Task, group: Group | None) -> Reason | Failure | None:
    """Say why a task whose predecessors have all ended must not run; None if it may.

    A task whose condition can't be evaluated fails.

    Source: ``semantics``, section 4 (``run_if``) and the tutorial (a sequential job stops at its first
    failure).
    """
    match task.spec.run_if:
        case "" | "success":
            return (task.before and _why_halted(task, group)) or _why_not_success(task)
        case "failure":
            return _why_not_failure(task, group)
        case "all_done":
            return _why_not_all_done(task)
        case "any_success":
            return _why_not_any_success(task)
        case "always":
            return None
        case expression:
            return _why_not_expression(task, compiled(expression))


def words_of(why: Reason | Failure) -> str:
    return why.error if isinstance(why, Failure) else str(why)


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


def _why_not_expression(task: Task, expression: Expression) -> Reason | Failure | None:
    parents = {parent.id: parent for parent in task.parents}
    known = _names(parent.spec for parent in task.parents)
    if not expression.reads_all:
        known = {key.name: known[key.name] for key in expression.keys if key.name in known}
    found = expression.evaluate(
        {name: to_guest(parents[task_id].counting_result) for name, task_id in known.items()},
        {name: _state(parents[task_id]) for name, task_id in known.items()},
    )
    if isinstance(found, bool):
        return None if found else ConditionNotMet(expression.text)
    return Failure(f"run_if: {found}; the condition is: {on_one_line(expression.text)}", ErrorKind.CONDITION)


def _state(parent: Task) -> str:
    """Name how a parent ended; one that is up counts as completed."""
    return "completed" if parent.has_succeeded else parent.state.name.lower()


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
