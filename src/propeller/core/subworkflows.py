"""Workflows that tasks run: such a task goes to no proplet; each of its attempts is a workflow of its own.

The definition of the workflow and its tasks are part of the task (``Spec.workflow``), so nothing is looked up
when it begins. The workflow of an attempt is a copy of them, with ids that name the task and the attempt. It
begins in the commit in which its task begins, and ends in the one in which its task ends or is tried again.
Who asks which workflow a task runs makes the id of it anew: nothing keeps a link.

Ids of copies may be taken. So a turn has three steps, as for schedules: ``call`` says which ids the tasks
that are ready are going to use, the engine looks these up, and ``time_passed`` makes the workflows. A task
that has become ready by then is called in the next turn.
"""

from msgspec.structs import replace

from propeller.core import admission, attempts, causes, copies, retries
from propeller.core.failures import Failure
from propeller.core.groups import UP, group_state
from propeller.core.model import Group, GroupKind, Spec, SubWorkflow, Task
from propeller.core.reasons import OuterTaskEnded, WorkflowGone
from propeller.core.results import to_guest
from propeller.core.state import ClusterState
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, RUNNING, SKIPPED
from propeller.errors import Invalid

#: How deep workflows may be inside of each other.
DEPTH_MAX = 8
#: How many tasks of workflows begin in a turn, besides those of the last workflow.
_TASKS_PER_TURN = 1000

#: What is for a module on a proplet, by the field in requests.
_OF_MODULES = {
    "file": "module",
    "image_url": "image_url",
    "signature": "signature",
    "cli_args": "cli_args",
    "inputs": "inputs",
    "stdin": "stdin",
    "env": "env",
    "daemon": "daemon",
    "latent": "latent",
    "encrypted": "encrypted",
    "kbs_resource_path": "kbs_resource_path",
    "proplet_id": "pin",
    "monitoring_profile": "monitoring_profile",
    "mode": "mode",
    "broadcast": "broadcast",
    "queue_timeout": "queue_timeout_ns",
    "required_tags": "required_tags",
    "hal_storage_path": "hal_storage_path",
}


def check_fields(spec: Spec, at: str = "") -> None:
    """Raise ``Invalid`` for a task that runs a workflow and says something that is for a module."""
    if spec.workflow is None:
        return
    given = [field for field, name in _OF_MODULES.items() if getattr(spec, name)]
    if spec.sandbox is not None:
        rest = "grants" if spec.sandbox.grants is not None else "limits"
        given.append("timeout" if spec.sandbox.timeout_ns else rest)
    if given:
        raise Invalid(
            f"{at}{given[0]}: a task that runs a workflow has none; leave it out, or give it to the tasks in "
            "the workflow"
        )


# -- begin -------------------------------------------------------------------------------------------------


def call(state: ClusterState) -> tuple[list[str], list[str]]:
    """Call the tasks that are ready to run workflows; give the ids of tasks and workflows that come of it."""
    task_ids: list[str] = []
    group_ids: list[str] = []
    state.called = []
    for task in state.placement.workflows.values():
        assert task.spec.workflow is not None
        inner_id = copies.id_of_inner(task.id, task.attempt + 1)
        state.called.append((task, task.attempt + 1))
        task_ids += copies.ids_of_inner(task.spec.workflow, inner_id).values()
        group_ids.append(inner_id)
        if len(task_ids) >= _TASKS_PER_TURN:
            break
    return task_ids, group_ids


def time_passed(state: ClusterState, now: int) -> None:
    """Begin the workflows of the tasks that were called in this turn."""
    called, state.called = state.called, []
    for task, attempt in called:
        if state.placement.workflows.get(task.seq) is task and task.attempt + 1 == attempt:
            _begin(state, task, now)


def _begin(state: ClusterState, task: Task, now: int) -> None:
    assert task.spec.workflow is not None
    state.placement.wait_no_more(task)
    state.cause = causes.PLACEMENT
    attempts.begin(state, task, None, now)
    group, specs = _inner_of(task, task.spec.workflow, now)
    for name in (group.id, *(spec.id for spec in specs)):
        if name in state.tasks or name in state.groups:
            error = (
                f"workflow: {name}, an id that it needs, is taken; delete what has it and start this again"
            )
            _attempt_failed(state, task, Failure(error), now)
            return
    state.cause = causes.by_outer_task(task.id)
    for inner in admission.admit(state, specs, group, now):
        if inner.unmet == 0:
            attempts.start_or_skip(state, inner, now)


