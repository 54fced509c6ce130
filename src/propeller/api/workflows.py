"""``/workflows``: tasks that depend on each other."""

from msgspec import UNSET
from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api import queries
from propeller.api.answers import answer, nothing
from propeller.api.belonging import Creator
from propeller.api.context import HttpRequest, context_of, id_in_path
from propeller.api.endpoints import delete, get, post
from propeller.api.group_lists import read_list
from propeller.api.groups import Creation, clone_group, create_group, group_creation, read_group, rerun_group
from propeller.api.lifting import Lifted
from propeller.api.submission import check_start_of_group
from propeller.core.events import DeleteGroup, StartGroup, StopGroup
from propeller.core.model import GroupKind
from propeller.wire.http.groups import (
    NewClone,
    NewRerun,
    NewWorkflow,
    WorkflowMessage,
    WorkflowPage,
    WorkflowView,
    workflow_view,
)
from propeller.wire.http.tasks import TasksView

_WORKFLOW = GroupKind.WORKFLOW


@post(
    "/workflows",
    action=Action.SUBMIT,
    gives=TasksView,
    status=201,
    takes=NewWorkflow,
    query=[queries.SHOW_FILE, queries.IN_NAMESPACE],
    refuses=[409],
)
async def create_workflow(request: HttpRequest) -> ASGIApp:
    """Create all tasks of a workflow, or none."""
    _, views = await create_group(request, NewWorkflow, creation)
    return answer(TasksView(views), 201)


def creation(new: NewWorkflow, lifted: Lifted, creator: Creator) -> Creation:
    """Make the command of a request."""
    return group_creation(new, lifted, creator, _WORKFLOW, fail_fast=new.fail_fast)


@get(
    "/workflows",
    action=Action.READ,
    gives=WorkflowPage,
    query=queries.OF_GROUPS,
    anywhere=True,
)
async def list_workflows(request: HttpRequest) -> ASGIApp:
    """List workflows, the newest first."""
    found = await read_list(request, _WORKFLOW)
    page = found.page
    return answer(
        WorkflowPage(
            offset=found.offset,
            limit=found.limit,
            total=page.total,
            workflows=[
                workflow_view(group, earlier=page.earlier.get(group.id)) for group in page.records.groups
            ],
            next_cursor=found.next_cursor,
        )
    )


@get(
    "/workflows/{id}",
    action=Action.READ,
    gives=WorkflowView,
    query=[queries.SHOW_TASKS, queries.SHOW_FILE],
    refuses=[404],
    anywhere=True,
)
async def get_workflow(request: HttpRequest) -> ASGIApp:
    """Show a workflow with its tasks, in the order given, and the edges between them."""
    group, shown = await read_group(request, _WORKFLOW)
    return answer(workflow_view(group, *shown) if shown else workflow_view(group))


@post("/workflows/{id}/start", action=Action.CHANGE, gives=WorkflowMessage, refuses=[404, 409])
async def start_workflow(request: HttpRequest) -> ASGIApp:
    """Start the tasks that depend on nothing; the others follow. With a schedule, a copy is started."""
    context, workflow_id = context_of(request), id_in_path(request)
    await check_start_of_group(context, _WORKFLOW, workflow_id)
    copied = await context.ask(StartGroup(_WORKFLOW, workflow_id))
    run_id = copied[0].spec.group_id if copied else UNSET
    return answer(WorkflowMessage(workflow_id, "workflow started", run_id))


@post(
    "/workflows/{id}/rerun",
    action=Action.CHANGE,
    gives=WorkflowMessage,
    takes=NewRerun,
    needs_body=False,
    refuses=[404, 409],
)
async def rerun_workflow(request: HttpRequest) -> ASGIApp:
    """Run a workflow that has ended again, or a part of it; without a body, what did not complete."""
    workflow_id = id_in_path(request)
    await rerun_group(request, _WORKFLOW, workflow_id)
    return answer(WorkflowMessage(workflow_id, "workflow started again"))


@post(
    "/workflows/{id}/clone",
    action=Action.SUBMIT,
    gives=TasksView,
    status=201,
    takes=NewClone,
    needs_body=False,
    query=[queries.SHOW_FILE],
    refuses=[404, 409],
)
async def clone_workflow(request: HttpRequest) -> ASGIApp:
    """Create a workflow with the same definition and tasks, which is not started and has no schedule."""
    _, views = await clone_group(request, _WORKFLOW, id_in_path(request))
    return answer(TasksView(views), 201)


@post("/workflows/{id}/stop", action=Action.CHANGE, gives=WorkflowMessage, refuses=[404])
async def stop_workflow(request: HttpRequest) -> ASGIApp:
    """Stop all tasks of a workflow that have not ended, if there are any."""
    context, workflow_id = context_of(request), id_in_path(request)
    await context.ask(StopGroup(_WORKFLOW, workflow_id))
    return answer(WorkflowMessage(workflow_id, "workflow stopped"))


@delete("/workflows/{id}", action=Action.CHANGE, status=204, refuses=[404, 409])
async def delete_workflow(request: HttpRequest) -> ASGIApp:
    """Delete a workflow with its tasks, and stop those that run."""
    context, workflow_id = context_of(request), id_in_path(request)
    await context.ask(DeleteGroup(_WORKFLOW, workflow_id))
    return nothing()


ENDPOINTS = [
    create_workflow,
    list_workflows,
    get_workflow,
    start_workflow,
    rerun_workflow,
    clone_workflow,
    stop_workflow,
    delete_workflow,
]
