"""``/events``: every change of state as server-sent events, in order and without gaps."""

from collections.abc import AsyncIterator

from litestar import get
from litestar.types import ASGIApp

from propeller.api import queries
from propeller.api.context import HttpRequest, context_of
from propeller.api.openapi import EventText, doc
from propeller.api.stream import SIGN_OF_LIFE, Stream
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
    last = request.headers.get(queries.LAST_EVENT_ID.name)
    after = (
        queries.to_whole(last, queries.LAST_EVENT_ID.name) if last else queries.whole(request, queries.AFTER)
    )
    only = (
        queries.text(request, queries.OF_TASK),
        queries.text(request, queries.OF_WORKFLOW),
        queries.text(request, queries.OF_JOB),
    )
    return Stream(_Following(context.manager.feed, after, *only).texts())


class _Following:
    """What one follower wants to hear; it goes on until the feed is closed."""

    def __init__(self, feed: Feed, after: int | None, task_id: str, workflow_id: str, job_id: str) -> None:
        self._feed = feed
        # Taken down here, not at the first wait, so that nothing falls between headers and events.
        self._after = feed.last_id if after is None else after
        self._task_id = task_id
        self._workflow_id = workflow_id
        self._job_id = job_id

    async def texts(self) -> AsyncIterator[bytes]:
        """Give each event as soon as it is there; those that are there together go together."""
        ready: list[bytes] = []
        size = 0
        async for item in self._feed.follow(self._after):
            if item is None:
                yield SIGN_OF_LIFE
                continue
            event_id, transition = item
            if self._concerns(transition):
                ready.append(_event_text(event_id, transition))
                size += len(ready[-1])
            if ready and (event_id >= self._feed.last_id or size >= _BATCH_BYTES):
                yield b"".join(ready)
                ready.clear()
                size = 0

    def _concerns(self, transition: Transition) -> bool:
        return (
            self._task_id in ("", transition.task_id)
            and self._workflow_id in ("", transition.workflow_id)
            and self._job_id in ("", transition.job_id)
        )


def _event_text(event_id: int, transition: Transition) -> bytes:
    return b"id: %d\nevent: task\ndata: %s\n\n" % (event_id, encode(event_view(transition)))


HANDLERS = [follow_events]
