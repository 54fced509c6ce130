"""Answers: JSON with a line end, and errors as ``{"error": "…"}`` with the status of their kind."""

import logging

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse

from propeller.api.context import HttpRequest
from propeller.errors import (
    Conflict,
    Forbidden,
    GuestFailed,
    Invalid,
    NotFound,
    PropellerError,
    StoreUnusable,
    TimedOut,
    TooLarge,
    Unavailable,
)
from propeller.wire.http.errors import ErrorView
from propeller.wire.http.schema import encode

_log = logging.getLogger(__name__)

_MESSAGE_CHARS_MAX = 2000

STATUSES: dict[type[PropellerError], int] = {
    Invalid: 400,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    StoreUnusable: 503,
    Unavailable: 503,
    GuestFailed: 502,
    TimedOut: 504,
}


def answer(body: msgspec.Struct, status: int = 200, headers: dict[str, str] | None = None) -> ASGIResponse:
    return ASGIResponse(
        body=encode(body) + b"\n", status_code=status, media_type="application/json", headers=headers
    )


def nothing() -> ASGIResponse:
    return ASGIResponse(status_code=204)


def refusal(error: PropellerError) -> ASGIResponse:
    """Answer before the application, with what is raised on purpose."""
    return ASGIResponse(
        body=error_body(str(error)), status_code=STATUSES[type(error)], media_type="application/json"
    )


def on_refusal(request: HttpRequest, error: PropellerError) -> Response[bytes]:
    """Answer what was raised on purpose."""
    status = STATUSES.get(type(error))
    return on_defect(request, error) if status is None else _error(str(error), status)


def on_http_error(request: HttpRequest, error: HTTPException) -> Response[bytes]:
    """Answer what the framework refuses by itself: unknown routes and methods, mostly."""
    if error.status_code == 404:
        return Response(b"404 page not found\n", status_code=404, media_type="text/plain")
    if error.status_code == 405:
        return Response(b"", status_code=405, media_type="text/plain", headers=error.headers)
    if error.status_code >= 500:
        return on_defect(request, error)
    return _error(error.detail, error.status_code)


def on_defect(request: HttpRequest, error: Exception) -> Response[bytes]:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _error("internal error", 500)


def _presentable(message: str) -> str:
    """What quotes from a request may quote anything, at any length."""
    text = message.encode(errors="replace").decode()
    return text if len(text) <= _MESSAGE_CHARS_MAX else f"{text[:_MESSAGE_CHARS_MAX]}…"


def _error(message: str, status: int) -> Response[bytes]:
    return Response(error_body(message), status_code=status, media_type="application/json")


def error_body(message: str) -> bytes:
    return encode(ErrorView(_presentable(message))) + b"\n"
