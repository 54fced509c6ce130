"""``/tasks/{id}/logs``: the logs of a task's guests, as a page or as server-sent events."""

import asyncio
import contextlib
import time

from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api import queries
from propeller.api.answers import answer
from propeller.api.context import Context, HttpRequest, context_of, id_in_path, stored_task
from propeller.api.endpoints import get
from propeller.api.sse import KEEP_ALIVE_S, EventStream, Write, event_text
from propeller.core.model import Task
from propeller.core.states import TaskState
from propeller.manager.service import Manager
from propeller.store.port import LogFilter, LogTail, StoredPiece
from propeller.wire.http.logs import LogEnd, LogPage, LogView
from propeller.wire.http.schema import encode
from propeller.wire.rfc3339 import format_time

#: How long after the result the last pieces may arrive, since they are sent apart from it.
_GRACE_S = 1.0
#: So long after its end nothing more of a task is on its way, whatever the clocks of machines say.
_SETTLED_S = 60.0
#: How many pieces a follower is sent at once.
_BATCH = 100


@get(
    "/tasks/{id}/logs",
    action=Action.READ,
    gives=LogPage,
    query=[
        queries.LOG_STREAM,
        queries.LOG_ATTEMPT,
        queries.TAIL,
        queries.PIECES_AFTER,
        queries.PIECES,
        queries.FOLLOW,
        queries.LAST_EVENT_ID,
    ],
    refuses=[404],
    may_stream=True,
    anywhere=True,
)
async def get_task_logs(request: HttpRequest) -> ASGIApp:
    """Show the logs of a task, or follow them until the task has ended."""
    context, task_id = context_of(request), id_in_path(request)
    is_followed = queries.flag(request, queries.FOLLOW)
    limit = queries.within(request, queries.PIECES)
    seen = queries.last_event_id(request)
    stream, attempt = queries.word(request, queries.LOG_STREAM), queries.log_attempt(request)
    tail = queries.whole(request, queries.TAIL)
    start = LogTail(queries.whole(request, queries.PIECES_AFTER) or 0, 0)

    last_event_id = context.feed.last_id  # before the task is read, so that no change is missed
    task = await stored_task(context, task_id)
    if context.has_leader and not (context.follows and _is_settled(task)):
        await context.manager.logs.flush()
    # A follower that comes back gets all pieces after its last one, even if there is a later attempt by now.
    only = await _chosen(context, task_id, stream, 0 if seen is not None and attempt is None else attempt)
    if seen is not None:
        start = LogTail(seen, 0)
    elif tail is not None:
        start = max(start, await context.store.tail_of_logs(only, tail))
    if is_followed:
        return EventStream(_Following(context.manager, task, only, start, last_event_id).send_events)
    found = await context.store.logs(only, start.after, limit)
    return answer(LogPage(total=found.total, logs=_views(found.items, start.chars)))


def _is_settled(task: Task) -> bool:
    """Say whether all that a task wrote has come to the store, as far as can be told without its manager."""
    return task.state.has_ended and time.time_ns() - task.updated_at > _SETTLED_S * 1e9


async def _chosen(context: Context, task_id: str, stream: str, attempt: int | None) -> LogFilter:
    """Choose an attempt: 0 stands for all, None for the last that wrote something and any after it.

    In a broadcast, each proplet has its own last attempt.
    """
    if attempt:
        return LogFilter(task_id, stream, attempt, attempt)
    store = context.store
    first = 0 if attempt == 0 else await store.last_log_attempt(task_id, stream)
    of_executions = [one.attempt for one in await store.executions(task_id)] if attempt is None else []
    return LogFilter(task_id, stream, min([first, *of_executions]))


def _views(pieces: list[StoredPiece], chars: int) -> list[LogView]:
    """Render pieces, the first one without its first ``chars`` characters."""
    views = [
        LogView(
            id=number,
            attempt=piece.attempt,
            proplet_id=piece.proplet_id,
            stream="stdout" if piece.stream == "stdout" else "stderr",
            offset=piece.offset,
            time=format_time(piece.at),
            text=piece.text,
        )
        for number, piece in pieces
    ]
    for view, (_, piece) in zip(views, pieces, strict=True):
        if piece.is_cut:
            view.cut = True
    if views and chars:
        first = views[0]
        first.offset += len(first.text[:chars].encode())
        first.text = first.text[chars:]
    return views


class _Following:
    """One follower of logs; it ends with the task, or without an end event with the manager."""

    def __init__(
        self, manager: Manager, task: Task, only: LogFilter, start: LogTail, last_event_id: int
    ) -> None:
        self._manager = manager
        self._only = only
        self._start = start
        self._last_event_id = last_event_id
        self._state = task.state
        self._is_closed = False
        #: When the last pieces must have arrived, ns since the epoch; 0 while the task may write more.
        self._over_at = 0
        self._moved(task.state, task.updated_at)

    async def send_events(self, write: Write) -> None:
        with self._manager.logs.following(self._only.task_id) as news:
            watching = asyncio.create_task(self._watch(news))
            try:
                while not self._is_closed and not self._is_over():
                    news.clear()
                    await self._send_new(write)
                    await self._wait(news)
                await self._manager.logs.flush()
                await self._send_new(write)
            finally:
                was_closed = self._is_closed
                watching.cancel()
                await asyncio.wait({watching})
        if not was_closed:
            end = LogEnd(task_id=self._only.task_id, state=self._state)
            await write(event_text(None, "end", encode(end)))

    async def _watch(self, news: asyncio.Event) -> None:
        """Take in the task's changes of state, up to the manager's end."""
        try:
            only = (self._only.task_id, "", "")
            async for batch in self._manager.feed.follow_in_batches(self._last_event_id, only=only):
                for _, transition in batch:
                    self._moved(transition.state, transition.at)
                    news.set()
        finally:
            self._is_closed = True
            news.set()

    def _moved(self, state: TaskState, at: int) -> None:
        self._state = state
        self._over_at = min(at, time.time_ns()) + int(_GRACE_S * 1e9) if state.has_ended else 0

    def _is_over(self) -> bool:
        return 0 < self._over_at <= time.time_ns()

    async def _wait(self, news: asyncio.Event) -> None:
        """Wait for news, or until no more can come."""
        if self._over_at:
            left_s = max(self._over_at - time.time_ns(), 0) / 1e9
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await news.wait()
            return
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                await news.wait()
        except TimeoutError:
            if await self._manager.store.task(self._only.task_id) is None:
                self._over_at = time.time_ns()

    async def _send_new(self, write: Write) -> None:
        """Send all pieces in the store that were not sent yet."""
        while True:
            found = (await self._manager.store.logs(self._only, self._start.after, _BATCH)).items
            for view in _views(found, self._start.chars):
                await write(event_text(view.id, "log", encode(view)))
            if found:
                self._start = LogTail(found[-1][0], 0)
            if len(found) < _BATCH:
                return


ENDPOINTS = [get_task_logs]
