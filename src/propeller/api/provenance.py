"""Where results come from: the attempts of a task, and a statement about one of them."""

from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api import queries
from propeller.api.answers import answer
from propeller.api.context import Context, HttpRequest, context_of, id_in_path, stored_task
from propeller.api.endpoints import get
from propeller.core.model import Execution, Task
from propeller.errors import Invalid, NotFound
from propeller.wire.http.provenance import Statement, statement


@get(
    "/tasks/{id}/provenance",
    action=Action.READ,
    gives=Statement,
    query=[queries.ATTEMPT, queries.OF_PROPLET],
    refuses=[404],
    anywhere=True,
)
async def get_provenance(request: HttpRequest) -> ASGIApp:
    """Say where the result of an attempt comes from: an in-toto statement with SLSA provenance."""
    context, task_id = context_of(request), id_in_path(request)
    attempt = queries.whole(request, queries.ATTEMPT)
    proplet_id = queries.text(request, queries.OF_PROPLET)
    task = await stored_task(context, task_id)
    found = await attempts_of(context, task)
    last = found[-1].attempt if found and attempt is None else attempt
    chosen = [one for one in found if (one.attempt == last or (attempt is None and proplet_id))]
    if proplet_id:
        chosen = [one for one in chosen if one.proplet_id == proplet_id][-1:]
    if not chosen:
        raise NotFound(f"not found: task {task_id} has no such attempt; see GET /tasks/{task_id}/attempts")
    if len(chosen) > 1:
        names = ", ".join(one.proplet_id for one in chosen[:5])
        raise Invalid(f"proplet_id: attempt {last} ran on {len(chosen)} proplets; name one of them: {names}")
    return answer(statement(task, chosen[0]))


async def attempts_of(context: Context, task: Task) -> list[Execution]:
    """Read all attempts of a task that are kept, the first at the front."""
    found = await context.store.attempts(task.id)
    present = await context.store.executions(task.id) if task.spec.broadcast else [its_execution(task)]
    known = {(one.attempt, one.proplet_id) for one in found}
    found += [one for one in present if one.attempt and (one.attempt, one.proplet_id) not in known]
    found.sort(key=lambda one: one.attempt)
    return found


def its_execution(task: Task) -> Execution:
    """Give the last attempt of a task that is no broadcast."""
    return Execution(
        proplet_id=task.proplet_id,
        attempt=task.attempt,
        state=task.state,
        results=task.results,
        failure=task.failure,
        started_at=task.started_at,
        finished_at=task.finished_at,
        ran=task.ran,
    )


ENDPOINTS = [get_provenance]
