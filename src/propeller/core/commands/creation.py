"""The command that creates tasks: alone, into a workflow or job that is there, or with a new one."""

from collections.abc import Iterable, Sequence

import msgspec

from propeller.core import attempts, inputs, schedules, subworkflows
from propeller.core.admission import admit
from propeller.core.commands.checks import check_module, find_group
from propeller.core.conditions import check_names, is_expression
from propeller.core.copies import longest_inner_id
from propeller.core.events import CreateTasks, NewGroup
from propeller.core.graph import resolve_dependencies
from propeller.core.groups import UP
from propeller.core.model import Defaults, Definition, Group, GroupKind, JobMode, Spec, Task
from propeller.core.sandbox import Sandbox
from propeller.core.state import ClusterState
from propeller.errors import Conflict, Invalid, no_such

_NO_DEFAULTS = Defaults()
_ID_CHARS_MAX = 255
_WHAT_IT_NEEDS = (
    "file: a task in the workflow of a task needs file, image_url or workflow: nothing can be uploaded to it"
)


def create(state: ClusterState, command: CreateTasks, now: int) -> list[Task]:
    specs = command.specs
    if len({spec.id for spec in specs}) < len(specs):
        raise Invalid("id: two tasks of the request have the same id")
    for taken in command.chosen_ids:
        if taken in state.tasks or taken in state.groups:
            raise Conflict(f"id: {taken} exists already; choose another or leave it out")
    group = _target_group(state, command, now)
    existing = [task.spec for task in group.tasks.values()] if group else []
    where = "tasks" if command.group else ""
    specs = _resolved(specs, existing, group.definition.defaults if group else _NO_DEFAULTS, where)
    if group and group.mode is JobMode.SEQUENTIAL:
        _refuse_later_dependencies(specs, existing)

    _check_modules(state, specs, where)
    _check_schedules(specs, group, state.wall)
    if command.group and group:
        schedules.check_comes(group.schedule, state.wall)

    # Nothing can fail any more.
    created = admit(state, specs, group, now)
    for task in created:
        if task.spec.schedule:
            schedules.begin(state, task)
    if command.group and group and group.schedule:
        schedules.begin(state, group)
    return created


def _resolved(
    specs: Sequence[Spec], existing: Sequence[Spec], defaults: Defaults, where: str, depth: int = 0
) -> tuple[Spec, ...]:
    """Check the tasks of a group and those of the workflows inside; fill in ids for names, and defaults."""
    specs = with_references(resolve_dependencies(specs, existing), existing)
    if defaults != _NO_DEFAULTS:
        specs = tuple(_with_defaults(spec, defaults) for spec in specs)
    _check_conditions(specs, existing, where)
    if all(spec.workflow is None for spec in specs):
        return specs
    found = []
    for number, spec in enumerate(specs):
        at = f"{where}[{number}]." if where else ""
        found.append(spec if spec.workflow is None else _with_inner(spec, at, depth + 1))
    return tuple(found)


def _with_inner(spec: Spec, at: str, depth: int) -> Spec:
    """Check the workflow that a task runs; see ``_resolved``."""
    workflow = spec.workflow
    assert workflow is not None
    subworkflows.check_fields(spec, at)
    if depth > subworkflows.DEPTH_MAX:
        raise Invalid(f"{at}workflow: it is more than {subworkflows.DEPTH_MAX} workflows deep; flatten it")
    if not workflow.specs:
        raise Invalid(f"{at}workflow.tasks: a workflow needs at least one task")
    where = f"{at}workflow.tasks"
    if len({inner.id for inner in workflow.specs}) < len(workflow.specs):
        raise Invalid(f"{where}: two tasks have the same id")
    for number, inner in enumerate(workflow.specs):
        if inner.schedule:
            raise Invalid(
                f"{where}[{number}].schedule: a task in the workflow of a task does not run by itself; leave "
                "it out, or give the whole a schedule"
            )
        if failure := attempts.obstacle(inner):
            raise Invalid(f"{where}[{number}]: {_WHAT_IT_NEEDS if not inner.encrypted else failure.error}")
    if depth == 1 and (chars := longest_inner_id(spec.id, workflow)) > _ID_CHARS_MAX:
        raise Invalid(
            f"{at}workflow: ids of its tasks would have up to {chars} characters, because the ids of what "
            f"they are inside of come behind their own; {_ID_CHARS_MAX} are allowed: use shorter ids"
        )
    try:
        specs = _resolved(workflow.specs, (), workflow.definition.defaults, where, depth)
    except Invalid as error:
        raise error if str(error).startswith(where) else Invalid(f"{where}: {error}") from error
    return msgspec.structs.replace(spec, workflow=msgspec.structs.replace(workflow, specs=specs))


