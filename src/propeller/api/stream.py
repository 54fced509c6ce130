"""Server-sent events on their way to one client."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from litestar.types import Receive, Scope, Send

_log = logging.getLogger(__name__)

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
#: Said when nothing else is, so that both ends know that the other is there.
SIGN_OF_LIFE = b": still here\n\n"


class Stream:
    """An answer that goes on until ``texts`` ends or the client goes, whichever is first."""

    def __init__(self, texts: AsyncIterator[bytes]) -> None:
        self._texts = texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await _write(send, b": following\n\n")
        sending = asyncio.create_task(self._send_texts(send))
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

    async def _send_texts(self, send: Send) -> None:
        async for text in self._texts:
            await _write(send, text)


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
