"""Checks the law of causes: each change of state names what made it, and that did happen just before."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from propeller.core.causes import Cause, CauseKind
from propeller.core.effects import Changes, Transition
from propeller.core.events import (
    ManagerStarted,
    PropletLost,
    PropletSeen,
    RunCompiles,
    RunEnded,
    RunHandedBack,
    RunUp,
    TimePassed,
)
from propeller.core.model import JobMode, Task
from propeller.core.names import attempt_of
from propeller.core.states import COMPLETED, FAILED, RUNNING, SCHEDULED
from propeller.manager.engine import Ask, Input

from .store import SimulatedStore
from .world import LawBroken

if TYPE_CHECKING:
    from .checker import Checker

_REPORTS = (RunEnded, RunCompiles, RunUp, RunHandedBack)


class CausesChecker:
    def __init__(self, checker: "Checker", store: SimulatedStore):
        self._checker = checker
        self._store = store
        self._created: dict[str, Task] = {}

    def committed(self, changes: Changes, inputs: Sequence[Input], reused: set[str]) -> None:
        """Check the moves of a commit, before the shadow takes them in."""
        self._created = {task.id: self._store.seen(task.seq) for task in changes.created}
        created, known = self._created, self._checker.tasks
        #: The moves so far, and where each task was before or is placed by them.
        story: list[Transition] = []
        places: dict[str, set[str]] = {}
        for task, execution in changes.executions:
            places.setdefault(task.id, set()).add(execution.proplet_id)
        had: set[str] = set()
        for move in changes.transitions:
            task_id = move.task_id
            task = created.get(task_id) or known.get(task_id)
            if task is not None and task_id not in had:
                had.add(task_id)
                places.setdefault(task_id, set()).update(_places(task))
            if task is not None and task_id not in reused:
                why = self._doubt(task, move, story, inputs, places[task_id])
                if why:
                    text = f"{task_id} is {move.state.name} by {move.whole_cause}: {why}"
                    raise LawBroken("causes", text, task_id)
            if move.proplet_id:
                places.setdefault(task_id, set()).add(move.proplet_id)
            story.append(move)

    def _doubt(
        self,
        task: Task,
        move: Transition,
        story: list[Transition],
        inputs: Sequence[Input],
        places: set[str],
    ) -> str:
        """Say why the cause of a move is not true; ``""`` if it may be."""
        cause = move.whole_cause
        if move.state is COMPLETED and cause.kind is not CauseKind.PROPLET:
            return "only a proplet can say that"
        match cause.kind:
            case CauseKind.USER:
                return "" if any(map(self._asks_for(move), inputs)) else "no user asked"
            case CauseKind.PARENT:
                return self._doubt_of_parent(task, cause, story)
            case CauseKind.TASK:
                return self._doubt_of_failure(task, cause, story)
            case CauseKind.PLACEMENT:
                return "" if move.state in (RUNNING, FAILED) else "that places nothing"
            case CauseKind.PROPLET:
                is_said = any(_reports(item, cause.proplet_id, task.id) for item in inputs)
                return "" if is_said else "it reported nothing"
            case CauseKind.PROPLET_LOST:
                is_known = any(_tells_of_loss(item, cause.proplet_id) for item in inputs)
                return "" if is_known and cause.proplet_id in places else "it did not have it, or is not lost"
            case CauseKind.TIMER:
                is_due = cause.timer is not None and any(isinstance(item, TimePassed) for item in inputs)
                return "" if is_due else "no time has come"
            case CauseKind.MANAGER:
                is_new = any(isinstance(item, ManagerStarted) for item in inputs)
                return "" if is_new and move.state is not RUNNING else "it was not started now"
        return "that says nothing"

    def _asks_for(self, move: Transition) -> Callable[[Input], bool]:
        group = self._checker.groups.get(move.workflow_id or move.job_id)
        run_of = getattr(group.definition, "run_of", "") if group else ""
        wanted = {move.task_id, move.workflow_id, move.job_id, run_of} - {""}

        def does(item: Input) -> bool:
            if not isinstance(item, Ask):
                return False
            names = {getattr(item.command, field, "") for field in ("task_id", "group_id", "owner_id")}
            return not wanted.isdisjoint(names)

        return does

    def _doubt_of_parent(self, task: Task, cause: Cause, story: Iterable[Transition]) -> str:
        group = self._checker.groups.get(task.spec.group_id)
        waits_for = set(task.spec.depends_on)
        if group is not None and group.mode is JobMode.SEQUENTIAL:
            others = {**self._checker.tasks, **self._created}.values()
            waits_for |= {one.id for one in others if one.spec.job_id == group.id and one.seq < task.seq}
        if cause.task_id not in waits_for - {task.id}:
            return "it does not wait for that one"
        is_over = any(
            move.task_id == cause.task_id and (move.state.has_ended or move.is_up) for move in story
        )
        return "" if is_over else "that one has neither ended nor come up just now"

    def _doubt_of_failure(self, task: Task, cause: Cause, story: Iterable[Transition]) -> str:
        group = self._checker.groups.get(task.spec.group_id)
        if group is None or not group.fail_fast:
            return "its group is not fail-fast"
        has_failed = any(
            move.task_id == cause.task_id
            and move.state is FAILED
            and group.id in (move.workflow_id, move.job_id)
            for move in story
        )
        return "" if has_failed else "that one has not failed just now"


def _places(task: Task) -> set[str]:
    """Name the proplets that have or had a task."""
    found = {one.proplet_id for one in task.executions.values() if one.state in (RUNNING, SCHEDULED)}
    if task.proplet_id:
        found.add(task.proplet_id)
    return found


def _reports(item: Input, proplet_id: str, task_id: str) -> bool:
    if not isinstance(item, _REPORTS):
        return False
    is_his = item.proplet_id in ("", proplet_id)
    return is_his and task_id in (item.task_id, attempt_of(item.task_id)[0])


def _tells_of_loss(item: Input, proplet_id: str) -> bool:
    if isinstance(item, TimePassed):
        return True
    return isinstance(item, (PropletLost, PropletSeen)) and item.proplet_id == proplet_id
