"""The application: all handlers, what they share, and what happens to errors."""

from collections.abc import Iterable

from litestar import Litestar, route
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp

from propeller.api import docs, events, health, invocations, jobs, logs, proplets, tasks, workflows
from propeller.api.answers import on_defect, on_http_error, on_refusal
from propeller.api.bodies import BODY_BYTES_MAX
from propeller.api.context import Context
from propeller.api.openapi import document
from propeller.errors import PropellerError
from propeller.manager.service import Manager
from propeller.wire.http.events import EventView
from propeller.wire.http.logs import LogEnd


def create_app(manager: Manager, *, instance_id: str) -> Litestar:
    """Build the HTTP API of a manager; it needs no lifespan events."""
    handlers = [
        handler
        for resource in (tasks, logs, invocations, workflows, jobs, proplets, events, health)
        for handler in resource.HANDLERS
    ]
    described = document(handlers, also=[EventView, LogEnd])
    return Litestar(
        [*_options(handlers), *handlers, *docs.handlers(described)],
        state=State({"context": Context(manager, instance_id=instance_id)}),
        exception_handlers={
            PropellerError: on_refusal,
            HTTPException: on_http_error,
            Exception: on_defect,
        },
        logging_config=None,
        openapi_config=None,
        request_max_body_size=BODY_BYTES_MAX,
    )


def _options(handlers: Iterable[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """Make handlers that name the methods of each path; the framework's own forget some of them.

    They have to be registered before the others: a path gets the framework's where it has none yet.
    """
    methods: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)

    def answering(path: str, allowed: str) -> HTTPRouteHandler:
        @route(path, http_method="OPTIONS", status_code=200)
        async def name_methods() -> ASGIApp:
            return ASGIResponse(status_code=204, headers={"allow": allowed})

        return name_methods

    return [answering(path, ", ".join(sorted(names))) for path, names in methods.items()]
