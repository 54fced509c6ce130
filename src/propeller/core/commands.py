"""What users may ask for: each command is checked in full before it changes anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from propeller.core import inputs
from propeller.core.events import (
    Command,
    CordonProplet,
    CreateTasks,
    DeleteGroup,
    DeleteProplet,
    DeleteTask,
    DrainProplet,
    NewGroup,
    StartGroup,
    StartTask,
    StopGroup,
    StopTask,
    UpdateTask,
)
from propeller.core.graph import resolve_dependencies
from propeller.core.groups import UP
from propeller.core.model import Group, GroupKind, JobMode, Proplet, Spec, Task
from propeller.core.relations import attach, link, predecessors, skip_reason
from propeller.core.states import PENDING, RUNNING, SCHEDULED
from propeller.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from propeller.core.cluster import Cluster


def carry_out(cluster: Cluster, command: Command, now: int) -> list[Task]:
    """Carry out a command; return the tasks it created or changed, where its answer shows them."""
    match command:
        case CreateTasks():
            return _create(cluster, command, now)
        case UpdateTask():
            return [_update(cluster, command, now)]
        case StartTask():
            _start(cluster, command, now)
        case StopTask():
            _stop(cluster, command, now)
        case DeleteTask():
            _delete(cluster, command)
        case StartGroup():
            _start_group(cluster, _group(cluster, command.kind, command.group_id), now)
        case StopGroup():
            _stop_group(cluster, _group(cluster, command.kind, command.group_id), now)
        case DeleteGroup():
            _delete_group(cluster, _group(cluster, command.kind, command.group_id))
        case DeleteProplet():
            _delete_proplet(cluster, command)
        case CordonProplet():
            cluster.watch.cordon(_proplet(cluster, command.proplet_id), is_cordoned=command.is_cordoned)
        case DrainProplet():
            cluster.watch.drain(_proplet(cluster, command.proplet_id), command.timeout_s, now)
    return []


def obstacle(spec: Spec) -> str:
    """Say why a task can't be run by any proplet of this version, with the way out; ``""`` if it can."""
    if spec.encrypted:
        return "encrypted: no proplet here can run encrypted workloads; set it to false"
    if spec.module is None and not spec.image_url:
        return f"task {spec.id} has no module; upload one with PUT /tasks/{spec.id}/upload"
    return ""


# -- create, update, delete ----------------------------------------------------------------------------


def _create(cluster: Cluster, command: CreateTasks, now: int) -> list[Task]:
    specs = command.specs
    if len({spec.id for spec in specs}) < len(specs):
        raise Invalid("id: two tasks of the request have the same id")
    for taken in command.chosen_ids:
        if taken in cluster.tasks or taken in cluster.groups:
            raise Conflict(f"id: {taken} exists already; choose another or leave it out")
    group = _target_group(cluster, command, now)
    existing = [task.spec for task in group.tasks.values()] if group else []
    specs = _with_references(resolve_dependencies(specs, existing), existing)
    if group and group.mode is JobMode.SEQUENTIAL:
        _refuse_later_dependencies(specs, existing)

    # Nothing can fail any more.
    if group and group.id not in cluster.groups:
        cluster.last_group_seq += 1
        group.seq = cluster.last_group_seq
        cluster.groups[group.id] = group
    created = []
    for number, spec in enumerate(specs):
        cluster.last_task_seq += 1
        # The tutorial's workflow tasks are created nanoseconds apart, a job's tasks all at once.
        created_at = now if spec.job_id else now + number
        attempt = cluster.past_attempts.get(spec.id, 0)
        task = Task(spec=spec, seq=cluster.last_task_seq, created_at=created_at, attempt=attempt)
        cluster.tasks[spec.id] = cluster.created[spec.id] = task
        created.append(task)
    if group:
        before = next(reversed(group.tasks.values()), None)
        group.tasks.update((task.id, task) for task in created)
        for task in created:
            attach(task, group, before)
            before = task
        group.counts[PENDING] += len(created)
        cluster.touched_groups[group.id] = group
    return created


def _with_references(specs: Sequence[Spec], existing: Iterable[Spec]) -> tuple[Spec, ...]:
    names: dict[str, list[str]] = {}
    for spec in (*existing, *specs):
        names.setdefault(spec.name, []).append(spec.id)
    return tuple(inputs.with_ids(spec, names) for spec in specs)


