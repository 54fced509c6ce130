"""What was committed, in the middle of a commit: its moves are judged one by one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from propeller.core.model import JobMode, Spec, Task
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, SCHEDULED, SKIPPED

from .world import LawBroken

if TYPE_CHECKING:
    from .laws import Laws

LIVE_AND_STARTED = (SCHEDULED, RUNNING)


class View:
    """The shadow in the middle of a commit, move by move."""

    def __init__(self, laws: "Laws"):
        self._laws = laws
        #: Tasks that the commit deletes: they may have stood in the way before that.
        self.gone: set[str] = set()
        self.tasks = dict(laws.tasks)
        self.states = {task_id: task.state for task_id, task in laws.tasks.items()}
        self.attempts = {task_id: task.attempt for task_id, task in laws.tasks.items()}

    def add(self, task: Task, attempts: int) -> None:
        self.tasks[task.id] = task
        self.states[task.id] = PENDING
        self.attempts[task.id] = attempts

    def _members(self, task: Task) -> list[Task]:
        group_id = task.spec.group_id
        found = [other for other in self.tasks.values() if group_id and other.spec.group_id == group_id]
        return found if task.id in self.gone else [other for other in found if other.id not in self.gone]

    def check_may_run(self, task: Task, specs: Iterable[Spec]) -> None:
        if not any(self._condition(spec) for spec in specs):
            raise LawBroken(
                "parents-first", f"{task.id} was started before its parents ended as asked", task.id
            )
        group = self._laws.groups.get(task.spec.group_id)
        if group is None or group.mode is not JobMode.SEQUENTIAL:
            return
        members = self._members(task)
        for other in members:
            if other.id != task.id and self.states[other.id] in LIVE_AND_STARTED:
                raise LawBroken("sequential", f"{task.id} was started while {other.id} runs", task.id)
        before = self._laws.before(task, members)
        if before is not None and self.states[before.id] is not COMPLETED:
            raise LawBroken("sequential", f"{task.id} was started before {before.id} completed", task.id)

    def check_may_skip(self, task: Task, specs: Iterable[Spec]) -> None:
        before = self._laws.before(task, self._members(task))
        is_stopped = before is not None and self.states[before.id] in (FAILED, SKIPPED, INTERRUPTED)
        if not is_stopped and all(self._condition(spec) for spec in specs):
            raise LawBroken("skips", f"{task.id} was skipped, and nothing stood against it", task.id)

    def _condition(self, spec: Spec) -> bool:
        """Say whether the parents have ended as ``run_if`` asks."""
        states = [self.states[parent] for parent in spec.depends_on]
        if not states:
            return True
        if not all(state.has_ended for state in states):
            return False
        if spec.run_if == "failure":
            return FAILED in states
        return all(state is COMPLETED for state in states)
