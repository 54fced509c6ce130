"""Commands about a whole workflow or job: start it, stop it, delete it."""

from propeller.core import attempts
from propeller.core.commands.checks import find_group, refuse_obstacle, runs_its_one_task
from propeller.core.events import DeleteGroup, StartGroup, StopGroup
from propeller.core.model import Task
from propeller.core.reasons import Stopped
from propeller.core.state import ClusterState
from propeller.core.states import PENDING
from propeller.errors import Conflict


def start(state: ClusterState, command: StartGroup, now: int) -> None:
    """Start the tasks that wait for nothing; a group that has ended as a whole runs once more."""
    group = find_group(state, command.kind, command.group_id)
    tasks = list(group.tasks.values())
    if not tasks:
        raise Conflict(f"{group.kind} {group.id} has no tasks")
    for task in tasks:
        refuse_obstacle(task.spec)
    if group.has_live_tasks and (runs_its_one_task(group) or not _ready(tasks)):
        raise Conflict(f"{group.kind} {group.id} is running already")
    if not group.has_live_tasks:
        for task in tasks:
            attempts.clear(state, task)
            state.move(task, PENDING, now)
    for task in _ready(tasks):
        attempts.start_or_skip(state, task, now)


def _ready(tasks: list[Task]) -> list[Task]:
    return [task for task in tasks if task.state is PENDING and task.unmet == 0]


def stop(state: ClusterState, command: StopGroup, now: int) -> None:
    """Stop all tasks that have not ended."""
    group = find_group(state, command.kind, command.group_id)
    for task in reversed(group.tasks.values()):
        if not task.state.has_ended:
            attempts.interrupt(state, task, Stopped(group.kind), now)


def delete(state: ClusterState, command: DeleteGroup) -> None:
    group = find_group(state, command.kind, command.group_id)
    for task in group.tasks.values():
        attempts.delete(state, task)
    attempts.stop_timer(state, group)
    del state.groups[group.id]
    state.turn.delete_group(group)
