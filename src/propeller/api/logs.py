"""What tasks print that is not their result: by the page, or as it comes."""

import asyncio
from collections.abc import AsyncIterator

from litestar import get
from litestar.types import ASGIApp

from propeller.api import queries
from propeller.api.answers import answer
from propeller.api.context import Context, HttpRequest, context_of, id_in_path, stored_task
from propeller.api.openapi import doc
from propeller.api.stream import SIGN_OF_LIFE, Stream
from propeller.errors import Invalid
from propeller.manager.feed import KEEP_ALIVE_S
from propeller.store.port import LogPiece
from propeller.wire.gotime import format_time
from propeller.wire.logs import LogEnd, LogPage, LogView
from propeller.wire.schema import encode

_PAGE = 100


@get(
    "/tasks/{id:str}/logs",
    opt=doc(
        gives=LogPage,
        also_streams=True,
        query=[
            queries.AFTER_PIECE,
            queries.MANY,
            queries.OF_STREAM,
            queries.OF_ATTEMPT,
            queries.FOLLOW,
        ],
        refuses=[404],
    ),
)
async def get_logs(request: HttpRequest) -> ASGIApp:
    """Show what a task printed that is not its result."""
    context, task_id = context_of(request), id_in_path(request)
    limit = queries.paging(request, queries.MANY).limit
    last = request.headers.get(queries.LAST_EVENT_ID.name)
    after = (
        queries.to_whole(last, queries.LAST_EVENT_ID.name)
        if last
        else queries.whole(request, queries.AFTER_PIECE)
    )
    attempt = queries.whole(request, queries.OF_ATTEMPT)
    stream = queries.text(request, queries.OF_STREAM)
    if stream not in ("", "stdout", "stderr"):
        raise Invalid(f'stream: "{stream}" is none; use stdout or stderr, or leave it out for both')
    await stored_task(context, task_id)
    if queries.flag(request, queries.FOLLOW, default=False):
        return Stream(_followed(context, task_id, attempt, stream, after or 0))
    found = await context.manager.logs.page(task_id, attempt, stream, after=after or 0, limit=limit)
    return answer(LogPage(total=found.total, logs=[_view(number, piece) for number, piece in found.pieces]))


async def _followed(
    context: Context, task_id: str, attempt: int | None, stream: str, after: int
) -> AsyncIterator[bytes]:
    """Give pieces as they come, and when the task has ended, how."""
    logs = context.manager.logs
    with logs.follow(task_id) as news:
        while True:
            news.clear()
            # Pieces travel before the result, so whoever sees the end finds all of them.
            task = await context.manager.store.task(task_id)
            page = await logs.page(task_id, attempt, stream, after=after, limit=_PAGE)
            for number, piece in page.pieces:
                after = number
                yield b"id: %d\nevent: log\ndata: %s\n\n" % (number, encode(_view(number, piece)))
            if len(page.pieces) == _PAGE:
                continue
            if task is None or task.state.has_ended:
                state = 6 if task is None else int(task.state)
                yield b"event: end\ndata: %s\n\n" % encode(LogEnd(state))
                return
            try:
                await asyncio.wait_for(news.wait(), KEEP_ALIVE_S)
            except TimeoutError:
                yield SIGN_OF_LIFE


def _view(number: int, piece: LogPiece) -> LogView:
    view = LogView(
        number=number,
        attempt=piece.attempt,
        proplet_id=piece.proplet_id,
        stream=piece.stream,
        offset=piece.position,
        time=format_time(piece.at),
        text=piece.text,
    )
    if piece.is_cut:
        view.cut = True
    return view


HANDLERS = [get_logs]
