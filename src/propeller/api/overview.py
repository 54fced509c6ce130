"""Looks at the whole.

``/overview``: counts of all that there is, once or as a stream; ``/pace``: what was done in the last hour;
``/failures``: what failed last.
"""

from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api import queries
from propeller.api.answers import answer, wants_events
from propeller.api.belonging import namespaces_of
from propeller.api.context import HttpRequest, context_of
from propeller.api.endpoints import get
from propeller.api.sse import EventStream
from propeller.manager.pace import STEP_S
from propeller.wire.http.overview import FailuresView, OverviewView, PaceView, failed_task


@get("/overview", action=Action.SEE_FLEET, gives=OverviewView, may_stream=True)
async def get_overview(request: HttpRequest) -> ASGIApp:
    """Count tasks, workflows, jobs and proplets by state; with ``Accept: text/event-stream``, at each change.

    The events are named overview; there are at most two a second.
    """
    overviews = context_of(request).overviews
    if wants_events(request):
        return EventStream(overviews.send_events)
    return answer(await overviews.view())


@get(
    "/failures",
    action=Action.READ,
    gives=FailuresView,
    query=[queries.FAILED_SINCE, queries.FEW, queries.NAMESPACE],
    anywhere=True,
)
async def get_failures(request: HttpRequest) -> ASGIApp:
    """List the tasks that have failed since a time, the one that failed last at the front.

    A task that was started again since then is not among them.
    """
    since, limit = queries.time(request, queries.FAILED_SINCE), queries.within(request, queries.FEW)
    found = await context_of(request).store.failures(since, limit, namespaces_of(request))
    return answer(FailuresView(total=found.total, failures=[failed_task(task) for task in found.items]))


@get("/pace", action=Action.SEE_FLEET, gives=PaceView)
async def get_pace(request: HttpRequest) -> ASGIApp:
    """Show what was done in the last hour, in steps of ten seconds: also before a restart of the manager."""
    end_s, steps = context_of(request).manager.pace.last_hour()
    return answer(
        PaceView(
            step_s=STEP_S,
            end=end_s * 1000,
            started=[step.started if step else 0 for step in steps],
            completed=[step.completed if step else 0 for step in steps],
            failed=[step.failed if step else 0 for step in steps],
            ended_otherwise=[step.ended_otherwise if step else 0 for step in steps],
            waiting=[step.waiting if step else None for step in steps],
            running=[step.running if step else None for step in steps],
        )
    )


ENDPOINTS = [get_overview, get_pace, get_failures]
