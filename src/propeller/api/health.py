"""``/health``: the version of the manager; ``/ready``: what keeps tasks from being run."""

from starlette.types import ASGIApp

from propeller.api.answers import answer
from propeller.api.context import HttpRequest, context_of
from propeller.api.endpoints import get
from propeller.wire.http.health import HealthView, ReadyView


@get("/health", gives=HealthView)
async def get_health(request: HttpRequest) -> ASGIApp:
    """Show that the manager answers, and its version."""
    context = context_of(request)
    return answer(HealthView(instance_id=context.instance_id))


@get("/ready", gives=ReadyView, also={503: ReadyView})
async def get_ready(request: HttpRequest) -> ASGIApp:
    """Say whether what is started now would be run: 503 and what is in the way where it would wait."""
    obstacles = context_of(request).manager.obstacles()
    return answer(ReadyView(ready=not obstacles, obstacles=obstacles), 503 if obstacles else 200)


ENDPOINTS = [get_health, get_ready]
