"""Clients that are known by their certificates, which the TLS of their connections has checked."""

import time
from collections.abc import Callable, Mapping

from starlette.types import Scope

from propeller.access.certificates import PROGRAM_URIS, Grant, principal_from
from propeller.access.principal import Principal


class CertificateWay:
    """Knows who shows a certificate."""

    def __init__(self, grants: Mapping[str, Grant], now: Callable[[], int] = time.time_ns) -> None:
        """Know those of a map; ``now`` gives the present, ns since 1970."""
        self._grants = grants
        self._now = now

    async def principal(self, scope: Scope, bearer: str) -> Principal | None:
        """Say who shows a certificate; None without one, or with that of a program of the fleet."""
        tls = scope.get("extensions", {}).get("tls") or {}
        ends_at = tls.get("client_cert_ends_at")
        # Managers show theirs to each other, with requests of others who have credentials of their own.
        if ends_at is None or tls["client_name"].startswith(PROGRAM_URIS):
            return None
        return principal_from(tls["client_name"], ends_at, self._grants, self._now())
