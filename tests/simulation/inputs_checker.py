"""Checks the law of inputs: a task is given what its parents returned, and fails for want of it only if there is none."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from propeller.core.effects import Transition
from propeller.core.model import FromParent, Spec, Task
from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING, SCHEDULED, TaskState
from propeller.proplet.starts import stdin_of
from propeller.wire.fleet.from_manager import Start

from .resident_checker import stays, uid_of
from .world import LawBroken

if TYPE_CHECKING:
    from .checker import Checker
    from .view import View


def references(spec: Spec) -> set[str]:
    """Name the parents to whose results a task refers, which users write only as ``users`` does."""
    found = {
        parent for parent in spec.depends_on for one in spec.inputs or () if f"${{{parent}}}" in str(one)
    }
    found |= {one.task for one in (spec.stdin, *(spec.inputs or ())) if isinstance(one, FromParent)}
    return found


class InputsChecker:
    def __init__(self, checker: "Checker"):
        self._checker = checker
        #: What each task returned, or said when it was up, since it was last started; by uid.
        self._result: dict[str, object] = {}
        #: All that it ever said.
        self._results: dict[str, list[object]] = {}

    def result_of(self, task: Task) -> object:
        """Give what a task returned, or said last, in this run; None for nothing."""
        return self._result.get(uid_of(task.spec))

    def restored(self, tasks: Iterable[Task]) -> None:
        """What was said since the backup counts no more."""
        self._result = {uid_of(task.spec): task.results for task in tasks}

    def moved(self, task: Task, old: TaskState, move: Transition, view: "View") -> None:
        """Take in a move; check that a task is placed, or fails, as what its parents said asks for."""
        uid = uid_of(task.spec)
        if move.results is not None:
            self._results.setdefault(uid, []).append(move.results)
        if move.results is not None or move.state is COMPLETED:
            self._result[uid] = move.results
        elif move.state is PENDING or (move.state is SCHEDULED and old is not RUNNING):
            self._result[uid] = None
        if old is not SCHEDULED or move.state not in (RUNNING, FAILED):
            return
        for parent in sorted(references(task.spec)):
            has_one = (
                view.has_succeeded(parent) and self._result.get(uid_of(view.tasks[parent].spec)) is not None
            )
            if move.state is RUNNING and not has_one:
                text = f"{task.id} was placed, and {parent}, to which it refers, has no result"
                raise LawBroken("inputs", text, task.id)
            if has_one and f"the result of task {parent}, which has none" in move.error:
                text = f"{task.id} failed for want of the result of {parent}, which has one"
                raise LawBroken("inputs", text, task.id)

    def guest_began(self, task: Task, start: Start) -> None:
        """Check what a guest finds of the results of its parents."""
        parents = {parent: self._checker.tasks[parent] for parent in task.spec.depends_on}
        found = start.parent_results if isinstance(start.parent_results, dict) else {}
        found = {parent: result for parent, result in found.items() if not stays(parents[parent].spec)}
        wanted = {
            parent: other.results
            for parent, other in parents.items()
            if other.state is COMPLETED and not stays(other.spec)
        }
        if found != wanted:
            raise LawBroken("parents-first", f"{start.id} was given {found}, not {wanted}", start.id)
        for parent in references(task.spec):
            self._check_reference(task, start, parents[parent])

    def _check_reference(self, task: Task, start: Start, parent: Task) -> None:
        """What stays may have said something else since the start was sent; what has ended can't."""
        results = [parent.results]
        if stays(parent.spec):
            results = self._results.get(uid_of(parent.spec), [])
        texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in results]
        if task.spec.stdin == FromParent(parent.id) and (stdin_of(start) or b"").decode() not in texts:
            text = f"{start.id} reads {stdin_of(start)!r}, and {parent.id} said {texts}"
            raise LawBroken("inputs", text, start.id)
        for value, given in zip(task.spec.inputs or (), start.inputs or (), strict=True):
            shape = "{}" if isinstance(value, FromParent) else str(value).replace(f"${{{parent.id}}}", "{}")
            if "{}" in shape and given not in [shape.format(text.removesuffix("\n")) for text in texts]:
                text = f"{start.id} has the input {given!r}, and {parent.id} said {texts}"
                raise LawBroken("inputs", text, start.id)
