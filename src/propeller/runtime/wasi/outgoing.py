"""Outgoing requests: ``wasi:http/outgoing-handler``, to the hosts of the task's grants alone.

A guest goes on while its request is on the way, so each has a thread, which ends with the guest's call at the
latest. Redirects are the guest's business, and proxies of this machine are not used.
"""

import functools
from collections.abc import Callable
from typing import Any

import httpx

from propeller.core.sandbox import covers
from propeller.runtime.component.variants import Case, Err, Ok
from propeller.runtime.guest_run import Trust
from propeller.runtime.wasi.exchange import Exchange, Upload
from propeller.runtime.wasi.fields import Fields
from propeller.runtime.wasi.io import Pollable
from propeller.runtime.wasi.messages import OutgoingRequest, RequestOptions, method_text
from propeller.runtime.wasi.session import Session

#: How many requests of one call may be under way at once.
_EXCHANGES_MAX = 64
_DEFAULT_PORTS = {"http": 80, "https": 443}


@functools.cache
def _transport(trust: Trust) -> httpx.HTTPTransport:
    """Make the transport that all guests of this process share: reading certificates takes long.

    Connections are not kept: one that the server closes meanwhile would fail a request for no reason that
    the guest could see.

    Raises:
        OSError: The file of a certificate can't be read.

    """
    context = httpx.create_ssl_context(verify=not trust.is_blind, trust_env=False)
    if not trust.is_blind:
        context.load_default_certs()
    if trust.ca_cert:
        context.load_verify_locations(trust.ca_cert)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.HTTPTransport(verify=context, trust_env=False, limits=limits)


def _handle(session: Session, number: int, options: int | None) -> Any:
    outgoing = session.take(number, OutgoingRequest)
    times = session.take(options, RequestOptions).times if options is not None else {}
    url = _url(outgoing)
    if url is None:
        return Err(Case("HTTP-request-URI-invalid"))
    if not _is_allowed(session, url):
        return Err(Case("HTTP-request-denied"))
    if session.exchanges >= _EXCHANGES_MAX:
        return Err(Case("connection-limit-reached"))
    transport = _transport(session.trust)
    upload = None if outgoing.body is None else Upload(session)
    request = httpx.Request(
        method_text(outgoing.method), url, headers=_headers(outgoing.headers), content=upload
    )
    exchange = Exchange(session, transport, request, upload, times)
    if outgoing.body is not None and upload is not None:
        # Only now, when there is a reader: what was written before may be more than there is room for.
        outgoing.body.go_to(upload)
    return Ok(session.add(exchange))


def _url(request: OutgoingRequest) -> httpx.URL | None:
    scheme = "https" if request.scheme is None else request.scheme.name.lower()
    if scheme not in _DEFAULT_PORTS or not request.authority:
        return None
    try:
        url = httpx.URL(f"{scheme}://{request.authority}{request.target or '/'}")
    except httpx.InvalidURL:
        return None
    return url if url.host and not url.userinfo else None


def _headers(fields: Fields) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value) for name, value in fields.entries]


def _is_allowed(session: Session, url: httpx.URL) -> bool:
    """Compare the host and port of the connection with the rules; one without a port means 80 and 443."""
    host = url.raw_host.decode()
    host = f"[{host}]" if ":" in host else host
    port = url.port or _DEFAULT_PORTS[url.scheme]
    names = [f"{host}:{port}"] + ([host] if port in _DEFAULT_PORTS.values() else [])
    return any(covers(rule, name) for rule in session.grants.http for name in names)


def _subscribe(session: Session, number: int) -> int:
    exchange = session.get(number, Exchange)
    return session.add(Pollable(lambda: exchange.outcome is not None))


def _get(session: Session, number: int) -> Any:
    exchange = session.get(number, Exchange)
    if exchange.outcome is None:
        return None
    if exchange.is_taken:
        return Err()
    exchange.is_taken = True
    if isinstance(exchange.outcome, Err):
        return Ok(exchange.outcome)
    return Ok(Ok(session.add(exchange.outcome.value)))


FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "wasi:http/outgoing-handler": {"handle": _handle},
    "wasi:http/types": {
        "[method]future-incoming-response.subscribe": _subscribe,
        "[method]future-incoming-response.get": _get,
    },
}
