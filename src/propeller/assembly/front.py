"""The application of a manager: it starts; then it answers alone, or leads or follows, as one of several."""

import asyncio
import contextlib

from starlette.types import ASGIApp, Receive, Scope, Send

from propeller.api.answers import refusal
from propeller.errors import LeadershipLost, PropellerError
from propeller.manager.lead import Term
from propeller.manager.patience import PATIENCE_S

#: How long a request waits while this manager starts: longer than most starts take.
_START_S = 2.0
#: These are answered without a database; the second says what is the matter with it.
_ALWAYS = ("/health", "/ready")


class Front:
    """Hands each request to the application that is to answer it at that moment."""

    def __init__(self, starting: PropellerError) -> None:
        """Begin with nothing: requests wait for a moment, and are refused with this error."""
        self._following: ASGIApp = refusal(starting)
        self._has_begun = asyncio.Event()
        self._leading: tuple[ASGIApp, Term] | None = None

    def alone(self, app: ASGIApp) -> None:
        """Answer as the only manager of a store."""
        self.follow(app)

    def follow(self, app: ASGIApp) -> None:
        """Answer as one that does not lead."""
        self._following, self._leading = app, None
        self._has_begun.set()

    def lead(self, app: ASGIApp, term: Term) -> None:
        """Answer as the leader while ``term`` lets this manager act."""
        self._leading = app, term

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._has_begun.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_START_S):
                    await self._has_begun.wait()
        app = self._following
        if self._leading is not None:
            app, term = self._leading
            if not term.may_act and scope["path"] not in _ALWAYS:
                app = await self._settled(term)
        await app(scope, receive, send)

    async def _settled(self, term: Term) -> ASGIApp:
        """Wait until it is known who leads; give what answers then."""
        with contextlib.suppress(LeadershipLost, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await term.acting()
        if self._leading is None:
            return self._following
        app, now = self._leading
        if now.may_act:
            return app
        text = "this manager does not reach its database, and another may lead; nothing was done: ask again"
        return refusal(LeadershipLost(text))
