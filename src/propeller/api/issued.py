"""Tokens that an issuer of OpenID Connect gave: who sends them."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from propeller.access.oidc import Trust, claims_of, head_of, principal_from
from propeller.access.principal import Principal
from propeller.api.issuer import Issuer

#: How many tokens are kept that have been checked, so that a signature is not checked with each request.
_KNOWN_MAX = 1024


class IssuedTokens:
    """Checks tokens by the keys of their issuer; one that was checked is known again until it expires."""

    def __init__(self, trust: Trust, issuer: Issuer, now_ns: Callable[[], int]) -> None:
        """Begin with none; ``now_ns`` tells the time of day, ns since 1970."""
        self.trust = trust
        self.issuer = issuer
        self._now_ns = now_ns
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self._generation = 0

    async def principal(self, token: str) -> Principal:
        """Say who sends a token.

        Raises:
            Unauthenticated: It is wrong, expired, or for somebody else.
            Forbidden: It is right, and whom it names has no role here.
            Unavailable: The issuer does not answer, and was not asked for its key before.

        """
        now_ns = self._now_ns()
        if self._generation != self.issuer.generation:
            self._known.clear()
            self._generation = self.issuer.generation
        name = hashlib.sha256(token.encode("latin-1", "replace")).digest()
        known = self._known.get(name)
        if known is not None and now_ns < known.expires_at:
            self.issuer.look_soon()
            return known
        head = head_of(token)
        keys = await self.issuer.keys_for(head)
        claims = claims_of(token, head, keys, self.trust, self._now_ns())
        found = principal_from(claims, self.trust)
        self._known[name] = found
        self._known.move_to_end(name)
        if len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return found