def _inner_of(task: Task, workflow: SubWorkflow, now: int) -> tuple[Group, list[Spec]]:
    """Make the workflow that the present attempt of a task runs, and its tasks."""
    inner_id = copies.id_of_inner(task.id, task.attempt)
    ids = copies.ids_of_inner(workflow, inner_id)
    created_by = task.spec.created_by
    specs = [
        replace(copies.copy_of(spec, ids), workflow_id=inner_id, created_by=created_by)
        for spec in workflow.specs
    ]
    group = Group(
        id=inner_id,
        kind=GroupKind.WORKFLOW,
        seq=0,
        created_at=now,
        name=workflow.name or task.spec.name,
        fail_fast=workflow.fail_fast,
        definition=replace(
            workflow.definition,
            run_for=task.id,
            namespace=task.spec.namespace,
            created_by=created_by,
        ),
        counts=[0] * (UP + 1),
        tasks={},
    )
    return group, specs


# -- end ---------------------------------------------------------------------------------------------------


def follow(state: ClusterState, group: Group, now: int) -> None:
    """End a task, or try it again, as the workflow ended that it runs; what stays up is not waited for."""
    task = state.tasks.get(group.definition.run_for)
    if task is None or task.state is not RUNNING or copies.id_of_inner(task.id, task.attempt) != group.id:
        return
    state.cause = causes.WORKFLOW
    if state.groups.get(group.id) is not group:
        attempts.interrupt(state, task, WorkflowGone(group.id, is_deleted=True), now)
    elif sum(group.counts[:COMPLETED]) > group.counts[UP]:
        pass  # it goes on
    elif (how := group_state(group.counts)) is FAILED:
        _attempt_failed(state, task, _failure_of(group), now)
    elif how is INTERRUPTED:
        attempts.interrupt(state, task, WorkflowGone(group.id), now)
    else:
        task.results = results_of(group)
        attempts.end(state, task, COMPLETED, now)


def leave(state: ClusterState, task: Task, now: int) -> None:
    """Stop the workflow that a task ran, where the task did not complete, is deleted or begins anew."""
    has_completed = task.state is COMPLETED and state.tasks.get(task.id) is task
    group = state.groups.get(copies.id_of_inner(task.id, task.attempt))
    if group is not None and group.definition.run_for == task.id and not has_completed:
        _stop(state, group, task, now)


def _attempt_failed(state: ClusterState, task: Task, failure: Failure, now: int) -> None:
    group = state.groups.get(copies.id_of_inner(task.id, task.attempt))
    if not retries.attempt_failed(state, task, failure, now):
        attempts.fail(state, task, failure, now)
    elif group is not None and group.definition.run_for == task.id:
        _stop(state, group, task, now)


def _stop(state: ClusterState, group: Group, task: Task, now: int) -> None:
    state.cause = causes.by_outer_task(task.id)
    for inner in reversed(group.tasks.values()):  # so that none starts because one before it was stopped
        if not inner.state.has_ended:
            attempts.interrupt(state, inner, OuterTaskEnded(task.id), now)


def _failure_of(group: Group) -> Failure:
    """Give the failure of the task that failed first."""
    failed = [task for task in group.tasks.values() if task.state is FAILED]
    first = min(failed, key=lambda task: (task.finished_at, task.seq))
    assert first.failure is not None
    return Failure(
        f"workflow {group.id}: task {copies.id_inside(first)}: {first.error}",
        first.failure.kind,
        first.failure.exit_code,
    )


def results_of(group: Group) -> dict[str, object]:
    """Give the results of the tasks that nothing depends on but what was skipped, by their ids inside.

    They are JSON: bytes are as a child finds them.
    """
    return {
        copies.id_inside(task): to_guest(task.results)
        for task in group.tasks.values()
        if task.counting_result is not None and all(child.state is SKIPPED for child in task.children)
    }
