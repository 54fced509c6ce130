"""Listening and answering HTTP until somebody says stop."""

import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from litestar.types import ASGIApp

from propeller.api.gate import Gate, is_loopback
from propeller.config.settings import HttpSettings
from propeller.errors import CannotListen

_STOP_S_MAX = 5


def server_of(app: ASGIApp, http: HttpSettings, listeners: list[socket.socket]) -> "Server":
    """Make what answers with an application on these sockets."""
    return Server(
        uvicorn.Config(
            Gate(app, names=_names(http, listeners)),
            ws="none",
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_STOP_S_MAX,
            ssl_certfile=http.server_cert,
            ssl_keyfile=http.server_key,
        )
    )


def url_of(http: HttpSettings, listeners: list[socket.socket]) -> str:
    scheme = "https" if http.server_cert else "http"
    host = f"[{http.host}]" if ":" in http.host else http.host or "localhost"
    return f"{scheme}://{host}:{listeners[0].getsockname()[1]}"


def _names(http: HttpSettings, listeners: list[socket.socket]) -> frozenset[str] | None:
    """By what names the API may be asked for; None for any, as others name the machine."""
    is_ours_alone = all(is_loopback(listener.getsockname()[0]) for listener in listeners)
    return frozenset({http.host.lower(), *http.names}) if is_ours_alone or http.names else None


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on all addresses that a host name has, on the same port; raise ``CannotListen``."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotListen(f"host {host} is not known: {error.strerror}; give another with --host") from error
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
    """Leaves the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
