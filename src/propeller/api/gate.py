"""The gate before all routes: it refuses requests that a page of another site sends by a user's browser.

A browser sends the requests of any page to any address that it reaches, even to loopback. Such requests are
known by ``Origin`` and ``Sec-Fetch-Site``, which no page can set. With DNS rebinding, a page makes its own
name lead to this address, and the browser takes it for a page of this site. Such requests are known by
``Host``, which still has the name of the page.
Source: Fetch standard, 3.2; Fetch Metadata, 2.3; Go's ``net/http.CrossOriginProtection``.
"""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from propeller.api.answers import refusal
from propeller.errors import Forbidden

_SAFE = ("GET", "HEAD", "OPTIONS")
_FROM_US = ("same-origin", "none")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\\\s]+)(?::\d*)?", re.ASCII)


class Gate:
    """Refuses the requests of pages of other sites, before the application sees them."""

    def __init__(self, app: ASGIApp, *, names: Collection[str] | None, sites: Collection[str] = ()) -> None:
        """Make the gate of an application.

        Args:
            app: The application that gets the requests that pass.
            names: The names and addresses, in lower case, that it answers to besides those of loopback; None
                for any.
            sites: The names, in lower case, at which users find its pages; a proxy may ask for the pages by
                another name.

        """
        self._app = app
        self._names = names
        self._sites = sites

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
        except Forbidden as error:
            await refusal(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        hosts = _headers(scope, b"host")
        if self._names is not None:
            self._check_host(hosts)
        if scope["method"] not in _SAFE:
            self._check_origin(hosts, scope)

    def _check_host(self, hosts: list[str]) -> None:
        assert self._names is not None
        for host in hosts:
            name = host_name(host)
            if not name:
                raise Forbidden(f"Host: {host[:200]!r} is no name or address of a machine; use localhost")
            if name not in self._names and not is_loopback(name):
                raise Forbidden(
                    f"Host: this manager does not answer to the name {name[:200]!r}; use localhost, or "
                    f"start it with --http-names {name[:200]}"
                )

    def _check_origin(self, hosts: list[str], scope: Scope) -> None:
        """Refuse changes by a page of another origin; a client that is no browser sends no origin."""
        sites, origins = _headers(scope, b"sec-fetch-site"), _headers(scope, b"origin")
        if sites:
            is_foreign = any(site not in _FROM_US for site in sites)
        else:
            here = [host.lower() for host in hosts]
            is_foreign = not all(self._is_here(_netloc(origin), here) for origin in origins)
        if is_foreign:
            shown = ", ".join(origins)[:200] or "another site"
            raise Forbidden(
                f"Origin: a page of {shown} may not change anything here; use a page of this manager"
            )

    def _is_here(self, netloc: str, hosts: list[str]) -> bool:
        return netloc in hosts or host_name(netloc) in self._sites


def host_name(host: str) -> str:
    """Read the name or the address in ``name[:port]``, in lower case; ``""`` if there is none."""
    found = _HOST.fullmatch(host.strip())
    return found[1].strip("[]").lower().removesuffix(".") if found else ""


def is_loopback(name: str) -> bool:
    """Say whether a name or an address is always this machine's own (RFC 6761, 6.3)."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
