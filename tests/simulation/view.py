"""What was committed, in the middle of a commit: its moves are judged one by one."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from propeller.core.effects import Changes
from propeller.core.model import Task
from propeller.core.states import COMPLETED, PENDING

from .resident_checker import stays

if TYPE_CHECKING:
    from .checker import Checker


def go_on(tasks: Iterable[Task | None], turn: Changes | None) -> bool:
    """Say whether one of these tasks has not ended, and nothing has happened to it in this turn either."""
    ids = {move.task_id for move in turn.transitions} | {task.id for task in turn.created} if turn else set()
    return any(task is not None and not task.state.has_ended and task.id not in ids for task in tasks)


class View:
    """The shadow in the middle of a commit, move by move."""

    def __init__(self, checker: "Checker"):
        self._checker = checker
        self._added: dict[str, list[Task]] = {}
        #: Tasks that the commit deletes: they may have stood in the way before that.
        self.gone: set[str] = set()
        self.tasks = dict(checker.tasks)
        self.states = _Looked(checker.tasks, "state")
        self.attempts = _Looked(checker.tasks, "attempt")
        #: Whether each was up since it was started: who waits for it need not wait for its end.
        self.was_up = _Looked(checker.tasks, "was_up")

    def add(self, task: Task, attempts: int) -> None:
        task_id, group_id = task.spec.id, task.spec.group_id
        self.tasks[task_id] = task
        if group_id:
            self._added.setdefault(group_id, []).append(task)
        self.states[task_id] = PENDING
        self.attempts[task_id] = attempts
        self.was_up[task_id] = False

    def members(self, task: Task) -> list[Task]:
        group_id = task.spec.group_id
        found = self._checker.members_of(group_id)
        if group_id in self._added:
            found = [*found, *self._added[group_id]]
        if not self.gone or task.id in self.gone:
            return found
        return [other for other in found if other.id not in self.gone]

    def has_succeeded(self, task_id: str) -> bool:
        state = self.states[task_id]
        return state is COMPLETED or (self.was_up[task_id] and not state.has_ended)

    def keeps_its_condition(self, task: Task) -> bool:
        """Say whether what let it begin can't change any more: what is up may be so no longer."""
        waits_for = [self.tasks[parent] for parent in task.spec.depends_on if parent in self.tasks]
        if self._checker.is_sequential(task):  # any before it may halt its job
            waits_for += [other for other in self.members(task) if other.seq < task.seq]
        return not any(stays(other.spec) for other in waits_for)


class _Looked(dict[str, Any]):
    """One field of each task, as it was committed before, unless it is set here: looked up where somebody asks."""

    def __init__(self, tasks: Mapping[str, Task], field: str):
        self._tasks, self._field = tasks, field

    def __missing__(self, task_id: str) -> Any:
        return getattr(self._tasks[task_id], self._field)
