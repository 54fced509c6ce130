"""``/tasks/{id}/events`` and its kin: what became of one task, workflow or job, as far as it is kept."""

from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api import queries
from propeller.api.answers import answer
from propeller.api.context import HttpRequest, context_of, id_in_path, stored_task
from propeller.api.endpoints import get
from propeller.core.model import GroupKind
from propeller.errors import no_such
from propeller.store.port import EventFilter
from propeller.wire.http.events import EventPage, kept_event_view

_QUERY = [queries.EVENTS_AFTER, queries.LIMIT]


@get("/tasks/{id}/events", action=Action.READ, gives=EventPage, query=_QUERY, refuses=[404], anywhere=True)
async def get_task_events(request: HttpRequest) -> ASGIApp:
    """Show the changes of state of a task that are kept, the oldest first."""
    task_id = id_in_path(request)
    await stored_task(context_of(request), task_id)
    return await _page(request, EventFilter(task_id=task_id))


@get(
    "/workflows/{id}/events", action=Action.READ, gives=EventPage, query=_QUERY, refuses=[404], anywhere=True
)
async def get_workflow_events(request: HttpRequest) -> ASGIApp:
    """Show the changes of state of the tasks of a workflow that are kept, the oldest first."""
    workflow_id = id_in_path(request)
    await _check_group(request, GroupKind.WORKFLOW, workflow_id)
    return await _page(request, EventFilter(workflow_id=workflow_id))


@get("/jobs/{id}/events", action=Action.READ, gives=EventPage, query=_QUERY, refuses=[404], anywhere=True)
async def get_job_events(request: HttpRequest) -> ASGIApp:
    """Show the changes of state of the tasks of a job that are kept, the oldest first."""
    job_id = id_in_path(request)
    await _check_group(request, GroupKind.JOB, job_id)
    return await _page(request, EventFilter(job_id=job_id))


async def _check_group(request: HttpRequest, kind: GroupKind, group_id: str) -> None:
    if await context_of(request).store.group(kind, group_id, tasks_max=0) is None:
        raise no_such(kind.value, group_id)


async def _page(request: HttpRequest, only: EventFilter) -> ASGIApp:
    after = queries.whole(request, queries.EVENTS_AFTER) or 0
    limit = queries.within(request, queries.LIMIT)
    found = await context_of(request).store.events_of(only, after, limit)
    return answer(
        EventPage(
            events=[kept_event_view(*event) for event in found.events],
            first_id=found.first_id,
            complete=found.is_complete,
            next=found.next_after,
            more=found.has_more,
        )
    )


ENDPOINTS = [get_task_events, get_workflow_events, get_job_events]
