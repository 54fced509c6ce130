"""Answers: JSON with a line end; an error is ``{"error": "…"}`` with the status of its kind."""

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from propeller.api.context import HttpRequest
from propeller.errors import (
    Conflict,
    Forbidden,
    GuestFailed,
    Invalid,
    KeyReused,
    LeadershipLost,
    NotFound,
    OutcomeUnknown,
    PropellerError,
    StoreUnusable,
    TimedOut,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from propeller.wire.http.errors import ErrorView
from propeller.wire.http.schema import encode

_log = logging.getLogger(__name__)

_MESSAGE_CHARS_MAX = 2000
#: A header with which a manager says to others that it answers so because it does not lead any more.
LEAD = "propeller-lead"
#: How much of a long answer is sent at once.
_PIECE_BYTES = 256 * 1024
_BYTES = "application/octet-stream"
_EVENTS = "text/event-stream"
#: Of what a client does not take.
_NO_WEIGHT = re.compile(r"q=0(\.0*)?")

STATUSES: dict[type[PropellerError], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    KeyReused: 422,
    TooMany: 429,
    StoreUnusable: 503,
    LeadershipLost: 503,
    OutcomeUnknown: 502,
    Unavailable: 503,
    GuestFailed: 502,
    TimedOut: 504,
}


def answer(body: msgspec.Struct, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(body) + b"\n", status, headers, media_type="application/json")


class LongAnswer:
    """JSON that is large: it is sent in pieces, as the client takes them, so that it holds up nobody."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        """Take the text in parts of any size."""
        self._parts = [*parts, b"\n"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = b"%d" % sum(map(len, self._parts))
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # The server drops the body of what answers HEAD.
        for part in self._parts if scope["method"] != "HEAD" else ():
            for start in range(0, len(part), _PIECE_BYTES):
                piece = part[start : start + _PIECE_BYTES]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(0)  # a client that takes all at once is not waited for otherwise
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def wants_bytes(request: HttpRequest) -> bool:
    """Say whether a request accepts ``application/octet-stream``, in place of JSON."""
    return accepts(request, _BYTES)


def wants_events(request: HttpRequest) -> bool:
    """Say whether a request accepts server-sent events, in place of JSON."""
    return accepts(request, _EVENTS)


def accepts(request: HttpRequest, wanted: str, header: str = "accept") -> bool:
    """Say whether a header such as ``Accept`` names this itself, and not with the weight 0."""
    for kind in request.headers.get(header, "").lower().split(","):
        name, *options = (part.strip() for part in kind.split(";"))
        if name == wanted:
            return not any(map(_NO_WEIGHT.fullmatch, options))
    return False


def as_file(data: bytes) -> Response:
    """Answer bytes that are no page, whatever a browser sees in them."""
    return Response(data, headers={"x-content-type-options": "nosniff"}, media_type=_BYTES)


def nothing() -> Response:
    return Response(status_code=204)


def refusal(error: PropellerError) -> Response:
    """Make the answer for an error that is raised on purpose."""
    status = STATUSES[type(error)]
    headers = {"retry-after": "1"} if status == 503 else {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooMany):
        headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, LeadershipLost):
        headers[LEAD] = "lost"
    return _error(str(error), status, headers)


def no_such_path() -> Response:
    return Response(b"404 page not found\n", 404, media_type="text/plain")


def no_such_method(allowed: Iterable[str]) -> Response:
    return Response(b"", 405, {"allow": ", ".join(allowed)}, media_type="text/plain")


def methods(allowed: Iterable[str]) -> Response:
    """Answer ``OPTIONS`` with the methods that a path has."""
    return Response(status_code=204, headers={"allow": ", ".join(allowed)})


def error_answer(request: HttpRequest, error: Exception) -> Response:
    """Make the answer for an error that a handler raised; a defect is logged and not shown."""
    if isinstance(error, PropellerError) and type(error) in STATUSES:
        return refusal(error)
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _error("internal error", 500)


def _presentable(message: str) -> str:
    """Make a message fit to be sent: it may quote a request, with any characters and of any length."""
    text = message.encode(errors="replace").decode()
    return text if len(text) <= _MESSAGE_CHARS_MAX else f"{text[:_MESSAGE_CHARS_MAX]}…"


def _error(message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(error_body(message), status, headers, media_type="application/json")


def error_body(message: str) -> bytes:
    return encode(ErrorView(_presentable(message))) + b"\n"
