"""``/health``: the version of the manager."""

from starlette.types import ASGIApp

from propeller.api.answers import answer
from propeller.api.context import HttpRequest, context_of
from propeller.api.endpoints import get
from propeller.wire.http.health import HealthView


@get("/health", gives=HealthView)
async def get_health(request: HttpRequest) -> ASGIApp:
    """Show that the manager answers, and its version."""
    context = context_of(request)
    return answer(HealthView(instance_id=context.instance_id))


ENDPOINTS = [get_health]
