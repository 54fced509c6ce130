"""Commands about a whole workflow or job: start it, stop it, run parts of it again, clone it, delete it."""

from msgspec.structs import replace

from propeller.core import attempts, copies, reruns, schedules
from propeller.core.admission import admit
from propeller.core.commands.checks import check_module, find_group, refuse_obstacle, runs_its_one_task
from propeller.core.conditions import why_not, words_of
from propeller.core.events import CloneGroup, DeleteGroup, Rerun, RerunGroup, StartGroup, StopGroup
from propeller.core.failures import Failure
from propeller.core.model import Group, Task
from propeller.core.reasons import Stopped
from propeller.core.state import ClusterState
from propeller.core.states import PENDING
from propeller.errors import Conflict, Invalid


def start(state: ClusterState, command: StartGroup, now: int) -> list[Task]:
    """Start the tasks that wait for nothing; a group that has ended as a whole runs once more.

    A group with a schedule is copied, and the copy starts; its tasks are given.
    """
    group = find_group(state, command.kind, command.group_id)
    tasks = list(group.tasks.values())
    if not tasks:
        raise Conflict(f"{group.kind} {group.id} has no tasks")
    for task in tasks:
        refuse_obstacle(state, task.spec)
    if group.schedule:
        return schedules.run_now(state, group, now)
    if group.has_live_tasks and (runs_its_one_task(group) or not _ready(tasks)):
        raise Conflict(f"{group.kind} {group.id} is running already")
    if not group.has_live_tasks:
        _reset(state, tasks, now)
    for task in _ready(tasks):
        attempts.start_or_skip(state, task, now)
    return []


def rerun(state: ClusterState, command: RerunGroup, now: int) -> None:
    """Run tasks of a group that has ended again, and no others; conditions are looked at anew."""
    group = find_group(state, command.kind, command.group_id)
    for task in group.tasks.values():
        if not task.state.has_ended:
            raise Conflict(f"{group.kind} {group.id} has not ended: {_what_to_do(group, task)}")
    tasks = _to_rerun(group, command)
    for task in tasks:
        refuse_obstacle(state, task.spec)
    _reset(state, tasks, now)
    for task in _ready(tasks):
        attempts.start_or_skip(state, task, now)


def _what_to_do(group: Group, task: Task) -> str:
    """Say what a user does about a group that can't run again, because this task has not ended."""
    if group.schedule is not None:
        return f"it has a schedule, and each of its runs is a {group.kind} of its own; ask for one of these"
    if group.counts[PENDING] == group.size:
        return "it has not begun; start it"
    return f"task {task.id} is {task.state.name.lower()}; wait for its end, or stop it first"


def _to_rerun(group: Group, command: RerunGroup) -> list[Task]:
    if command.from_task:
        return _to_rerun_from(group, command.from_task)
    if command.what is Rerun.ALL:
        if not group.tasks:
            raise Conflict(f"{group.kind} {group.id} has no tasks")
        return list(group.tasks.values())
    tasks = reruns.all_but_good(group)
    if not tasks:
        raise Conflict(
            f"nothing of {group.kind} {group.id} failed, was interrupted or skipped; to run all of it again, "
            "ask for all"
        )
    return tasks


def _to_rerun_from(group: Group, name: str) -> list[Task]:
    found = reruns.called(group, name)
    if len(found) != 1:
        how_many = f"{len(found)} tasks of that name; give the id of one" if found else "no such task"
        raise Invalid(f"from: {name}: {group.kind} {group.id} has {how_many}")
    if why := why_not(found[0], group):
        end = "fail" if isinstance(why, Failure) else "be skipped"
        raise Conflict(f"task {found[0].id} would {end}: {words_of(why)}; begin with that one")
    return reruns.from_task(group, found[0])


def _reset(state: ClusterState, tasks: list[Task], now: int) -> None:
    """Let tasks that have ended wait for their parents once more."""
    for task in tasks:
        attempts.clear(state, task)
        state.move(task, PENDING, now)


def clone(state: ClusterState, command: CloneGroup, now: int) -> list[Task]:
    """Create a group of the same tasks, with ids of their own; nothing of it is started."""
    group = find_group(state, command.kind, command.group_id)
    if not group.tasks:
        raise Conflict(f"{group.kind} {group.id} has no tasks")
    ids = copies.ids_of_clone(group.tasks, command.new_id)
    made = copies.clone_of(group, command.new_id, command.name or group.name, now)
    for task in group.tasks.values():
        check_module(state, task.spec, f"task {task.id}: ")
    specs = [copies.copy_of(task.spec, ids, command.new_id) for task in group.tasks.values()]
    if command.created_by:
        made.definition = replace(made.definition, created_by=command.created_by)
        specs = [replace(spec, created_by=command.created_by) for spec in specs]
    return admit(state, specs, made, now)


def _ready(tasks: list[Task]) -> list[Task]:
    return [task for task in tasks if task.state is PENDING and task.unmet == 0]


def stop(state: ClusterState, command: StopGroup, now: int) -> None:
    """Stop all tasks that have not ended; of a group with a schedule, those of its runs, and what waits."""
    group = find_group(state, command.kind, command.group_id)
    if group.schedule:
        schedules.stop(state, group, now)
        return
    for task in reversed(group.tasks.values()):
        if not task.state.has_ended:
            attempts.interrupt(state, task, Stopped(group.kind), now)


def delete(state: ClusterState, command: DeleteGroup) -> None:
    group = find_group(state, command.kind, command.group_id)
    for task in group.tasks.values():
        attempts.delete(state, task)
    attempts.stop_timer(state, group)
    state.delete_group(group)
