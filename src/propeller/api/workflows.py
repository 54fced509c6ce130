"""``/workflows``: tasks that depend on each other."""

from starlette.types import ASGIApp

from propeller.api import queries
from propeller.api.answers import answer, nothing
from propeller.api.bodies import read_json
from propeller.api.context import HttpRequest, context_of, id_in_path
from propeller.api.endpoints import delete, get, post
from propeller.api.lifting import Lifted
from propeller.api.looks import PORTION
from propeller.api.rendering import shown_group, task_views
from propeller.api.spec_builder import Modules, SpecBuilder, check_group_name, new_ids
from propeller.core.events import CreateTasks, DeleteGroup, NewGroup, StartGroup, StopGroup
from propeller.core.model import GroupKind
from propeller.errors import Invalid, NotFound
from propeller.wire.http.groups import NewWorkflow, WorkflowMessage, WorkflowPage, WorkflowView, workflow_view
from propeller.wire.http.tasks import TasksView

_WORKFLOW = GroupKind.WORKFLOW


@post(
    "/workflows",
    gives=TasksView,
    status=201,
    takes=NewWorkflow,
    query=[queries.SHOW_FILE],
    refuses=[409],
)
async def create_workflow(request: HttpRequest) -> ASGIApp:
    """Create all tasks of a workflow, or none."""
    context = context_of(request)
    show_file = queries.flag(request, queries.SHOW_FILE)
    creation, modules = await read_json(request, NewWorkflow, _creation)
    created = await context.manager.ask(creation, modules)
    context.files.remember(modules)
    return answer(TasksView(await task_views(context, created, show_file=show_file)), 201)


def _creation(new: NewWorkflow, lifted: Lifted) -> tuple[CreateTasks, Modules]:
    if not new.tasks:
        raise Invalid("tasks: a workflow needs at least one task")
    workflow_id = next((task.workflow_id for task in new.tasks if task.workflow_id), "")
    group = NewGroup(id=workflow_id or next(new_ids(1)), kind=_WORKFLOW, name=check_group_name(new.name))
    builder = SpecBuilder(lifted)
    specs, chosen = builder.specs(new.tasks, "tasks", workflow_id=group.id)
    chosen = (*chosen, workflow_id) if workflow_id else chosen
    return CreateTasks(specs=specs, group=group, chosen_ids=chosen), builder.modules


@get("/workflows", gives=WorkflowPage, query=[queries.OFFSET, queries.MANY, queries.GROUP_STATUS])
async def list_workflows(request: HttpRequest) -> ASGIApp:
    """List workflows, the newest first."""
    context = context_of(request)
    page = queries.paging(request, queries.MANY)
    status = queries.status(request, queries.GROUP_STATUS, "workflow")
    found = await context.manager.store.groups(
        _WORKFLOW, page.offset, page.limit, queries.GROUP_STATES.get(status), tasks_max=0
    )
    views = [workflow_view(group) for group in found.records.groups]
    return answer(WorkflowPage(offset=page.offset, limit=page.limit, total=found.total, workflows=views))


@get("/workflows/{id}", gives=WorkflowView, query=[queries.SHOW_FILE], refuses=[404])
async def get_workflow(request: HttpRequest) -> ASGIApp:
    """Show a workflow with its tasks, in the order given, and the edges between them."""
    context, workflow_id = context_of(request), id_in_path(request)
    show_file = queries.flag(request, queries.SHOW_FILE)
    show_tasks = queries.flag(request, queries.SHOW_TASKS)
    tasks_max = PORTION if show_tasks else 0
    records = await context.manager.store.group(_WORKFLOW, workflow_id, tasks_max=tasks_max)
    if records is None:
        raise NotFound("not found")
    (group,) = records.groups
    if not show_tasks:
        return answer(workflow_view(group))
    return answer(
        workflow_view(group, *await shown_group(context, group, records.tasks, show_file=show_file))
    )


@post(
    "/workflows/{id}/start",
    gives=WorkflowMessage,
    refuses=[404, 409],
)
async def start_workflow(request: HttpRequest) -> ASGIApp:
    """Start the tasks that depend on nothing; the others follow."""
    context, workflow_id = context_of(request), id_in_path(request)
    await context.manager.ask(StartGroup(_WORKFLOW, workflow_id))
    return answer(WorkflowMessage(workflow_id, "workflow started"))


@post(
    "/workflows/{id}/stop",
    gives=WorkflowMessage,
    refuses=[404, 409],
)
async def stop_workflow(request: HttpRequest) -> ASGIApp:
    """Stop all tasks of a workflow that have not ended."""
    context, workflow_id = context_of(request), id_in_path(request)
    await context.manager.ask(StopGroup(_WORKFLOW, workflow_id))
    return answer(WorkflowMessage(workflow_id, "workflow stopped"))


@delete("/workflows/{id}", status=204, refuses=[404, 409])
async def delete_workflow(request: HttpRequest) -> ASGIApp:
    """Delete a workflow with its tasks, and stop those that run."""
    context, workflow_id = context_of(request), id_in_path(request)
    await context.manager.ask(DeleteGroup(_WORKFLOW, workflow_id))
    return nothing()


ENDPOINTS = [create_workflow, list_workflows, get_workflow, start_workflow, stop_workflow, delete_workflow]
