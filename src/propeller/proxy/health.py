"""``GET /health``: the proxy's one page, for programs that watch over it."""

import msgspec
from starlette.types import Receive, Scope, Send

_ALIVE = msgspec.json.encode({"status": "ok", "service": "proxy"})


async def health(scope: Scope, _receive: Receive, send: Send) -> None:
    """Say that the proxy runs; know nothing else."""
    status, body = 404, b'{"error":"there is only GET /health"}'
    if scope["path"] == "/health":
        status, body = (200, _ALIVE) if scope["method"] in ("GET", "HEAD") else (405, b'{"error":"GET only"}')
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
