"""Requests, responses and their bodies: ``wasi:http/types``."""

import re
from collections.abc import Callable
from typing import Any, Protocol

from propeller.runtime.component.variants import Case, Err, Ok
from propeller.runtime.wasi.fields import TOKEN, Fields
from propeller.runtime.wasi.io import CHUNK_BYTES, InputStream, OutputStream, Pollable, Problem
from propeller.runtime.wasi.session import Session


class Sink(Protocol):
    """The destination of a message's body; ``write`` may block until there is room."""

    def write(self, chunk: bytes) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None:
        """End the body before it is complete."""


class Responder(Protocol):
    """Gets the answer to an incoming request."""

    def start(self, status: int, headers: list[tuple[str, bytes]]) -> Sink:
        """Send status and headers at once; give the destination of the body."""


class IncomingBody:
    def __init__(self, stream: InputStream) -> None:
        self.stream = stream
        self.is_read = False

    def dropped(self) -> None:
        self.stream.dropped()


class Incoming:
    """An incoming message: its headers, and its body, which can be taken once."""

    def __init__(self, headers: list[tuple[str, bytes]], stream: InputStream) -> None:
        self.headers = headers
        self.stream = stream
        self.is_consumed = False

    def dropped(self) -> None:
        if not self.is_consumed:
            self.stream.dropped()


class IncomingRequest(Incoming):
    def __init__(
        self,
        *,
        method: str,
        target: str,
        scheme: str,
        authority: str,
        headers: list[tuple[str, bytes]],
        stream: InputStream,
    ) -> None:
        super().__init__(headers, stream)
        self.method = method
        self.target = target
        self.scheme = scheme
        self.authority = authority


class IncomingResponse(Incoming):
    def __init__(self, status: int, headers: list[tuple[str, bytes]], stream: InputStream) -> None:
        super().__init__(headers, stream)
        self.status = status


class OutgoingBody:
    """A body that a guest writes; it is kept until its destination is known."""

    def __init__(self) -> None:
        self._sink: Sink | None = None
        self._early = bytearray()
        self._is_dropped = False
        self.is_empty = True
        self.is_finished = False
        self.is_written = False

    def write(self, data: bytes) -> None:
        self.is_empty = self.is_empty and not data
        if self._sink is not None:
            self._sink.write(data)
        elif len(self._early) + len(data) > 16 * CHUNK_BYTES:
            raise OSError("a body was written before its message was sent, and is too large to be kept")
        else:
            self._early += data

    def go_to(self, sink: Sink) -> None:
        if self._early:
            sink.write(bytes(self._early))
            self._early.clear()
        self._sink = sink
        if self.is_finished:
            sink.close()
        elif self._is_dropped:
            sink.abort()

    def finish(self) -> None:
        self.is_finished = True
        if self._sink is not None:
            self._sink.close()

    def dropped(self) -> None:
        """Abort the body, which the guest will not finish."""
        self._is_dropped = True
        if self._sink is not None:
            self._sink.abort()


class Outgoing:
    """An outgoing message, which a guest makes."""

    def __init__(self, headers: Fields) -> None:
        self.headers = headers
        self.headers.is_immutable = True
        self.body: OutgoingBody | None = None


class OutgoingResponse(Outgoing):
    status = 200


class OutgoingRequest(Outgoing):
    method = Case("get")
    target: str | None = None
    scheme: Case | None = None
    authority: str | None = None


class RequestOptions:
    """Time limits, ns; None where the guest sets none."""

    def __init__(self) -> None:
        self.times: dict[str, int | None] = {}


