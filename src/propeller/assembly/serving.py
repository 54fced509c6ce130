"""Listens and answers HTTP until it is stopped."""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

from propeller.api.authentication import Authentication, Way
from propeller.api.gate import Gate, host_name, is_loopback
from propeller.api.peer_trust import OwnCertificate
from propeller.api.proxies import Proxies
from propeller.api.strict_transport import StrictTransport
from propeller.assembly.certificate import Certificate
from propeller.assembly.connections import Watch
from propeller.config.settings import HttpSettings
from propeller.errors import CannotListen
from propeller.manager.keyring import Keyring

_STOP_S_MAX = 5


def server_of(
    app: Callable[..., Any], http: HttpSettings, *, stop_s_max: int = _STOP_S_MAX, watch: Watch | None = None
) -> "Server":
    """Make a server of an application.

    Args:
        app: Gets HTTP requests only.
        http: Where, whether by HTTPS, and the limits of clients.
        stop_s_max: How long requests under way may take when it is stopped.
        watch: What its connections share, where it is not the usual.

    Raises:
        BadCertificate: It is to serve HTTPS, and its files can't be used.

    """
    watch = watch or Watch(http)
    config = uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", watch.protocol()),
        ws="none",
        proxy_headers=False,  # `Proxies` believes those that the settings name, and not all of this machine
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=cast("int", http.idle_s_max),
        timeout_graceful_shutdown=stop_s_max,
    )
    if http.server_cert is not None:
        watch.certificate = Certificate(http)
        config.load()
        config.ssl = watch.certificate.context
    return Server(config, watch)


def guarded(
    app: ASGIApp,
    http: HttpSettings,
    listeners: list[socket.socket],
    address: str = "",
    *,
    keyring: Keyring | None = None,
    ways: Sequence[Way] | None = None,
) -> ASGIApp:
    """Put the gate, and who asks, before an application that is served on these sockets.

    ``address`` is the URL by which other managers ask this one; ``""`` if there are none. ``Authentication``
    says what ``keyring`` and ``ways`` are.
    """
    names = _names(http, listeners)
    if names is not None and address:
        names |= {host_name(urlsplit(address).netloc)}
    known = Authentication(app, keyring=keyring, ways=ways)
    secured = known if http.server_cert is None else StrictTransport(known)
    return Proxies(Gate(secured, names=names, sites=http.names), http.trusted_proxies)


def own_certificate(http: HttpSettings) -> OwnCertificate | None:
    """Give the files of the certificate that is shown by HTTPS; None without."""
    if http.server_cert is None or http.server_key is None:
        return None
    return OwnCertificate(http.server_cert, http.server_key)


def url_of(http: HttpSettings, listeners: list[socket.socket]) -> str:
    scheme = "https" if http.server_cert else "http"
    host = f"[{http.host}]" if ":" in http.host else http.host or "localhost"
    return f"{scheme}://{host}:{listeners[0].getsockname()[1]}"


def _names(http: HttpSettings, listeners: list[socket.socket]) -> frozenset[str] | None:
    """Give the names that the API answers to; None for any, if others name the machine."""
    is_ours_alone = all(is_loopback(listener.getsockname()[0]) for listener in listeners)
    return frozenset({http.host.lower(), *http.names}) if is_ours_alone or http.names else None


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on all addresses that a host name has, on the same port; raise ``CannotListen``."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "that is no host name"
        raise CannotListen(f"host {host} is not known: {why}; give another with --host") from error
    listeners: list[socket.socket] = []
    problem: OSError | None = None
    for family, kind, _, _, address in sorted(found):
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address[0], port, *address[2:]))
            listener.listen(2048)
        except OSError as error:
            listener.close()
            problem = error
            continue
        listeners.append(listener)
        port = port or listener.getsockname()[1]
    if not listeners or (problem is not None and problem.errno == errno.EADDRINUSE):
        for listener in listeners:
            listener.close()
        assert problem is not None
        raise CannotListen(
            f"can't listen on {host or '*'}:{port}: {problem.strerror}; "
            "stop what uses that port, or choose another with --port"
        )
    return listeners


class Server(uvicorn.Server):
    """Leaves the signals to us, and looks at its connections."""

    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch

    @property
    def certificate(self) -> Certificate | None:
        """What it shows by HTTPS; None without."""
        return self._watch.certificate

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        """Do what there is to do ten times in a second."""
        if counter % 10 == 0:
            self._watch.look(asyncio.get_running_loop().time())
            if self.certificate is not None:
                self.certificate.look(time.time())
        return await super().on_tick(counter)
