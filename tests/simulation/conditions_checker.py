"""Checks the law of conditions: a task begins only if those before it ended as ``run_if`` asks, and is skipped if not.

That a skip came after a failure is worked out here from what was committed, and kept for the tasks after it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from propeller.core.effects import Transition
from propeller.core.model import JobMode, Spec, Task
from propeller.core.states import FAILED, INTERRUPTED, RUNNING, SCHEDULED, SKIPPED

from .world import LawBroken

if TYPE_CHECKING:
    from .checker import Checker
    from .view import View

#: Words of tasks that are there for themselves: they run where all goes well.
PLAIN = ("", "success")
FAIL_FAST = "is fail-fast"
#: The expressions that users write, and what each gives for how a parent ended and what it returned; None where
#: it can't be evaluated.
EXPRESSIONS: dict[str, Callable[[str, object], bool | None]] = {
    "states['{parent}'] == 'completed'": lambda state, _: state == "completed",
    "states['{parent}'] in ['failed', 'skipped']": lambda state, _: state in ("failed", "skipped"),
    "results['{parent}'] != null": lambda _, result: result is not None,
    "results['{parent}'].contains(':')": lambda _, result: ":" in result if isinstance(result, str) else None,
    "results['{parent}'] > 1": lambda *_: None,
}


class Skip(NamedTuple):
    """What stands behind the skip of a task."""

    after_failure: bool
    #: Its sequential job was halted before it.
    is_halted: bool


def is_for_itself(task: Task, members: Sequence[Task]) -> bool:
    """Say whether a task ends with its fail-fast job: it is not there for failures, nor for what comes after that."""
    if task.spec.run_if not in (*PLAIN, "any_success"):
        return False
    parents = (other for other in members if other.id in task.spec.depends_on)
    return all(is_for_itself(parent, members) for parent in parents)


class ConditionsChecker:
    def __init__(self, checker: "Checker"):
        self._checker = checker
        #: The skips of tasks that are skipped now, by id.
        self.skips: dict[str, Skip] = {}
        #: When each came to be: the number of the event, the task, and the skip or that it is one no more.
        self._history: list[tuple[int, str, Skip | None]] = []

    def predecessors(self, task: Task, members: Mapping[str, Sequence[Task]]) -> list[Task]:
        """Name the tasks that one waits for; one that ended and never began hands on whom it waited for.

        What was up has begun, and let the next one have its turn, also where it was lost and stopped afterwards.
        """
        found = [self._checker.tasks[parent] for parent in task.spec.depends_on]
        before = self._checker.before(task, members.get(task.spec.group_id, ()))
        while before is not None:
            found.append(before)
            has_begun = before.started_at or before.was_up
            has_ended_early = before.state.has_ended and not has_begun
            if has_ended_early:
                found += [self._checker.tasks[parent] for parent in before.spec.depends_on]
            before = self._checker.before(before, members[task.spec.group_id]) if has_ended_early else None
        return found

    def restored(self, last_event_id: int) -> None:
        """What came after the backup never was."""
        self._history = [known for known in self._history if known[0] <= last_event_id]
        self.skips = {}
        for known in self._history:
            self._note(*known[1:])

    def _note(self, task_id: str, skip: Skip | None) -> None:
        if skip is None:
            self.skips.pop(task_id, None)
        else:
            self.skips[task_id] = skip

    def moved(self, task: Task, move: Transition, number: int, specs: Sequence[Spec], view: "View") -> None:
        """Check a skip; take in what stands behind it for those that come after."""
        if move.error_kind == "condition" and all(
            self._verdict(task, spec, view) is not None for spec in specs
        ):
            raise LawBroken("skips", f"{task.id} failed for a condition that can be evaluated", task.id)
        skip = None
        if move.state is SKIPPED:
            found = [reasons for spec in specs for reasons in self._skips(task, spec, move, view)]
            if not found:
                raise LawBroken("skips", f"{task.id} was skipped, and nothing stood against it", task.id)
            skip = found[0]
        elif task.id not in self.skips:
            return
        self._history.append((number, task.id, skip))
        self._note(task.id, skip)

    def _skips(self, task: Task, spec: Spec, move: Transition, view: "View") -> list[Skip]:
        """Give the skip of a task, if it had to be."""
        if self._checker.timing.is_skip_by_time(task, move):
            return [Skip(after_failure=True, is_halted=False)]
        members = view.members(task)
        group = self._checker.groups.get(task.spec.group_id)
        if (
            FAIL_FAST in move.reason
            and group is not None
            and group.fail_fast
            and is_for_itself(task, members)
        ):
            # One that is deleted in the same turn failed all the same.
            others = [other for other in view.tasks.values() if other.spec.group_id == group.id]
            failed = any(view.states[other.id] is FAILED for other in others)
            return [Skip(after_failure=True, is_halted=False)] if failed else []
        if spec.run_if in PLAIN:
            halter = self._halter(task, members, view)
            if halter is not None:
                return [Skip(after_failure=self._brings_failure(halter.id, view), is_halted=True)]
        if self._verdict(task, spec, view) is not False:
            return []
        return [Skip(after_failure=self._comes_after_failure(task, spec, view), is_halted=False)]

    def check_may_run(
        self, task: Task, specs: Iterable[Spec], view: "View", *, may_fail: bool = False
    ) -> None:
        """Check that a task had to begin, or is about to fail for its condition."""
        members = view.members(task)
        group = self._checker.groups.get(task.spec.group_id)
        right = (True, None) if may_fail else (True,)
        if not any(self._verdict(task, spec, view) in right for spec in specs):
            raise LawBroken(
                "parents-first", f"{task.id} was started before its parents ended as asked", task.id
            )
        if group is None or group.mode is not JobMode.SEQUENTIAL:
            return
        for other in members:
            is_in_the_way = view.states[other.id] in (SCHEDULED, RUNNING) and not view.was_up[other.id]
            if other.id != task.id and is_in_the_way:
                raise LawBroken("sequential", f"{task.id} was started while {other.id} runs", task.id)
        before = self._checker.before(task, members)
        if before is not None and not self._has_settled(before.id, view):
            raise LawBroken("sequential", f"{task.id} was started before {before.id} ended", task.id)
        not_after = [
            other for other in members if other.seq <= task.seq
        ]  # who may have ended since it was queued
        if all(spec.run_if in PLAIN and self._halter(task, not_after, view) is not None for spec in specs):
            raise LawBroken("sequential", f"{task.id} was started, and its job was halted", task.id)

    def _verdict(self, task: Task, spec: Spec, view: "View") -> bool | None:
        """Say whether the parents have ended as ``run_if`` asks; None where it can't be evaluated."""
        parents = spec.depends_on
        if not all(self._has_settled(parent, view) for parent in parents):
            return False
        if spec.run_if in PLAIN:
            return all(view.has_succeeded(parent) for parent in parents)
        before = self._checker.before(task, view.members(task))
        match spec.run_if:
            case "failure":
                others = view.members(task) if before is not None else []
                is_needed = any(view.states[other.id] is FAILED for other in others if other.id != task.id)
                is_needed |= any(self._brings_failure(parent, view) for parent in parents)
                return is_needed or not (parents or before)
            case "all_done":
                return not any(view.states[parent] is INTERRUPTED for parent in parents)
            case "any_success":
                ends = parents or ((before.id,) if before else ())
                return not ends or any(view.has_succeeded(other) for other in ends)
            case "always":
                return True
        return self._value_of(spec.run_if, view)

    def _value_of(self, expression: str, view: "View") -> bool | None:
        parent = re.findall(r"\['(.*?)'\]", expression)[0]
        counts = view.has_succeeded(parent)
        result = self._checker.inputs.result_of(view.tasks[parent]) if counts else None
        state = "completed" if counts else view.states[parent].name.lower()
        return EXPRESSIONS[expression.replace(parent, "{parent}")](state, result)

    def _comes_after_failure(self, task: Task, spec: Spec, view: "View") -> bool:
        """Say whether a condition that does not hold would have held without a failure."""
        before = self._checker.before(task, view.members(task))
        if spec.run_if in PLAIN:
            return any(self._brings_failure(parent, view) for parent in spec.depends_on)
        if spec.run_if == "any_success":
            ends = spec.depends_on or ((before.id,) if before else ())
            return any(self._brings_failure(other, view) for other in ends)
        return False

    def _brings_failure(self, task_id: str, view: "View") -> bool:
        if view.states[task_id] is SKIPPED:
            return self.skips[task_id].after_failure
        return view.states[task_id] is FAILED

    @staticmethod
    def _has_settled(task_id: str, view: "View") -> bool:
        return view.states[task_id].has_ended or view.was_up[task_id]

    def _halter(self, task: Task, members: Sequence[Task], view: "View") -> Task | None:
        """Name the task that has halted the sequential job of a task: the nearest one before it that decides."""
        before = self._checker.before(task, members)
        if before is None:
            return None
        if self._was_halted(before, view):
            return before
        for other in sorted(members, key=lambda other: -other.seq):
            if other.seq >= task.seq:
                continue
            if view.states[other.id] in (FAILED, INTERRUPTED):
                return other
            if self._was_halted(other, view):
                is_bad = any(view.states[one.id] in (FAILED, INTERRUPTED) for one in members)
                return other if is_bad else None
            if view.has_succeeded(other.id) and other.spec.run_if in PLAIN:
                return None
        return None

    def _was_halted(self, task: Task, view: "View") -> bool:
        return view.states[task.id] is SKIPPED and self.skips[task.id].is_halted