class Outparam:
    """The place where a guest sets its response, once."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder
        self.is_set = False
        self.response: OutgoingResponse | None = None

    @property
    def is_complete(self) -> bool:
        if self.response is None:
            return False
        body = self.response.body
        # A language runtime that fails in the guest sends a status and no body.
        return body is None or body.is_finished or (self.response.status >= 500 and body.is_empty)


class FutureTrailers:
    pass


_TARGET = re.compile(r"[^\x00-\x20\x7f#]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_AUTHORITY = re.compile(r"([\w.~%-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_METHODS = frozenset("get head post put delete connect options trace patch".split())


def method_case(method: str) -> Case:
    name = method.lower()
    return Case(name) if name in _METHODS else Case("other", method)


def method_text(case: Case) -> str:
    return str(case.payload) if case.name == "other" else case.name.upper()


def _scheme_case(scheme: str) -> Case:
    return Case(scheme.upper()) if scheme in ("http", "https") else Case("other", scheme)


def _consume(session: Session, number: int) -> Any:
    message = session.get(number, Incoming)
    if message.is_consumed:
        return Err()
    message.is_consumed = True
    return Ok(session.add(IncomingBody(message.stream)))


def _stream(session: Session, number: int) -> Any:
    body = session.get(number, IncomingBody)
    if body.is_read:
        return Err()
    body.is_read = True
    return Ok(session.add(body.stream))


def _finish_incoming(session: Session, number: int) -> int:
    session.take(number, IncomingBody).dropped()
    return session.add(FutureTrailers())


def _body(session: Session, number: int) -> Any:
    message = session.get(number, Outgoing)
    if message.body is not None:
        return Err()
    message.body = OutgoingBody()
    return Ok(session.add(message.body))


def _write(session: Session, number: int) -> Any:
    body = session.get(number, OutgoingBody)
    if body.is_written:
        return Err()
    body.is_written = True
    return Ok(session.add(OutputStream(body.write)))


def _finish_outgoing(session: Session, number: int, trailers: int | None) -> Any:
    """Finish a body; its trailers are dropped, because hardly any client reads them."""
    session.take(number, OutgoingBody).finish()
    if trailers is not None:
        session.drop(trailers)
    return Ok()


def _set_status(session: Session, number: int, status: int) -> Any:
    if not 100 <= status <= 599:
        return Err()
    session.get(number, OutgoingResponse).status = status
    return Ok()


def _respond(session: Session, number: int, response: Ok | Err) -> None:
    outparam = session.take(number, Outparam)
    outparam.is_set = True
    if isinstance(response, Err):
        raise RuntimeError(  # noqa: TRY004  it is about a value, not about a type
            f"the guest answered with the error {response.value.name}"
        )
    outgoing = session.take(response.value, OutgoingResponse)
    outparam.response = outgoing
    sink = outparam.responder.start(outgoing.status, outgoing.headers.entries)
    if outgoing.body is None:
        sink.close()
    else:
        outgoing.body.go_to(sink)


def _setter(name: str, is_sound: Callable[[str], object]) -> Callable[..., Any]:
    """Make a setter of a part of a request, which checks text that the guest wrote itself."""

    def set_(session: Session, number: int, value: Any) -> Any:
        text = value.payload if isinstance(value, Case) else value
        if text is not None and not is_sound(text):
            return Err()
        setattr(session.get(number, OutgoingRequest), name, value)
        return Ok()

    return set_


def _getter(name: str) -> Callable[..., Any]:
    return lambda session, number: getattr(session.get(number, OutgoingRequest), name)


def _set_time(name: str) -> Callable[..., Any]:
    def set_(session: Session, number: int, ns: int | None) -> Any:
        session.get(number, RequestOptions).times[name] = ns
        return Ok()

    return set_


def _get_time(name: str) -> Callable[..., Any]:
    return lambda session, number: session.get(number, RequestOptions).times.get(name)


def _headers_of_outgoing(session: Session, number: int) -> int:
    return session.add(Fields(session.get(number, Outgoing).headers.entries, is_immutable=True))


def _headers_of_incoming(session: Session, number: int) -> int:
    return session.add(Fields(session.get(number, Incoming).headers, is_immutable=True))


_TIMES = ("connect-timeout", "first-byte-timeout", "between-bytes-timeout")

FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "wasi:http/types": {
        "[method]incoming-request.method": lambda session, number: method_case(
            session.get(number, IncomingRequest).method
        ),
        "[method]incoming-request.path-with-query": lambda session, number: (
            session.get(number, IncomingRequest).target
        ),
        "[method]incoming-request.scheme": lambda session, number: _scheme_case(
            session.get(number, IncomingRequest).scheme
        ),
        "[method]incoming-request.authority": lambda session, number: (
            session.get(number, IncomingRequest).authority
        ),
        "[method]incoming-request.headers": _headers_of_incoming,
        "[method]incoming-request.consume": _consume,
        "[method]incoming-response.status": lambda session, number: (
            session.get(number, IncomingResponse).status
        ),
        "[method]incoming-response.headers": _headers_of_incoming,
        "[method]incoming-response.consume": _consume,
        "[method]incoming-body.stream": _stream,
        "[static]incoming-body.finish": _finish_incoming,
        "[method]future-trailers.subscribe": lambda session, number: session.add(Pollable(lambda: True)),
        "[method]future-trailers.get": lambda session, number: Ok(Ok(None)),
        "[constructor]outgoing-response": lambda session, headers: session.add(
            OutgoingResponse(session.take(headers, Fields))
        ),
        "[method]outgoing-response.status-code": lambda session, number: (
            session.get(number, OutgoingResponse).status
        ),
        "[method]outgoing-response.set-status-code": _set_status,
        "[method]outgoing-response.headers": _headers_of_outgoing,
        "[method]outgoing-response.body": _body,
        "[method]outgoing-body.write": _write,
        "[static]outgoing-body.finish": _finish_outgoing,
        "[static]response-outparam.set": _respond,
        "[constructor]outgoing-request": lambda session, headers: session.add(
            OutgoingRequest(session.take(headers, Fields))
        ),
        "[method]outgoing-request.body": _body,
        "[method]outgoing-request.headers": _headers_of_outgoing,
        "[method]outgoing-request.method": _getter("method"),
        "[method]outgoing-request.set-method": _setter("method", TOKEN.fullmatch),
        "[method]outgoing-request.path-with-query": _getter("target"),
        "[method]outgoing-request.set-path-with-query": _setter("target", _TARGET.fullmatch),
        "[method]outgoing-request.scheme": _getter("scheme"),
        "[method]outgoing-request.set-scheme": _setter("scheme", _SCHEME.fullmatch),
        "[method]outgoing-request.authority": _getter("authority"),
        "[method]outgoing-request.set-authority": _setter("authority", _AUTHORITY.fullmatch),
        "[constructor]request-options": lambda session: session.add(RequestOptions()),
        **{f"[method]request-options.{name}": _get_time(name) for name in _TIMES},
        **{f"[method]request-options.set-{name}": _set_time(name) for name in _TIMES},
        "http-error-code": lambda session, number: session.get(number, Problem).code,
    },
}