def _target_group(cluster: Cluster, command: CreateTasks, now: int) -> Group | None:
    """The group that the new tasks go to, made but not yet registered if it does not exist."""
    first = command.specs[0]
    if command.group:
        return _new_group(cluster, command.group, now)
    if first.job_id:
        return _group(cluster, GroupKind.JOB, first.job_id)
    if first.workflow_id:
        known = cluster.groups.get(first.workflow_id)
        if known is None:
            return _new_group(cluster, NewGroup(id=first.workflow_id, kind=GroupKind.WORKFLOW), now)
        return _group(cluster, GroupKind.WORKFLOW, first.workflow_id)
    if first.depends_on:
        raise Invalid("workflow_id is required when depends_on is specified")
    return None


def _new_group(cluster: Cluster, new: NewGroup, now: int) -> Group:
    is_job = new.kind is GroupKind.JOB
    mode = (new.mode or cluster.policy.job_mode) if is_job else None
    if mode is JobMode.SEQUENTIAL and new.fail_fast is False:
        raise Invalid(
            "fail_fast: a sequential job stops at its first failure; leave it out, or use execution_mode "
            "configurable"
        )
    return Group(
        id=new.id,
        kind=new.kind,
        seq=0,
        created_at=now,
        name=new.name,
        mode=mode,
        fail_fast=is_job and new.fail_fast is not False,
        counts=[0] * (UP + 1),
        tasks={},
    )


def _refuse_later_dependencies(specs: tuple[Spec, ...], existing: list[Spec]) -> None:
    before = {spec.id for spec in existing}
    for spec in specs:
        for parent in spec.depends_on:
            if parent not in before:
                raise Invalid(
                    f"depends_on: task {spec.id} depends on {parent}, which comes after it in a sequential "
                    "job; change the order, or use execution_mode configurable"
                )
        before.add(spec.id)


def _update(cluster: Cluster, command: UpdateTask, now: int) -> Task:
    task = _task(cluster, command.task_id)
    if task.state in (SCHEDULED, RUNNING):
        raise Conflict(f"task {task.id} is {task.state.name.lower()}; stop it before you change it")
    spec = msgspec.structs.replace(task.spec, **command.changes)
    if spec.broadcast and spec.pin:  # asked here: two changes may each be right and contradict each other
        raise Invalid(
            "broadcast: invalid value provided: broadcast and proplet_id are mutually exclusive; "
            "change the other one too"
        )
    if "inputs" in command.changes:
        group = cluster.groups.get(spec.group_id)
        others = [other.spec for other in group.tasks.values()] if group else []
        (spec,) = _with_references([spec], [other for other in others if other.id != spec.id])
    task.spec = spec
    task.updated_at = now
    cluster.respecified[task.id] = cluster.touched[task.id] = task
    return task


def _delete(cluster: Cluster, command: DeleteTask) -> None:
    task = _task(cluster, command.task_id)
    if task.children:
        raise Conflict(f"task {task.children[0].id} depends on task {task.id}; delete that one first")
    _forget(cluster, task)
    group = cluster.groups.get(task.spec.group_id)
    if group is not None:
        group.counts[task.state] -= 1
        group.counts[UP] -= task.was_up and not task.state.has_ended
        del group.tasks[task.id]
        cluster.touched_groups[group.id] = group
        link(group)


def _forget(cluster: Cluster, task: Task) -> None:
    cluster.send_stops(task)
    cluster.release(task)
    cluster.remember_attempt(task)
    for changed in (cluster.touched, cluster.respecified):
        changed.pop(task.id, None)
    cluster.replaced.pop(task.id, None)
    for proplet_id in task.executions:
        cluster.touched_executions.pop((task.id, proplet_id), None)
    del cluster.tasks[task.id]
    if cluster.created.pop(task.id, None) is None:
        cluster.deleted[task.id] = task


def _delete_group(cluster: Cluster, group: Group) -> None:
    for task in group.tasks.values():
        _forget(cluster, task)
    del cluster.groups[group.id]
    cluster.touched_groups.pop(group.id, None)
    cluster.deleted_groups[group.id] = group


