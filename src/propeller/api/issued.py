"""Who shows a token that an issuer of OpenID Connect gave; and how people get one."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.types import Scope

from propeller.access.oidc import (
    Trust,
    check_nonce,
    check_party,
    claims_of,
    head_of,
    principal_from,
)
from propeller.access.principal import Principal
from propeller.access.sign_in import SignIn, address_of
from propeller.api.issuer import Issuer
from propeller.api.issuing import Clients
from propeller.errors import Unauthenticated, Unavailable

#: How many tokens are kept that have been checked, so that a signature is not checked with each request.
_KNOWN_MAX = 1024


class IssuerWay:
    """Checks tokens by the keys of their issuer; one that was checked is known again until it expires."""

    def __init__(
        self, trust: Trust, issuer: Issuer, now_ns: Callable[[], int], clients: Clients | None = None
    ) -> None:
        """Begin with none; ``now_ns`` tells the time of day, ns since 1970."""
        self.trust = trust
        self.issuer = issuer
        self.now_ns = now_ns
        self.clients = clients or Clients()
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self._generation = 0

    async def principal(self, scope: Scope, bearer: str) -> Principal | None:
        """Say who shows a token.

        Returns:
            None for what is no token of any issuer.

        Raises:
            Unauthenticated: It is wrong, expired, or for somebody else.
            Forbidden: It is right, and whom it names has no role here.
            Unavailable: The issuer does not answer, and was not asked for its key before.

        """
        return await self.bearer(bearer) if bearer.count(".") == 2 else None

    async def bearer(self, token: str) -> Principal:
        """Say who shows a token; raise as ``principal`` does."""
        if self._generation != self.issuer.generation:
            self._known.clear()
            self._generation = self.issuer.generation
        name = hashlib.sha256(token.encode("latin-1", "replace")).digest()
        known = self._known.get(name)
        if known is not None and self.now_ns() < known.expires_at:
            self.issuer.look_soon()
            return known
        found = principal_from(await self._claims(token, self.trust), self.trust)
        self._known[name] = found
        self._known.move_to_end(name)
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return found

    async def _claims(self, token: str, trust: Trust) -> dict[str, Any]:
        head = head_of(token)
        keys = await self.issuer.keys_for(head)
        return claims_of(token, head, keys, trust, self.now_ns())

    async def close(self) -> None:
        await self.issuer.close()

    # -- signing in ----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.trust.issuer

    async def address(self, sign_in: SignIn) -> str:
        """Give the address at the issuer that a browser begins at."""
        endpoint = (await self.issuer.metadata()).authorization_endpoint
        if not endpoint:
            raise Unavailable(f"the issuer {self.name} has no page to sign in at; use a token")
        return address_of(sign_in, endpoint, self.clients.page, self.clients.scopes)

    async def signed_in(self, sign_in: SignIn, code: str) -> Principal:
        """Exchange the code that a browser brought back for a token, and say who that is about."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": sign_in.redirect,
            "code_verifier": sign_in.verifier,
            "client_id": self.clients.page,
        }
        secret = (self.clients.page, self.clients.secret) if self.clients.secret else None
        endpoint = (await self.issuer.metadata()).token_endpoint
        found = await self.issuer.post(endpoint, form, secret)
        token = found.get("id_token")
        if not isinstance(token, str):
            raise Unauthenticated(f"the issuer {self.name} does not say who you are: it sends no id_token")
        # For the page's own client, and for nobody else: a token for the API may be anybody's.
        trust = msgspec.structs.replace(self.trust, audiences=(self.clients.page,))
        claims = await self._claims(token, trust)
        check_party(claims, self.clients.page)
        check_nonce(claims, sign_in.nonce)
        # The session that begins now lasts as others do, and not as long as this token.
        return msgspec.structs.replace(principal_from(claims, self.trust), expires_at=0)
