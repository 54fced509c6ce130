"""Server-sent events: a stream that begins, goes on, and ends with its client."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

_log = logging.getLogger(__name__)

#: A comment that shows that the stream is alive.
STILL_HERE = b": still here\n\n"
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
    """An answer to one follower; it ends when the client leaves or after the last event."""

    def __init__(self, send_events: Callable[[Write], Awaitable[None]]) -> None:
        """Take the function that sends the events; it returns after the last, or is cancelled before."""
        self._send_events = send_events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def write(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await write(b": following\n\n")
        sending = asyncio.ensure_future(self._send_events(write))
        watching = asyncio.create_task(_client_gone(receive))
        try:
            await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, watching):
                task.cancel()
            outcomes = await asyncio.gather(sending, watching, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                _log.error("a stream of events broke off", exc_info=outcome)
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
