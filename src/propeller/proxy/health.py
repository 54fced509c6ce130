"""``GET /health``: the proxy's one page, for whoever watches over its process."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec
import uvicorn
from litestar.types import HTTPScope, Receive, Send

_ALIVE = msgspec.json.encode({"status": "ok", "service": "proxy"})
_STOP_S_MAX = 1


async def health(scope: HTTPScope, _receive: Receive, send: Send) -> None:
    """Say that the proxy runs; know nothing else."""
    status, body = 404, b'{"error":"there is only GET /health"}'
    if scope["path"] == "/health":
        status, body = (200, _ALIVE) if scope["method"] in ("GET", "HEAD") else (405, b'{"error":"GET only"}')
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@contextlib.asynccontextmanager
async def serving_health(listeners: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Answer on these sockets, which listen already."""
    server = _Server(
        uvicorn.Config(
            health,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=_STOP_S_MAX,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=list(listeners)))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Leaves the signals to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
