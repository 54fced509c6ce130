"""The application: all handlers, what they share, and what happens to errors."""

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from propeller.api import docs, events, health, jobs, proplets, tasks, workflows
from propeller.api.answers import on_defect, on_http_error, on_refusal
from propeller.api.bodies import BODY_BYTES_MAX
from propeller.api.context import Context
from propeller.api.openapi import document
from propeller.errors import PropellerError
from propeller.manager.service import Manager
from propeller.wire.rest import EventView


def create_app(manager: Manager, *, instance_id: str) -> Litestar:
    """Build the HTTP API of a manager; it needs no lifespan events."""
    handlers = [
        handler
        for resource in (tasks, workflows, jobs, proplets, events, health)
        for handler in resource.HANDLERS
    ]
    described = document(handlers, also=[EventView])
    return Litestar(
        [*handlers, *docs.handlers(described)],
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
