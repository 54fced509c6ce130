"""Who sends a request: known after the gate, before anything else looks at it.

Whether somebody has to be known is the endpoint's to say: here, an error takes the place of a principal where
nobody is known, and ``context.principal_of`` raises it.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from propeller.access.attempts import Attempts
from propeller.access.principal import LOCAL, Principal
from propeller.api.context import KEYRING, PRINCIPAL
from propeller.api.issuing import Issuing
from propeller.api.sse import WATCHING
from propeller.errors import PropellerError, TooMany, Unauthenticated
from propeller.manager.keyring import Keyring

#: The key of a request's scope that holds what knows who sends it.
AUTHENTICATION = "propeller.authentication"
#: What those do who are not known.
_WAYS_OUT = (
    "say who you are: Authorization: Bearer TOKEN; on the command line: propeller login, or PROPELLER_TOKEN; "
    "in a browser: sign in at /ui/"
)


class Way(Protocol):
    """A way to know who sends a request."""

    async def principal(self, scope: Scope, bearer: str) -> Principal | None:
        """Say who sends it.

        Args:
            scope: The request.
            bearer: The text after ``Bearer`` in ``Authorization``; ``""`` if there is none.

        Returns:
            None if the request has no credentials of this kind.

        Raises:
            Unauthenticated: It has, and they are not good; the message says why.

        """


class Authentication:
    """Hands each request on with the principal that sends it."""

    def __init__(
        self, app: ASGIApp, *, keyring: Keyring | None = None, ways: Sequence[Way] | None = None
    ) -> None:
        """Stand before an application.

        Args:
            app: Gets all requests, with the principal or why nobody is known.
            keyring: The tokens that there are; None where there is no store.
            ways: Tried in this order; None to ask nobody who they are, and let all do everything.

        """
        self._app = app
        self._keyring = keyring or Keyring()
        self._ways = ways
        self._attempts = Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[AUTHENTICATION] = self
        scope[KEYRING] = self._keyring
        try:
            scope[PRINCIPAL] = principal = await self.known(scope, lambda: _bearer(scope))
            scope[WATCHING] = partial(self._keyring.watching, principal)
        except PropellerError as error:
            scope[PRINCIPAL] = error
        await self._app(scope, receive, send)

    @property
    def asks_nobody(self) -> bool:
        return self._ways is None

    @property
    def issuing(self) -> Issuing | None:
        """What sends people to an issuer to sign in, if there is one."""
        return next((way for way in self._ways or () if isinstance(way, Issuing)), None)

    async def known(self, scope: Scope, read_bearer: Callable[[], str]) -> Principal:
        """Say who sends a request that shows what ``read_bearer`` gives, or other credentials.

        Raises:
            Unauthenticated: Nobody is known.
            TooMany: The same, and the address has failed too often.
            PropellerError: It can't be known now.

        """
        if self._ways is None:
            return LOCAL
        try:
            bearer = read_bearer()
            for way in self._ways:
                principal = await way.principal(scope, bearer)
                if principal is not None:
                    return principal
            if bearer:
                raise Unauthenticated("Authorization: this manager does not take credentials of this kind")
        except Unauthenticated as error:
            raise self._counted(scope, error) from error
        raise Unauthenticated(f"nobody knows who sends this; {_WAYS_OUT}")

    def _counted(self, scope: Scope, error: Unauthenticated) -> PropellerError:
        address = _address(scope)
        wait_s = self._attempts.failed(address, time.monotonic())
        if not wait_s:
            return error
        text = f"too many bad credentials came from {address}; send good ones, or try again in {wait_s} s"
        return TooMany(text, wait_s)


def _bearer(scope: Scope) -> str:
    """Read the header; raise ``Unauthenticated`` if there are several, or it is of another kind."""
    found: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
    if not found:
        return ""
    if len(found) > 1:
        raise Unauthenticated(f"Authorization: there are {len(found)} of them; send one")
    kind, _, text = found[0].decode("latin-1").strip().partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        raise Unauthenticated("Authorization: it has to look like this: Bearer TOKEN")
    return text.strip()


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "nowhere"


class TokenWay:
    """Knows who shows a token."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def principal(self, scope: Scope, bearer: str) -> Principal | None:
        return await self._keyring.bearer(bearer) if bearer.startswith(("prp", "prs")) else None
