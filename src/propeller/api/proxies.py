"""What a proxy before the manager says of a request that it hands on: by whom, from where, by which address.

Only the proxies that the settings name may say so. From anybody else these headers are dropped here, before
anything sees them, so that nobody can say them for themselves.
"""

import ipaddress
import re
from collections.abc import Collection, Sequence
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from propeller.access.principal import Principal
from propeller.access.proxied import principal_of_proxy
from propeller.errors import Unauthenticated

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: The key of a request's scope that is there if one of our proxies has handed it on.
PROXIED = "propeller.proxied"
USER, ROLES, NAMESPACES = b"x-user-id", b"x-roles", b"x-namespaces"
_FOR, _PROTO, _PREFIX = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-prefix"
_OF_PROXIES = (USER, ROLES, NAMESPACES, b"forwarded")
_FORWARDED = b"x-forwarded-"
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+", re.ASCII)


class Proxies:
    """Believes our own proxies, and drops what others say in their manner."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        """Stand before an application; ``trusted`` has the addresses of our proxies."""
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and _is_among(client[0], self._trusted):
            scope = _as_told(scope, self._trusted)
        elif any(_is_of_proxies(name) for name, _ in scope["headers"]):
            kept = [(name, value) for name, value in scope["headers"] if not _is_of_proxies(name)]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


class ProxyWay:
    """Knows whom one of our proxies has let in."""

    async def principal(self, scope: Scope, bearer: str) -> Principal | None:
        """Read what the proxy says; None if it says nothing.

        Raises:
            Unauthenticated: A header is there more than once, or names nobody.
            Forbidden: Somebody is known, and has no role.

        """
        if PROXIED not in scope:
            return None
        user, roles, namespaces = (_only(scope, name) for name in (USER, ROLES, NAMESPACES))
        return None if user is None else principal_of_proxy(user, roles or "", namespaces)


def outside_url(scope: Scope) -> str:
    """Give the URL at which the client of a request sees the API, without a slash at its end."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    prefix = (_first(scope, _PREFIX) or "").rstrip("/") if PROXIED in scope else ""
    return f"{scope['scheme']}://{host}{prefix if _PATH.fullmatch(prefix) else ''}"


def _as_told(scope: Scope, trusted: Sequence[Network]) -> dict[str, Any]:
    told = {**scope, PROXIED: True}
    hops = ",".join(_all(scope, _FOR)).split(",")
    # Each proxy adds whom it got the request from: the last who is none of ours is the client.
    for hop in reversed([hop.strip() for hop in hops if hop.strip()]):
        address = _address(hop)
        if address is None:
            break
        told["client"] = (address, 0)
        if not _is_among(address, trusted):
            break
    proto = (_first(scope, _PROTO) or "").strip().lower()
    if proto in ("http", "https"):
        told["scheme"] = proto
    return told


def _is_of_proxies(name: bytes) -> bool:
    return name in _OF_PROXIES or name.startswith(_FORWARDED)


def _is_among(address: str, networks: Collection[Network]) -> bool:
    if not networks:
        return False
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def _address(hop: str) -> str | None:
    """Read an address, as some write it with a port; None if it is none."""
    bare = hop
    if hop.startswith("["):
        bare = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        bare = hop.partition(":")[0]
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return None


def _all(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def _first(scope: Scope, wanted: bytes) -> str | None:
    """Give the value that the last proxy set, where the header is there once."""
    found = _all(scope, wanted)
    return found[0] if len(found) == 1 else None


def _only(scope: Scope, wanted: bytes) -> str | None:
    found = _all(scope, wanted)
    if len(found) > 1:
        raise Unauthenticated(
            f"{wanted.decode().title()}: there are {len(found)} of them; the proxy has to take away what its "
            "clients send"
        )
    return found[0].strip() if found else None
