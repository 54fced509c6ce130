"""``/tasks``: single tasks."""

import asyncio
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import UNSET
from starlette.responses import Response
from starlette.types import ASGIApp

from propeller.access import namespaces
from propeller.access.roles import Action
from propeller.api import queries, sent_back
from propeller.api.answers import answer, as_file, nothing, wants_bytes
from propeller.api.belonging import Creator, authorize_record, creator_of, namespaces_of
from propeller.api.bodies import read_json, read_upload
from propeller.api.context import Context, HttpRequest, context_of, id_in_path, stored_task
from propeller.api.cursors import read_cursor, write_cursor
from propeller.api.endpoints import Binary, delete, get, post, put
from propeller.api.inner import in_namespace
from propeller.api.lifting import Lifted
from propeller.api.modules import module_of
from propeller.api.provenance import attempts_of, its_execution
from propeller.api.rendering import Showing, showing, task_views
from propeller.api.samples import task_sample_page
from propeller.api.sandbox import sandbox_of
from propeller.api.spec_builder import SpecBuilder, check_encrypted, checked_signature
from propeller.api.submission import check_change, check_secrets, check_start, submit
from propeller.core.events import CreateTasks, DeleteTask, StartTask, StopTask, UpdateTask
from propeller.core.model import Spec, Task
from propeller.core.results import as_bytes, to_json
from propeller.errors import Invalid, NotFound
from propeller.store.port import Record, Sought, TaskCursor, TaskFilter
from propeller.wire.http.executions import AttemptsView, ExecutionsView, execution_view
from propeller.wire.http.samples import TaskSamplePage
from propeller.wire.http.schema import encode
from propeller.wire.http.tasks import (
    NewTask,
    Results,
    Started,
    Stopped,
    TaskChanges,
    TaskPage,
    TaskView,
    inner_view,
    results_view,
)


@post(
    "/tasks",
    action=Action.SUBMIT,
    gives=TaskView,
    status=201,
    takes=NewTask,
    query=[queries.SHOW_FILE, queries.IN_NAMESPACE],
    refuses=[404, 409],
    has_location=True,
)
async def create_task(request: HttpRequest) -> ASGIApp:
    """Create a task; ``workflow_id`` or ``job_id`` adds it to that workflow or job."""
    context = context_of(request)
    show = showing(request)
    creation, builder = await read_json(request, NewTask, partial(_creation, creator_of(request)))
    created = await submit(context, await _placed(request, creation, builder), builder)
    (view,) = await task_views(context, created, show)
    return answer(view, 201, {"location": f"/tasks/{quote(view.id, safe='')}"})


async def _placed(request: HttpRequest, creation: CreateTasks, builder: SpecBuilder) -> CreateTasks:
    """See to it that somebody may add to the workflow or job that is named, and to where it belongs."""
    (spec,) = creation.specs
    if not spec.group_id:
        return creation
    record = Record("workflow" if spec.workflow_id else "job", spec.group_id)
    await authorize_record(request, Action.CHANGE, record)
    if creation.says_where or not builder.copied:
        return creation
    # What is copied is looked for where the task will belong.
    found = await context_of(request).store.belonging(record)
    return creation if found is None else in_namespace(creation, found.namespace)


def _creation(creator: Creator, new: NewTask, lifted: Lifted) -> tuple[CreateTasks, SpecBuilder]:
    workflow_id, job_id = new.workflow_id or "", new.job_id or ""
    if workflow_id and job_id:
        raise Invalid("job_id: a task is in a workflow or in a job, not in both; leave one of them out")
    new.kind = new.kind or "standard"
    new.priority = new.priority or 50
    place = creator.place(new.namespace)
    builder = SpecBuilder(lifted, place)
    specs, chosen = builder.specs([new], workflow_id=workflow_id, job_id=job_id)
    return CreateTasks(specs=specs, chosen_ids=chosen, says_where=place.is_said), builder


@get(
    "/tasks",
    action=Action.READ,
    gives=TaskPage,
    query=[
        queries.OFFSET,
        queries.LIMIT,
        queries.OF_WORKFLOW,
        queries.OF_JOB,
        queries.METADATA,
        queries.TASK_STATE,
        queries.ID_PREFIX,
        queries.NAME,
        queries.SINCE,
        queries.ORDER,
        queries.SEARCH,
        queries.ON_PROPLET,
        queries.TASK_CURSOR,
        queries.SHOW_FILE,
        queries.NAMESPACE,
        queries.CREATED_BY,
    ],
    anywhere=True,
)
async def list_tasks(request: HttpRequest) -> ASGIApp:
    """List tasks in the order of their creation, or the newest first."""
    context = context_of(request)
    page = queries.paging(request)
    show = showing(request)
    only = TaskFilter(
        workflow_id=queries.text(request, queries.OF_WORKFLOW),
        job_id=queries.text(request, queries.OF_JOB),
        metadata=queries.metadata(request),
        state=queries.TASK_STATES.get(queries.word(request, queries.TASK_STATE)),
        id_prefix=queries.text(request, queries.ID_PREFIX),
        name=queries.text(request, queries.NAME),
        since=queries.time(request, queries.SINCE),
        namespaces=namespaces_of(request),
        created_by=queries.text(request, queries.CREATED_BY),
    )
    is_newest_first = queries.is_newest_first(request)
    sought = Sought(only, queries.searched(request), queries.text(request, queries.ON_PROPLET))
    if sought != Sought(only) or queries.TASK_CURSOR.name in request.query_params:
        return answer(await _found(request, page, sought, show, is_newest_first=is_newest_first))
    found = await context.store.tasks(page.offset, page.limit, only, newest_first=is_newest_first)
    views = await task_views(context, found.items, show)
    return answer(
        TaskPage(
            offset=page.offset,
            limit=page.limit,
            total=found.total,
            total_is_at_least=True if found.total_is_at_least else UNSET,
            tasks=views,
        )
    )


