"""Commands about one task: change it, start it, stop it, delete it. ``creation`` creates."""

import msgspec

from propeller.core import attempts, schedules, subworkflows
from propeller.core.commands.checks import check_module, find_task, refuse_obstacle, runs_its_one_task
from propeller.core.commands.creation import with_references
from propeller.core.conditions import check_names, why_not, words_of
from propeller.core.events import DeleteTask, StartTask, StopTask, UpdateTask
from propeller.core.failures import Failure
from propeller.core.groups import UP
from propeller.core.model import Spec, Task
from propeller.core.reasons import ParentEnded, Reason, Stopped, TaskBeforeEnded
from propeller.core.relations import awaited, link
from propeller.core.retry import RETRY_OF_BROADCAST
from propeller.core.state import ClusterState
from propeller.core.states import RUNNING, SCHEDULED
from propeller.errors import Conflict, Invalid

_OF_MODULE = frozenset({"module", "image_url", "signature"})
_OF_SCHEDULE = frozenset({"schedule", "timezone", "is_recurring", "schedule_options"})


def update(state: ClusterState, command: UpdateTask, now: int) -> Task:
    task = find_task(state, command.task_id)
    if task.state in (SCHEDULED, RUNNING):
        raise Conflict(f"task {task.id} is {task.state.name.lower()}; stop it before you change it")
    spec = msgspec.structs.replace(task.spec, **command.changes)
    subworkflows.check_fields(spec)
    if spec.broadcast and spec.pin:  # checked here: two updates may be right alone and wrong together
        raise Invalid(
            "broadcast: invalid value provided: broadcast and proplet_id are mutually exclusive; "
            "change the other one too"
        )
    if spec.broadcast != task.spec.broadcast and task.attempt:
        raise Conflict(
            f"broadcast: task {task.id} has run, and its attempts are those of "
            f"{'a broadcast' if task.spec.broadcast else 'one proplet'}; create another task"
        )
    if spec.broadcast and spec.retry is not None and spec.retry.max_attempts > 1:
        raise Invalid(f"retry: {RETRY_OF_BROADCAST}; set retry.max_attempts to 1, or broadcast to false")
    if not _OF_MODULE.isdisjoint(command.changes):
        if "signature" not in command.changes and spec.signature and not state.policy.trust.signer_of(spec):
            spec = msgspec.structs.replace(spec, signature="")  # it was of the module before
        check_module(state, spec)
    if "inputs" in command.changes or "stdin" in command.changes:
        group = state.groups.get(spec.group_id)
        others = [other.spec for other in group.tasks.values()] if group else []
        (spec,) = with_references([spec], [other for other in others if other.id != spec.id])
    if "run_if" in command.changes:
        check_names(spec, [parent.spec for parent in task.parents])
    if "name" in command.changes:
        for child in task.children:
            _check_still_named(child, spec)
    if not _OF_SCHEDULE.isdisjoint(command.changes):
        schedules.check_task(spec)
        if spec.whole_schedule != task.schedule:
            schedules.check_comes(spec.whole_schedule, state.wall)
    before = task.schedule
    if spec != task.spec:
        task.spec = msgspec.structs.replace(spec, revision=spec.revision + 1)
    schedules.changed(state, task, before)
    task.updated_at = now
    state.turn.respecified[task.id] = state.turn.touched[task.id] = task
    return task


def delete(state: ClusterState, command: DeleteTask) -> None:
    task = find_task(state, command.task_id)
    if task.children:
        raise Conflict(f"task {task.children[0].id} depends on task {task.id}; delete that one first")
    attempts.delete(state, task)
    group = state.groups.get(task.spec.group_id)
    if group is not None:
        group.counts[task.state] -= 1
        group.counts[UP] -= task.was_up and not task.state.has_ended
        del group.tasks[task.id]
        if not group.has_live_tasks:
            attempts.stop_timer(state, group)
        state.turn.groups[group.id] = group
        link(group)
        state.run_moved(group)


def start(state: ClusterState, command: StartTask, now: int) -> None:
    task = find_task(state, command.task_id)
    _refuse_without_run(state, task)
    if task.state in (SCHEDULED, RUNNING):
        raise Conflict(f"task {task.id} is {task.state.name.lower()} already")
    if task.unmet:
        raise Conflict(f"task {task.id} has unmet dependencies: {_names_of_unmet(task)}")
    group = state.groups.get(task.spec.group_id)
    why = why_not(task, group)
    if why:
        raise Conflict(f"task {task.id} can't be started: {words_of(why)}; {_way_out(why)}")
    for child in task.children:
        if child.state in (SCHEDULED, RUNNING):
            raise Conflict(
                f"task {task.id} can't be started again while {child.id}, which depends on it, runs"
            )
    if group and runs_its_one_task(group):
        raise Conflict(f"another task of job {group.id} runs, and its tasks run one at a time")
    refuse_obstacle(state, task.spec)
    if task.state.has_ended:
        attempts.clear(state, task)
    attempts.schedule(state, task, now)


def stop(state: ClusterState, command: StopTask, now: int) -> None:
    """Stop a task; what has ended stays as it is. Of one with a schedule, all runs are stopped."""
    task = find_task(state, command.task_id)
    _refuse_without_run(state, task)
    if task.course is not None:
        schedules.stop(state, task, now)
    if not task.state.has_ended:
        attempts.interrupt(state, task, Stopped(), now)


def _refuse_without_run(state: ClusterState, task: Task) -> None:
    """Raise ``Conflict`` for a task of a group with a schedule: only copies of it run."""
    group = state.groups.get(task.spec.group_id)
    if group is not None and group.schedule:
        raise Conflict(
            f"task {task.id} is part of {group.kind} {group.id}, which has a schedule: only copies of it "
            f"run; start the {group.kind} for one, or name the task of a run"
        )


def _check_still_named(child: Task, renamed: Spec) -> None:
    """Refuse a name of a parent by which the condition of a child would find it no more, or another one."""
    parents = [renamed if parent.id == renamed.id else parent.spec for parent in child.parents]
    try:
        check_names(child.spec, parents)
    except Invalid as error:
        raise Conflict(f"name: the run_if of task {child.id} goes by it: {error}") from error


def _way_out(why: Reason | Failure) -> str:
    if isinstance(why, ParentEnded | TaskBeforeEnded):
        return "start that one again first"
    return "start what it depends on again first, or change its run_if"


def _names_of_unmet(task: Task) -> str:
    unmet = [other.id for other in awaited(task)]
    return ", ".join(unmet[:5]) + (f" and {len(unmet) - 5} more" if len(unmet) > 5 else "")
