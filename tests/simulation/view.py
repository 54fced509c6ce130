"""What was committed, in the middle of a commit: its moves are judged one by one."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from propeller.core.effects import Changes
from propeller.core.model import JobMode, Spec, Task
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, SCHEDULED, SKIPPED

from .resident_checker import stays
from .world import LawBroken

if TYPE_CHECKING:
    from .checker import Checker

LIVE_AND_STARTED = (SCHEDULED, RUNNING)


def is_for_itself(task: Task, members: Sequence[Task]) -> bool:
    """Say whether a task is there for its own sake: not for a failure, and not for what comes after one."""
    if task.spec.run_if == "failure":
        return False
    parents = (other for other in members if other.id in task.spec.depends_on)
    return all(is_for_itself(parent, members) for parent in parents)


def go_on(tasks: Iterable[Task | None], turn: Changes | None) -> bool:
    """Say whether one of these tasks has not ended, and nothing has happened to it in this turn either."""
    ids = {move.task_id for move in turn.transitions} | {task.id for task in turn.created} if turn else set()
    return any(task is not None and not task.state.has_ended and task.id not in ids for task in tasks)


class View:
    """The shadow in the middle of a commit, move by move."""

    def __init__(self, checker: "Checker"):
        self._checker = checker
        #: Tasks that the commit deletes: they may have stood in the way before that.
        self.gone: set[str] = set()
        self.tasks = dict(checker.tasks)
        self.states = {task_id: task.state for task_id, task in checker.tasks.items()}
        self.attempts = {task_id: task.attempt for task_id, task in checker.tasks.items()}
        #: Whether each was up since it was started: who waits for it need not wait for its end.
        self.was_up = {task_id: task.was_up for task_id, task in checker.tasks.items()}

    def add(self, task: Task, attempts: int) -> None:
        self.tasks[task.id] = task
        self.states[task.id] = PENDING
        self.attempts[task.id] = attempts
        self.was_up[task.id] = False

    def _members(self, task: Task) -> list[Task]:
        group_id = task.spec.group_id
        found = [other for other in self.tasks.values() if group_id and other.spec.group_id == group_id]
        return found if task.id in self.gone else [other for other in found if other.id not in self.gone]

    def check_may_run(self, task: Task, specs: Iterable[Spec]) -> None:
        if not any(self._condition(spec) for spec in specs):
            raise LawBroken(
                "parents-first", f"{task.id} was started before its parents ended as asked", task.id
            )
        group = self._checker.groups.get(task.spec.group_id)
        if group is None or group.mode is not JobMode.SEQUENTIAL:
            return
        members = self._members(task)
        for other in members:
            is_in_the_way = self.states[other.id] in LIVE_AND_STARTED and not self.was_up[other.id]
            if other.id != task.id and is_in_the_way:
                raise LawBroken("sequential", f"{task.id} was started while {other.id} runs", task.id)
        before = self._checker.before(task, members)
        if before is not None and not self.has_succeeded(before.id):
            raise LawBroken("sequential", f"{task.id} was started before {before.id} completed", task.id)

    def check_may_skip(self, task: Task, specs: Iterable[Spec]) -> None:
        members = self._members(task)
        before = self._checker.before(task, members)
        is_stopped = before is not None and self.states[before.id] in (FAILED, SKIPPED, INTERRUPTED)
        group = self._checker.groups.get(task.spec.group_id)
        if group is not None and group.fail_fast and is_for_itself(task, members):
            is_stopped |= any(
                self.states[other.id] is FAILED for other in members if is_for_itself(other, members)
            )
        if not is_stopped and all(self._condition(spec) for spec in specs):
            raise LawBroken("skips", f"{task.id} was skipped, and nothing stood against it", task.id)

    def _condition(self, spec: Spec) -> bool:
        """Say whether the parents have ended as ``run_if`` asks."""
        parents = spec.depends_on
        if not all(self.states[parent].has_ended or self.was_up[parent] for parent in parents):
            return False
        if spec.run_if == "failure" and parents:
            return any(self.states[parent] is FAILED for parent in parents)
        return all(self.has_succeeded(parent) for parent in parents)

    def has_succeeded(self, task_id: str) -> bool:
        state = self.states[task_id]
        return state is COMPLETED or (self.was_up[task_id] and not state.has_ended)

    def keeps_its_condition(self, task: Task) -> bool:
        """Say whether what let it begin can't change any more: what is up may be so no longer."""
        before = self._checker.before(task, self._members(task))
        waits_for = [self.tasks[parent] for parent in task.spec.depends_on if parent in self.tasks]
        return not any(stays(other.spec) for other in (*waits_for, *([before] if before else [])))