def _with_defaults(spec: Spec, defaults: Defaults) -> Spec:
    """Fill in what a task does not say itself and its group says for all."""
    if spec.workflow is not None:  # what is for modules is not for it
        return msgspec.structs.replace(
            spec, retry=spec.retry or defaults.retry, deadline_ns=spec.deadline_ns or defaults.deadline_ns
        )
    sandbox = spec.sandbox
    if defaults.timeout_ns and not (sandbox and sandbox.timeout_ns):
        sandbox = msgspec.structs.replace(sandbox or Sandbox(), timeout_ns=defaults.timeout_ns)
    return msgspec.structs.replace(
        spec,
        retry=defaults.retry if spec.retry is None and not spec.broadcast else spec.retry,
        deadline_ns=spec.deadline_ns or defaults.deadline_ns,
        queue_timeout_ns=spec.queue_timeout_ns or defaults.queue_timeout_ns,
        sandbox=sandbox,
    )


def _check_conditions(specs: Sequence[Spec], existing: Iterable[Spec], where: str) -> None:
    known: dict[str, Spec] = {}
    for number, spec in enumerate(specs):
        if spec.run_if and is_expression(spec.run_if):
            known = known or {one.id: one for one in (*existing, *specs)}
            at = f"{where}[{number}]." if where else ""
            check_names(spec, [known[parent] for parent in spec.depends_on], at)


def _check_modules(state: ClusterState, specs: Sequence[Spec], where: str) -> None:
    """Hold tasks, and those of the workflows inside, to the module policy."""
    for number, spec in enumerate(specs):
        at = f"{where}[{number}]." if where else ""
        if spec.workflow is None:
            check_module(state, spec, at)
        else:
            _check_modules(state, spec.workflow.specs, f"{at}workflow.tasks")


def _check_schedules(specs: Sequence[Spec], group: Group | None, wall: int) -> None:
    for spec in specs:
        if spec.schedule or spec.is_recurring or spec.timezone or spec.schedule_options is not None:
            schedules.check_task(spec)
            schedules.check_comes(spec.whole_schedule, wall)
    if group and group.schedule:
        schedules.check(group.schedule, (group.id, *(spec.id for spec in specs)))


def with_references(specs: Sequence[Spec], existing: Iterable[Spec]) -> tuple[Spec, ...]:
    if not any(map(inputs.has_references, specs)):
        return tuple(specs)
    names: dict[str, list[str]] = {}
    for spec in (*existing, *specs):
        names.setdefault(spec.name, []).append(spec.id)
    return tuple(inputs.with_ids(spec, names) for spec in specs)


def _target_group(state: ClusterState, command: CreateTasks, now: int) -> Group | None:
    """Give the group of the new tasks; one that does not exist is made, and not yet registered."""
    first = command.specs[0]
    if command.group:
        return _new_group(state, command.group, now)
    if first.job_id:
        return _joined(find_group(state, GroupKind.JOB, first.job_id), command)
    if first.workflow_id:
        known = state.groups.get(first.workflow_id)
        if known is None:
            definition = Definition(namespace=first.namespace, created_by=first.created_by)
            new = NewGroup(id=first.workflow_id, kind=GroupKind.WORKFLOW, definition=definition)
            return _new_group(state, new, now)
        return _joined(find_group(state, GroupKind.WORKFLOW, first.workflow_id), command)
    if first.depends_on:
        raise Invalid("workflow_id is required when depends_on is specified")
    return None


def _joined(group: Group, command: CreateTasks) -> Group:
    """Give the group of new tasks; to those of another namespace it is not there."""
    if command.says_where and group.definition.namespace != command.specs[0].namespace:
        raise no_such(group.kind.value, group.id)
    return group


def _new_group(state: ClusterState, new: NewGroup, now: int) -> Group:
    is_job = new.kind is GroupKind.JOB
    mode = (new.mode or state.policy.job_mode) if is_job else None
    if mode is JobMode.SEQUENTIAL and new.fail_fast is False:
        raise Invalid(
            "fail_fast: a sequential job stops at its first failure; leave it out, or use execution_mode "
            "configurable"
        )
    if mode is JobMode.SEQUENTIAL and new.definition.max_parallel:
        raise Invalid(
            "max_parallel: a sequential job runs one task at a time; leave it out, or use execution_mode "
            "parallel"
        )
    return Group(
        id=new.id,
        kind=new.kind,
        seq=0,
        created_at=now,
        name=new.name,
        mode=mode,
        fail_fast=is_job if new.fail_fast is None else new.fail_fast,
        definition=new.definition,
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
