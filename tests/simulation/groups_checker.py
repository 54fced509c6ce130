"""Checks the laws of workflows and jobs as a whole: what runs again, how many at once, and what a failure stops."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from propeller.core.effects import Changes
from propeller.core.events import Command, CreateTasks, Rerun, RerunGroup, StartGroup, StartTask
from propeller.core.model import Group, JobMode, Task
from propeller.core.state import ClusterState
from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING, SCHEDULED, TaskState

from .conditions_checker import PLAIN, is_for_itself
from .world import LawBroken

if TYPE_CHECKING:
    from .checker import Checker


class GroupsChecker:
    def __init__(self, checker: "Checker"):
        self._checker = checker
        #: The tasks that a rerun of this turn is about, by group: those that run again, and those that do not.
        #: None where other commands of the turn concern the group too, so that nobody can say.
        self._again: dict[str, tuple[set[str], set[str]] | None] = {}

    # -- reruns --------------------------------------------------------------------------------------------

    def commit_begins(self, commands: Sequence[Command], members: Mapping[str, Sequence[Task]]) -> None:
        """Work out what the reruns of a turn are about, from what was committed before."""
        self._again = {}
        for command in commands:
            if isinstance(command, RerunGroup):
                tasks = members.get(command.group_id, ())
                names = {command.group_id, *(task.id for task in tasks)}
                is_alone = sum(not names.isdisjoint(_named_by(other)) for other in commands) == 1
                is_known = is_alone and all(task.state.has_ended for task in tasks)
                self._again[command.group_id] = self._parts(command, tasks) if is_known else None

    def _parts(self, command: RerunGroup, tasks: Sequence[Task]) -> tuple[set[str], set[str]]:
        """Name the tasks that run again, and those that keep what they have."""
        if command.from_task:
            again = {command.from_task}
        elif command.what is Rerun.ALL:
            again = {task.id for task in tasks}
        else:
            again = {task.id for task in tasks if task.state is not COMPLETED}
        group = self._checker.groups.get(command.group_id)
        is_sequential = group is not None and group.mode is JobMode.SEQUENTIAL
        before = ""
        for task in tasks:  # each comes after those that it depends on
            if again & {*task.spec.depends_on, before if is_sequential else ""}:
                again.add(task.id)
            before = task.id
        return again, {task.id for task in tasks} - again

    def lets_run_again(self, task: Task) -> bool:
        """Say whether a rerun lets a task leave its end, which it must not if it was to keep it."""
        group_id = task.spec.group_id
        if group_id not in self._again:
            return False
        parts = self._again[group_id]
        if parts is not None and task.id in parts[1]:
            raise LawBroken("rerun", f"{task.id} was to keep its end, and runs again", task.id)
        return True

    def reran(self, group_id: str, moved: set[tuple[str, TaskState]]) -> None:
        """Check that all that an accepted rerun is about runs again."""
        parts = self._again.get(group_id)
        for task_id in sorted(parts[0] if parts else ()):
            if (task_id, PENDING) not in moved:
                raise LawBroken("rerun", f"{task_id} was to run again, and does not", task_id)

    # -- so many at once -----------------------------------------------------------------------------------

    def turn_ended(self, state: ClusterState) -> None:
        """Check that of a group with a bound no more tasks are queued or run, and none is left out without need."""
        queued: set[str] | None = None
        for group in self._checker.groups.values():
            most, counts = group.definition.max_parallel, group.counts
            if not most or not (counts[SCHEDULED] or counts[RUNNING]):
                continue
            if queued is None:
                queued = {task.spec.id for task in state.placement.waiting()}
            members = [task for task in self._checker.members_of(group.id) if not task.was_up]
            begun = [task for task in members if task.state is RUNNING or task.spec.id in queued]
            if len(begun) > most:
                names = ", ".join(task.id for task in begun)
                raise LawBroken("at-once", f"{names} of {group.id} are under way, and {most} may be", names)
            for task in members:
                waits = task.state is SCHEDULED and task.spec.id not in queued
                if waits and len(begun) < most and not (task.timing and task.timing.retry_at):
                    raise LawBroken("room", f"{task.id} is held, and {group.id} has room", task.id)

    # -- fail-fast -----------------------------------------------------------------------------------------

    def committed(self, changes: Changes, commands: Sequence[Command]) -> None:
        """Check that with the first failure one that is fail-fast has ended, but for what comes after it."""
        for move in changes.transitions:
            if move.state is not FAILED:
                continue
            group = self._checker.groups.get(move.workflow_id or move.job_id)
            task = self._checker.tasks.get(move.task_id)
            if task is not None and group is not None and group.fail_fast:
                self._check_fail_fast(task, group, _asked_to_begin(commands))

    def _check_fail_fast(self, task: Task, group: Group, asked: set[str]) -> None:
        members = self._checker.members_of(group.id)
        is_first = sum(other.state is FAILED for other in members) == 1
        if not is_first and not is_for_itself(task, members):
            return
        for other in members:
            has_word = other.spec.run_if not in PLAIN  # in its turn it goes by that
            waits_its_turn = group.mode is JobMode.SEQUENTIAL and (other.state is PENDING or has_word)
            is_left = not other.state.has_ended and is_for_itself(other, members) and not waits_its_turn
            if is_left and not asked & {other.id, group.id}:
                text = f"{task.id} failed, and {other.id} of the same {group.kind} is {other.state.name}"
                raise LawBroken("fail-fast", text, other.id)


def _asked_to_begin(commands: Iterable[Command]) -> set[str]:
    found: set[str] = set()
    for command in commands:
        if isinstance(command, StartTask | StartGroup | RerunGroup | CreateTasks):
            found |= _named_by(command)
    return found


def _named_by(command: object) -> set[str]:
    """Name the tasks and groups that a command is about."""
    if isinstance(command, CreateTasks):
        return {spec.id for spec in command.specs} | {
            spec.group_id for spec in command.specs if spec.group_id
        }
    return {getattr(command, "task_id", ""), getattr(command, "group_id", "")} - {""}
