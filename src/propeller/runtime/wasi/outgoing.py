"""Requests that go out: ``wasi:http/outgoing-handler``, to the hosts of the task's grants alone.

A guest goes on while its request is on the way, so each has a thread. Redirects are the guest's business, and
proxies of this machine are not used.
"""

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from propeller.core.sandbox import covers
from propeller.runtime.wasi.fields import without_forbidden
from propeller.runtime.wasi.io import Inflow, Pollable
from propeller.runtime.wasi.messages import IncomingResponse, OutgoingRequest, RequestOptions, method_text
from propeller.runtime.wasi.session import Cancelled, Session
from propeller.runtime.wasi.values import Case, Err, Ok

_TIMEOUT_S = 30.0
_CHUNKS_WAITING = 16
_DEFAULT_PORTS = {"http": 80, "https": 443}


class FutureResponse:
    """A response that is to come."""

    def __init__(self) -> None:
        #: The response, or what went wrong.
        self.outcome: Ok | Err | None = None
        self.is_taken = False


class _Upload:
    """A body on its way from the guest's thread to the request's."""

    def __init__(self) -> None:
        self._chunks: queue.Queue[bytes | None] = queue.Queue(_CHUNKS_WAITING)
        self.is_abandoned = False

    def write(self, chunk: bytes) -> None:
        while not self.is_abandoned:
            try:
                self._chunks.put(chunk, timeout=1)
            except queue.Full:
                continue
            return
        raise OSError("nobody takes the body any more")

    def close(self) -> None:
        self._chunks.put(None)

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._chunks.get()) is not None:
            yield chunk


def _handle(session: Session, number: int, options: int | None) -> Any:
    request = session.take(number, OutgoingRequest)
    times = session.take(options, RequestOptions).times if options is not None else {}
    scheme = "https" if request.scheme is None else request.scheme.name.lower()
    authority = request.authority or ""
    if scheme not in _DEFAULT_PORTS or not authority:
        return Err(Case("HTTP-request-URI-invalid"))
    if not _is_allowed(session, scheme, authority):
        return Err(Case("HTTP-request-denied"))
    upload = None
    if request.body is not None:
        upload = _Upload()
        request.body.go_to(upload)
    future = FutureResponse()
    url = f"{scheme}://{authority}{request.target or '/'}"
    going = threading.Thread(
        target=_send,
        args=(session, future, request, url),
        kwargs={"upload": upload, "timeout": _timeout(times)},
        daemon=True,
    )
    going.start()
    return Ok(session.add(future))


def _is_allowed(session: Session, scheme: str, authority: str) -> bool:
    """A rule without a port stands for the ports that the schemes have by themselves."""
    host, _, port = authority.rpartition("@")[2].partition(":")
    wanted = host if not port or int(port or 0) == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    return "@" not in authority and any(covers(rule, wanted) for rule in session.grants.http)


def _timeout(times: dict[str, int | None]) -> httpx.Timeout:
    def seconds(name: str) -> float:
        ns = times.get(name)
        return _TIMEOUT_S if ns is None else ns / 1e9

    read = max(seconds("first-byte-timeout"), seconds("between-bytes-timeout"))
    return httpx.Timeout(_TIMEOUT_S, connect=seconds("connect-timeout"), read=read)


def _send(
    session: Session,
    future: FutureResponse,
    request: OutgoingRequest,
    url: str,
    *,
    upload: _Upload | None,
    timeout: httpx.Timeout,
) -> None:
    """Carry a request out, in a thread of its own."""
    inflow = Inflow(session)
    try:
        with (
            httpx.Client(trust_env=False, follow_redirects=False, timeout=timeout) as client,
            client.stream(
                method_text(request.method),
                url,
                headers=[(name.encode(), value) for name, value in request.headers.entries],
                content=upload,
            ) as response,
        ):
            headers = [(name.decode(), value) for name, value in response.headers.raw]
            future.outcome = Ok(IncomingResponse(response.status_code, without_forbidden(headers), inflow))
            session.wake()
            for chunk in response.iter_raw():
                session.wait(lambda: inflow.has_room)
                inflow.put(chunk)
        inflow.close()
    except Cancelled:
        inflow.close("the call was ended")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        if future.outcome is None:
            future.outcome = Err(_error_code(error))
        inflow.close(str(error) or type(error).__name__)
        session.wake()
    finally:
        if upload is not None:
            upload.is_abandoned = True


def _error_code(error: Exception) -> Case:
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 10:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(one, socket.gaierror) for one in causes):
        return Case("DNS-error", {"rcode": None, "info-code": None})
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return Case("TLS-certificate-error")
    if any(isinstance(one, ssl.SSLError) for one in causes):
        return Case("TLS-protocol-error")
    if isinstance(error, httpx.ConnectTimeout):
        return Case("connection-timeout")
    if isinstance(error, httpx.TimeoutException):
        return Case("HTTP-response-timeout")
    if isinstance(error, httpx.ConnectError):
        return Case("connection-refused")
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return Case("HTTP-request-URI-invalid")
    return Case("connection-terminated")


def _subscribe(session: Session, number: int) -> int:
    future = session.get(number, FutureResponse)
    return session.add(Pollable(lambda: future.outcome is not None))


def _get(session: Session, number: int) -> Any:
    future = session.get(number, FutureResponse)
    if future.outcome is None:
        return None
    if future.is_taken:
        return Err()
    future.is_taken = True
    if isinstance(future.outcome, Err):
        return Ok(future.outcome)
    return Ok(Ok(session.add(future.outcome.value)))


FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "wasi:http/outgoing-handler": {"handle": _handle},
    "wasi:http/types": {
        "[method]future-incoming-response.subscribe": _subscribe,
        "[method]future-incoming-response.get": _get,
    },
}
