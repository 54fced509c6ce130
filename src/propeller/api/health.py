"""``/health``."""

from litestar import get
from litestar.types import ASGIApp

from propeller.api.answers import answer
from propeller.api.context import HttpRequest, context_of
from propeller.api.openapi import doc
from propeller.wire.http.health import HealthView


@get("/health", opt=doc(gives=HealthView))
async def get_health(request: HttpRequest) -> ASGIApp:
    """Say that the manager answers, and which version it is."""
    context = context_of(request)
    return answer(HealthView(instance_id=context.instance_id))


HANDLERS = [get_health]