async def _found(
    request: HttpRequest, page: queries.Paging, sought: Sought, show: Showing, *, is_newest_first: bool
) -> TaskPage:
    """Search for a page of tasks, in bounded time."""
    if page.offset:
        raise Invalid("offset: a search goes on by cursor; leave it out, and give the next_cursor of a page")
    context = context_of(request)
    store = context.store
    after = read_cursor(queries.text(request, queries.TASK_CURSOR), TaskCursor)
    total = await store.count_tasks(sought.only) if sought == Sought(sought.only) else None
    found = await store.search_tasks(sought, page.limit, newest_first=is_newest_first, after=after)
    return TaskPage(
        offset=0,
        limit=page.limit,
        total=UNSET if total is None else total,
        tasks=await task_views(context, found.tasks, show),
        next_cursor=UNSET if found.next is None else write_cursor(found.next),
    )


@get(
    "/tasks/{id}", action=Action.READ, gives=TaskView, query=[queries.SHOW_FILE], refuses=[404], anywhere=True
)
async def get_task(request: HttpRequest) -> ASGIApp:
    """Show a task."""
    context, task_id = context_of(request), id_in_path(request)
    show = showing(request)
    return await _shown(context, await stored_task(context, task_id), show)


@put(
    "/tasks/{id}",
    action=Action.CHANGE,
    gives=TaskView,
    takes=TaskChanges,
    query=[queries.SHOW_FILE],
    refuses=[404, 409],
)
async def update_task(request: HttpRequest) -> ASGIApp:
    """Change the fields of a task that are given; the others stay as they are."""
    context, task_id = context_of(request), id_in_path(request)
    show = showing(request)
    given, changes, builder = await read_json(request, TaskChanges, _changes)
    task = await stored_task(context, task_id)
    spec = task.spec
    sent_back.keep(task, given, changes)
    _check_fixed(given, spec)
    if given.timeout is not None or given.limits is not None or given.grants is not None:
        changes["sandbox"] = sandbox_of(given, spec.sandbox)
    wanted = msgspec.structs.replace(spec, **changes)
    check_encrypted(wanted)
    check_change(spec, wanted, builder)
    if "env" in changes:
        check_secrets(context, wanted, wanted.namespace)
    changed = await submit(context, UpdateTask(task_id, changes), builder)
    return await _shown(context, changed[0], show)


def _changes(given: TaskChanges, lifted: Lifted) -> tuple[TaskChanges, dict[str, Any], SpecBuilder]:
    builder = SpecBuilder(lifted)
    return given, builder.fields(given), builder


def _check_fixed(given: TaskChanges, spec: Spec) -> None:
    """Refuse to change what is fixed; who sends an answer back need not take it out."""
    for name in ("id", "workflow_id", "job_id", "namespace"):
        wanted, fixed = getattr(given, name), getattr(spec, name)
        if name == "namespace":
            fixed = namespaces.shown(fixed)
        if wanted and wanted != fixed:
            raise Invalid(f"{name}: it can't be changed from {fixed or 'none'} to {wanted}; leave it out")
    if given.workflow is not None:
        fixed = None if spec.workflow is None else msgspec.json.decode(encode(inner_view(spec.workflow)))
        if given.workflow != fixed:
            raise Invalid("workflow: it can't be changed; leave it out, or create another task with it")
    if given.depends_on is not None and tuple(given.depends_on) != spec.depends_on:
        raise Invalid(
            "depends_on: it can't be changed; leave it out, or delete the task and create it anew with it"
        )


