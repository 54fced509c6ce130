"""Server-sent events: a stream that begins, goes on, and ends with its client."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from propeller.errors import TooMany
from propeller.wire.http.errors import ErrorView
from propeller.wire.http.schema import encode

_log = logging.getLogger(__name__)

#: The key of a request's scope that holds what calls a function as soon as its sender is no longer let in.
WATCHING = "propeller.watching"
#: After a silence of so long, a comment shows that the stream is alive.
KEEP_ALIVE_S = 15.0
_STILL_HERE = b": still here\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

Write = Callable[[bytes], Awaitable[None]]


def event_text(event_id: int | None, kind: str, data: bytes) -> bytes:
    """Render one event; ``data`` is JSON on one line."""
    head = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%sevent: %s\ndata: %s\n\n" % (head, kind.encode(), data)


class EventStream:
    """An answer to one follower; it ends when the client leaves or after the last event.

    Where no event concerns the follower for long, it is told that the stream is alive, however much happens.
    """

    def __init__(self, send_events: Callable[[Write], Awaitable[None]]) -> None:
        """Take the function that sends the events; it returns after the last, or is cancelled before."""
        self._send_events = send_events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = asyncio.Event()
        try:
            # The client may go on only as long as it would be let in again.
            with scope[WATCHING](left.set):
                await self._answer(scope, receive, send, left)
        except TooMany as error:
            await _refuse(error, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, left: asyncio.Event) -> None:
        """Send the answer until one of its ends; ``left`` is set when the client may not go on."""
        written_at = time.monotonic()
        turns = asyncio.Lock()

        async def write(data: bytes) -> None:
            nonlocal written_at
            async with turns:
                await send({"type": "http.response.body", "body": data, "more_body": True})
                written_at = time.monotonic()

        async def keep_alive() -> None:
            while True:
                left_s = written_at + KEEP_ALIVE_S - time.monotonic()
                await (asyncio.sleep(left_s) if left_s > 0 else write(_STILL_HERE))

        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await write(b": following\n\n")
        ends = (self._send_events(write), _client_gone(receive), keep_alive(), left.wait())
        tasks = {asyncio.ensure_future(end) for end in ends}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                _log.error("a stream of events broke off", exc_info=outcome)
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _refuse(error: TooMany, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"%d" % error.retry_after_s)]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": encode(ErrorView(str(error))) + b"\n"})


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
