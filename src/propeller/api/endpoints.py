"""Endpoints: handlers with their paths, and their description in the OpenAPI document."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api.context import HttpRequest
from propeller.api.entrance import lane_of
from propeller.api.queries import IDEMPOTENCY_KEY, Query

Handler = Callable[[HttpRequest], Awaitable[ASGIApp]]

#: Statuses that any request may get, even before a handler sees it.
_ALWAYS = (400, 403, 408, 431, 503)


class Binary:
    """A Wasm module as bytes: the part ``file`` of a form in a request, the body itself in an answer."""


class AnyModule:
    """A module as WebAssembly or as text: the body itself, or the part ``file`` of a form."""


class EventText:
    """Server-sent events; the data of each is an ``EventView``."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path; the docstring of the handler says what it does."""

    method: str
    #: Such as ``/tasks/{id}``.
    path: str
    #: What a request for it is, so that it is known who may send one.
    action: Action
    handler: Handler
    #: Shape of the body of the request.
    takes: type | None
    #: Shape of the answer, or several; None for an answer without a body.
    gives: Any
    #: Status of the answer.
    status: int
    query: tuple[Query, ...]
    #: Statuses of errors.
    refuses: tuple[int, ...]
    #: Shapes of answers with statuses of errors that are no errors.
    also: Mapping[int, Any]
    has_location: bool
    needs_body: bool
    may_stream: bool
    may_be_bytes: bool
    takes_key: bool
    #: A page reads its query itself; elsewhere, a parameter that the endpoint does not have is refused.
    takes_any_query: bool
    #: True if any manager answers it, from what is committed; else the one that leads.
    anywhere: bool

    @property
    def name(self) -> str:
        return self.handler.__name__

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or "").replace("``", "")


def endpoint(
    method: str,
    path: str,
    *,
    action: Action,
    gives: Any = None,
    takes: type | None = None,
    status: int = 200,
    query: Sequence[Query] = (),
    refuses: Sequence[int] = (),
    also: Mapping[int, Any] | None = None,
    has_location: bool = False,
    needs_body: bool = True,
    may_stream: bool = False,
    may_be_bytes: bool = False,
    takes_key: bool | None = None,
    takes_any_query: bool = False,
    anywhere: bool = False,
) -> Callable[[Handler], Endpoint]:
    """Make an endpoint of a handler, with its description in the document.

    Args:
        method: The HTTP method, such as ``GET``.
        path: The path, with ``{id}`` in the place of an id.
        action: What a request for it is, so that it is known who may send one.
        gives: Shape of the answer, or several; None for an answer without a body.
        takes: Shape of the body of the request.
        status: Status of the answer.
        query: Query parameters.
        refuses: Statuses of errors, besides those that follow from the rest.
        also: Shapes of answers that have the status of an error and are none, by status.
        has_location: True if the answer has the path of a new resource as ``Location``.
        needs_body: False if a request may leave out the body.
        may_stream: True if a request may ask for a stream of events.
        may_be_bytes: True if ``Accept`` may ask for bytes (``answers.wants_bytes``).
        takes_key: Whether a request may have an idempotency key; None for any POST.
        takes_any_query: True if query parameters that are not in ``query`` are let through.
        anywhere: True if any manager answers it, from what is committed and nothing else. Others are for the
            manager that leads: they change something, or show what only its memory has.

    """
    takes_key = method == "POST" if takes_key is None else takes_key
    follows = {413, 422} if takes_key else {413} if takes else set[int]()
    if lane_of(method, path):
        follows = follows | {429}
    if action is not Action.OPEN:
        follows = follows | {401, 429}
    if not anywhere:
        follows = follows | {502}
    return lambda handler: Endpoint(
        method=method,
        path=path,
        action=action,
        handler=handler,
        takes=takes,
        gives=gives,
        status=status,
        query=(*query, *((IDEMPOTENCY_KEY,) if takes_key else ())),
        refuses=tuple(sorted({*refuses, *follows, *_ALWAYS})),
        also=also or {},
        has_location=has_location,
        needs_body=needs_body,
        may_stream=may_stream,
        may_be_bytes=may_be_bytes,
        takes_key=takes_key,
        takes_any_query=takes_any_query,
        anywhere=anywhere,
    )


get = partial(endpoint, "GET")
post = partial(endpoint, "POST")
put = partial(endpoint, "PUT")
delete = partial(endpoint, "DELETE")