@put(
    "/tasks/{id}/upload",
    action=Action.CHANGE,
    gives=TaskView,
    takes=Binary,
    query=[queries.SHOW_FILE],
    refuses=[404, 409, 504],
)
async def upload_module(request: HttpRequest) -> ASGIApp:
    """Give a task its module; the name of the uploaded file ends in ``.wasm``, or in ``.wat`` for text."""
    context, task_id = context_of(request), id_in_path(request)
    show = showing(request)
    upload = await read_upload(request)
    data = upload.data
    if upload.is_text:
        try:
            data = await context.inspections.compiled(data)
        except Invalid as error:
            raise Invalid(f"file: {error}") from error
    builder = SpecBuilder()
    module = await asyncio.to_thread(builder.module, data)  # hashing a large one takes time
    spec = (await stored_task(context, task_id)).spec
    changes: dict[str, Any] = {"module": module}
    if upload.signature is not None:
        changes["signature"] = checked_signature(upload.signature)
    wanted = msgspec.structs.replace(spec, **changes)
    check_encrypted(wanted)
    check_change(spec, wanted, builder)
    way_out = f"; upload another module, or first change the task for this one: PUT /tasks/{task_id}"
    command = UpdateTask(task_id, changes)
    changed = await submit(context, command, builder, way_out=way_out)
    return await _shown(context, changed[0], show)


@get("/tasks/{id}/file", action=Action.READ, gives=Binary, refuses=[404], anywhere=True)
async def get_module(request: HttpRequest) -> ASGIApp:
    """Download the module of a task."""
    context, task_id = context_of(request), id_in_path(request)
    _, data = await module_of(context, await stored_task(context, task_id))
    return Response(data, media_type="application/wasm")


@delete("/tasks/{id}", action=Action.CHANGE, status=204, refuses=[404, 409])
async def delete_task(request: HttpRequest) -> ASGIApp:
    """Delete a task, and stop it if it runs; tasks that depend on it have to be deleted first."""
    context, task_id = context_of(request), id_in_path(request)
    await context.ask(DeleteTask(task_id))
    return nothing()


@post("/tasks/{id}/start", action=Action.CHANGE, gives=Started, refuses=[404, 409])
async def start_task(request: HttpRequest) -> ASGIApp:
    """Start a task, for the first time or again."""
    context, task_id = context_of(request), id_in_path(request)
    await check_start(context, task_id)
    await context.ask(StartTask(task_id))
    return answer(Started())


@post("/tasks/{id}/stop", action=Action.CHANGE, gives=Stopped, refuses=[404])
async def stop_task(request: HttpRequest) -> ASGIApp:
    """Stop a task; one that has ended stays as it is."""
    context, task_id = context_of(request), id_in_path(request)
    await context.ask(StopTask(task_id))
    return answer(Stopped())


@get(
    "/tasks/{id}/results", action=Action.READ, gives=Results, refuses=[404], may_be_bytes=True, anywhere=True
)
async def get_results(request: HttpRequest) -> ASGIApp:
    """Show the result of a task's last run, or null; with ``Accept: application/octet-stream`` as it is."""
    context, task_id = context_of(request), id_in_path(request)
    results = (await stored_task(context, task_id)).results
    if not wants_bytes(request):
        return answer(results_view(results))
    if results is None:
        raise NotFound(f"not found: task {task_id} has no results")
    data = as_bytes(results)
    return as_file(data if isinstance(data, bytes) else encode(to_json(data)[0]))


@get("/tasks/{id}/attempts", action=Action.READ, gives=AttemptsView, refuses=[404], anywhere=True)
async def get_attempts(request: HttpRequest) -> ASGIApp:
    """Show all attempts of a task, the first at the front; of many only the newest are kept."""
    context, task_id = context_of(request), id_in_path(request)
    found = await attempts_of(context, await stored_task(context, task_id))
    return answer(AttemptsView(total=len(found), attempts=list(map(execution_view, found))))


@get("/tasks/{id}/executions", action=Action.READ, gives=ExecutionsView, refuses=[404], anywhere=True)
async def get_executions(request: HttpRequest) -> ASGIApp:
    """Show the last executions of a task, one for each proplet; with ``broadcast`` there are several."""
    context, task_id = context_of(request), id_in_path(request)
    task = await stored_task(context, task_id)
    if task.spec.broadcast:
        executions = await context.store.executions(task_id)
    else:
        executions = [its_execution(task)] if task.proplet_id else []
    return answer(ExecutionsView(total=len(executions), executions=list(map(execution_view, executions))))


@get(
    "/tasks/{id}/metrics",
    action=Action.READ,
    gives=TaskSamplePage,
    query=[queries.OFFSET, queries.MANY],
    refuses=[404],
    anywhere=True,
)
async def get_task_metrics(request: HttpRequest) -> ASGIApp:
    """Show the resources that the runs of a task used, the newest sample first."""
    context, task_id = context_of(request), id_in_path(request)
    page = queries.paging(request, queries.MANY)
    await stored_task(context, task_id)
    return answer(await task_sample_page(context, task_id, page))


async def _shown(context: Context, task: Task, show: Showing) -> ASGIApp:
    views = await task_views(context, [task], show)
    return answer(views[0])


ENDPOINTS = [
    create_task,
    list_tasks,
    get_task,
    update_task,
    upload_module,
    get_module,
    delete_task,
    start_task,
    stop_task,
    get_results,
    get_attempts,
    get_executions,
    get_task_metrics,
]
