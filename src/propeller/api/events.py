"""``/events``: every change of state as server-sent events, in order and without gaps."""

import contextlib
from collections.abc import Iterable, Iterator

from starlette.types import ASGIApp

from propeller.api import queries
from propeller.api.context import Context, HttpRequest, context_of
from propeller.api.endpoints import EventText, get
from propeller.api.looks import PORTION
from propeller.api.sse import STILL_HERE, EventStream, Write
from propeller.core.effects import Transition

#: Bytes that are sent at once while a follower catches up.
_PIECE_BYTES = 64 * 1024


@get(
    "/events",
    gives=EventText,
    query=[
        queries.AFTER,
        queries.LAST_EVENT_ID,
        queries.OF_TASK,
        queries.OF_WORKFLOW,
        queries.OF_JOB,
    ],
)
async def follow_events(request: HttpRequest) -> ASGIApp:
    """Follow the changes of tasks' states, from now on or from an earlier event on."""
    context = context_of(request)
    after = queries.last_event_id(request)
    if after is None:
        after = queries.whole(request, queries.AFTER)
    only = (
        queries.text(request, queries.OF_TASK),
        queries.text(request, queries.OF_WORKFLOW),
        queries.text(request, queries.OF_JOB),
    )
    return EventStream(_Following(context, after, only).send_events)


class _Following:
    """One follower of events; it ends with the feed."""

    def __init__(self, context: Context, after: int | None, only: tuple[str, str, str]) -> None:
        self._feed = context.manager.feed
        self._looks = context.looks
        self._texts = context.event_texts
        # Set here and not at the first wait, so that no event is lost between headers and events.
        self._after = self._feed.last_id if after is None else after
        self._task_id, self._workflow_id, self._job_id = only

    async def send_events(self, write: Write) -> None:
        """Send each event as soon as it is there; send events that are there together in one piece."""
        async for batch in self._feed.follow_in_batches(self._after):
            if not batch:
                await write(STILL_HERE)
            # A large batch is a look at the past: it waits for its turn.
            async with self._looks.portion() if len(batch) > PORTION else contextlib.nullcontext():
                texts = [self._texts.of(*event) for event in batch if self._concerns(event[1])]
            for piece in _pieces(texts):
                await write(piece)

    def _concerns(self, transition: Transition) -> bool:
        return (
            self._task_id in ("", transition.task_id)
            and self._workflow_id in ("", transition.workflow_id)
            and self._job_id in ("", transition.job_id)
        )


def _pieces(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Join texts to the pieces that are sent at once."""
    ready: list[bytes] = []
    size = 0
    for text in texts:
        ready.append(text)
        size += len(text)
        if size >= _PIECE_BYTES:
            yield b"".join(ready)
            ready, size = [], 0
    if ready:
        yield b"".join(ready)


ENDPOINTS = [follow_events]
