"""What modules are: one that is sent along, or one that a task has."""

from starlette.responses import Response
from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api.bodies import read_module
from propeller.api.context import Context, HttpRequest, context_of, id_in_path, stored_task
from propeller.api.endpoints import AnyModule, get, post
from propeller.core.model import Task
from propeller.errors import Invalid, NotFound, TooLarge
from propeller.wire.http.modules import ModuleView


@post(
    "/modules/inspect",
    action=Action.SUBMIT,
    gives=ModuleView,
    takes=AnyModule,
    refuses=[504],
    takes_key=False,
    anywhere=True,
)
async def inspect_module(request: HttpRequest) -> ASGIApp:
    """Say what a module is, what it needs and how to call it; it may be WebAssembly or text (WAT).

    Of one that came as text, the answer has the WebAssembly too. Nothing of it is stored.
    """
    context = context_of(request)
    data = await read_module(request)
    if not data:
        raise Invalid("body: it is empty; send a module, as WebAssembly or as text")
    try:
        return _answer(await context.inspections.of(data))
    except Invalid as error:
        raise Invalid(f"body: {error}") from error


@get("/tasks/{id}/module", action=Action.READ, gives=ModuleView, refuses=[404, 504], anywhere=True)
async def show_module(request: HttpRequest) -> ASGIApp:
    """Say what the module of a task is, what it needs and how to call it."""
    context, task_id = context_of(request), id_in_path(request)
    task = await stored_task(context, task_id)
    module = task.spec.module
    found = None if module is None else context.inspections.kept(module.digest)
    if found is None:
        digest, data = await module_of(context, task)
        try:
            found = await context.inspections.of_stored(digest, data)
        except (Invalid, TooLarge) as error:
            raise NotFound(
                f"not found: nothing can be said of the module of task {task_id}: {error}"
            ) from error
    return _answer(found)


async def module_of(context: Context, task: Task) -> tuple[str, bytes]:
    """Read the module of a task; give its digest and its bytes.

    Raises:
        NotFound: The manager does not have it; the message says who does.

    """
    task_id, spec = task.spec.id, task.spec
    if spec.workflow is not None:
        raise NotFound(f"not found: task {task_id} has no module; it runs a workflow")
    if spec.module is None and spec.image_url:
        raise NotFound(
            f"not found: the manager does not have the module of task {task_id}: proplets fetch it from "
            f"{spec.image_url}; look there, or with propeller inspect {spec.image_url}"
        )
    if spec.module is None:
        raise NotFound(
            f"not found: task {task_id} has no module; upload one with PUT /tasks/{task_id}/upload"
        )
    data = (await context.store.modules([spec.module.digest])).get(spec.module.digest)
    if data is None:
        raise NotFound(f"not found: the module of task {task_id} was replaced just now; ask again")
    return spec.module.digest, data


def _answer(found: bytes) -> Response:
    return Response(found + b"\n", media_type="application/json")


ENDPOINTS = [inspect_module, show_module]