def _delete_proplet(cluster: Cluster, command: DeleteProplet) -> None:
    proplet = _proplet(cluster, command.proplet_id)
    if proplet.placed:
        raise Conflict(f"conflict: proplet {proplet.id} has {len(proplet.placed)} active tasks")
    if proplet.is_alive:
        raise Conflict(f"conflict: proplet {proplet.id} is alive; stop its program first")
    cluster.watch.forget(proplet)


# -- start and stop --------------------------------------------------------------------------------------


def _start(cluster: Cluster, command: StartTask, now: int) -> None:
    task = _task(cluster, command.task_id)
    if task.state in (SCHEDULED, RUNNING):
        raise Conflict(f"task {task.id} is {task.state.name.lower()} already")
    if task.unmet:
        raise Conflict(f"task {task.id} has unmet dependencies: {_names_of_unmet(task)}")

    reason = skip_reason(task)
    if reason:
        raise Conflict(f"task {task.id} can't be started: {reason}; start that one again first")
    for child in task.children:
        if child.state in (SCHEDULED, RUNNING):
            raise Conflict(
                f"task {task.id} can't be started again while {child.id}, which depends on it, runs"
            )
    group = cluster.groups.get(task.spec.group_id)
    if group and _runs_its_one_task(group):
        raise Conflict(f"another task of job {group.id} runs, and its tasks run one at a time")
    _refuse_obstacle(task.spec)
    if task.state.has_ended:
        cluster.clear(task)
    cluster.schedule(task, now)


def _stop(cluster: Cluster, command: StopTask, now: int) -> None:
    task = _task(cluster, command.task_id)
    if task.state.has_ended:
        raise Conflict(f"task {task.id} has ended already: it is {task.state.name.lower()}")
    cluster.interrupt(task, "stopped by a user", now)


def _start_group(cluster: Cluster, group: Group, now: int) -> None:
    """Start the tasks that wait for nothing; a group that has ended as a whole runs once more."""
    tasks = list(group.tasks.values())
    if not tasks:
        raise Conflict(f"{group.kind} {group.id} has no tasks")
    for task in tasks:
        _refuse_obstacle(task.spec)
    if not group.has_live_tasks:
        for task in tasks:
            cluster.clear(task)
            cluster.move(task, PENDING, now)
    ready = [task for task in tasks if task.state is PENDING and task.unmet == 0]
    if not ready or _runs_its_one_task(group):
        raise Conflict(f"{group.kind} {group.id} is running already")
    for task in ready:
        cluster.decide(task, now)


def _runs_its_one_task(group: Group) -> bool:
    """Say whether a sequential job is busy: a task of it may have been started again out of its turn."""
    return (
        group.mode is JobMode.SEQUENTIAL
        and group.counts[SCHEDULED] + group.counts[RUNNING] > group.counts[UP]
    )


def _stop_group(cluster: Cluster, group: Group, now: int) -> None:
    if not group.has_live_tasks:
        raise Conflict(f"{group.kind} {group.id} has ended already")
    for task in reversed(group.tasks.values()):
        if not task.state.has_ended:
            cluster.interrupt(task, f"its {group.kind} was stopped by a user", now)


# -- look-ups --------------------------------------------------------------------------------------------


def _task(cluster: Cluster, task_id: str) -> Task:
    task = cluster.tasks.get(task_id)
    if task is None:
        raise NotFound("not found")
    return task


def _proplet(cluster: Cluster, proplet_id: str) -> Proplet:
    proplet = cluster.proplets.get(proplet_id)
    if proplet is None:
        raise NotFound("not found")
    return proplet


def _group(cluster: Cluster, kind: GroupKind, group_id: str) -> Group:
    group = cluster.groups.get(group_id)
    if group is None or group.kind is not kind:
        raise NotFound("not found")
    return group


def _refuse_obstacle(spec: Spec) -> None:
    reason = obstacle(spec)
    if reason:
        raise Conflict(reason)


def _names_of_unmet(task: Task) -> str:
    unmet = [other.id for other in predecessors(task) if not other.state.has_ended]
    return ", ".join(unmet[:5]) + (f" and {len(unmet) - 5} more" if len(unmet) > 5 else "")
