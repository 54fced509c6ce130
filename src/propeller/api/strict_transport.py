"""Tells browsers that came by HTTPS to come by nothing else from then on (RFC 6797)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from propeller.api.gate import host_name, is_loopback

_HEADER = (b"strict-transport-security", b"max-age=31536000")


class StrictTransport:
    """Adds the header to all answers, but for those to ``localhost``: it would count for all ports there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if is_loopback(host_name(host.decode("latin-1"))):
            await self._app(scope, receive, send)
            return

        async def strict_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), _HEADER]}
            await send(message)

        await self._app(scope, receive, strict_send)
