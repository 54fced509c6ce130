"""Copies of workflows that are there, as workflows that new tasks run: made when the task is created."""

from msgspec.structs import replace

from propeller.api.bodies import JSON_BYTES_MAX
from propeller.api.context import Context
from propeller.api.spec_builder import SpecBuilder
from propeller.core.events import CreateTasks
from propeller.core.model import GroupKind, Spec, SubWorkflow
from propeller.errors import Invalid
from propeller.wire.http.schema import encode
from propeller.wire.http.tasks import TASKS_MAX


async def with_copies(context: Context, command: CreateTasks, builder: SpecBuilder) -> CreateTasks:
    """Put copies of the workflows that are named by their ids into the tasks of a command.

    Raises:
        Invalid: There is no such workflow, or it is too large.

    """
    known: dict[str, SubWorkflow] = {}
    for workflow_id, field in builder.copied.items():
        known[workflow_id] = await _copy_of(context, workflow_id, field, command.specs[0].namespace)
    specs = tuple(_filled(spec, known, builder) for spec in command.specs)
    if len(encode(specs)) > JSON_BYTES_MAX:
        field = next(iter(builder.copied.values()))
        raise Invalid(f"{field}: with all copies the tasks have more than {JSON_BYTES_MAX} bytes; copy less")
    return replace(command, specs=specs)


def in_namespace(command: CreateTasks, namespace: str) -> CreateTasks:
    """Have the tasks of a command belong to a namespace."""
    specs = tuple(replace(spec, namespace=namespace) for spec in command.specs)
    return replace(command, specs=specs, says_where=True)


async def _copy_of(context: Context, workflow_id: str, field: str, namespace: str) -> SubWorkflow:
    """Make a copy of a workflow of a namespace."""
    found = await context.store.group(GroupKind.WORKFLOW, workflow_id, tasks_max=TASKS_MAX)
    if found is None or found.groups[0].definition.namespace != namespace:
        raise Invalid(
            f"{field}: there is no workflow {workflow_id}; name one that is there, or give its tasks"
        )
    (group,) = found.groups
    if group.size > len(found.tasks):
        raise Invalid(
            f"{field}: workflow {workflow_id} has {group.size} tasks; at most {TASKS_MAX} can be copied"
        )
    return SubWorkflow(
        specs=tuple(replace(task.spec, workflow_id="", namespace="", created_by="") for task in found.tasks),
        name=group.name,
        fail_fast=group.fail_fast,
        definition=replace(
            group.definition, schedule=None, run_of="", run_for="", namespace="", created_by=""
        ),
        copy_of=workflow_id,
    )


def _filled(spec: Spec, known: dict[str, SubWorkflow], builder: SpecBuilder) -> Spec:
    workflow = spec.workflow
    if workflow is None:
        return spec
    if workflow.specs:
        specs = tuple(_filled(inner, known, builder) for inner in workflow.specs)
        return replace(spec, workflow=replace(workflow, specs=specs))
    if workflow.copy_of in known:
        builder.count(known[workflow.copy_of].size, builder.copied[workflow.copy_of])
        return replace(spec, workflow=known[workflow.copy_of])
    return spec
