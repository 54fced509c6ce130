"""Who sends a request: known after the gate, before anything else looks at it."""

from starlette.types import ASGIApp, Receive, Scope, Send

from propeller.access.principal import LOCAL
from propeller.api.context import PRINCIPAL


class Authentication:
    """Hands each request on with the principal that sends it."""

    def __init__(self, app: ASGIApp) -> None:
        """Ask nobody who they are: all may do everything."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, PRINCIPAL: LOCAL}, receive, send)
