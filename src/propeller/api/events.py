"""``/events``: every change of state as server-sent events, in order and without gaps."""

from litestar import get
from litestar.types import ASGIApp

from propeller.api import queries
from propeller.api.context import HttpRequest, context_of
from propeller.api.openapi import EventText, doc
from propeller.api.sse import STILL_HERE, EventStream, Write, event_text
from propeller.core.effects import Transition
from propeller.manager.feed import Feed
from propeller.wire.rest import event_view
from propeller.wire.schema import encode

#: What is sent at once while a follower catches up.
_BATCH_BYTES = 64 * 1024


@get(
    "/events",
    opt=doc(
        gives=EventText,
        query=[
            queries.AFTER,
            queries.LAST_EVENT_ID,
            queries.OF_TASK,
            queries.OF_WORKFLOW,
            queries.OF_JOB,
        ],
    ),
)
async def follow_events(request: HttpRequest) -> ASGIApp:
    """Follow what happens to tasks, from now on or from an earlier event on."""
    context = context_of(request)
    after = queries.last_event_id(request)
    if after is None:
        after = queries.whole(request, queries.AFTER)
    only = (
        queries.text(request, queries.OF_TASK),
        queries.text(request, queries.OF_WORKFLOW),
        queries.text(request, queries.OF_JOB),
    )
    return EventStream(_Following(context.manager.feed, after, *only).send_events)


class _Following:
    """One follower; ends with the feed."""

    def __init__(self, feed: Feed, after: int | None, task_id: str, workflow_id: str, job_id: str) -> None:
        self._feed = feed
        # Taken down here, not at the first wait, so that nothing falls between headers and events.
        self._after = feed.last_id if after is None else after
        self._task_id = task_id
        self._workflow_id = workflow_id
        self._job_id = job_id

    async def send_events(self, write: Write) -> None:
        """Send each event as soon as it is there; those that are there together go together."""
        ready: list[bytes] = []
        size = 0
        async for item in self._feed.follow(self._after):
            if item is None:
                await write(STILL_HERE)
                continue
            event_id, transition = item
            if self._concerns(transition):
                ready.append(event_text(event_id, "task", encode(event_view(transition))))
                size += len(ready[-1])
            if ready and (event_id >= self._feed.last_id or size >= _BATCH_BYTES):
                await write(b"".join(ready))
                ready.clear()
                size = 0

    def _concerns(self, transition: Transition) -> bool:
        return (
            self._task_id in ("", transition.task_id)
            and self._workflow_id in ("", transition.workflow_id)
            and self._job_id in ("", transition.job_id)
        )


HANDLERS = [follow_events]
