"""``/health``."""

import msgspec
from litestar import get
from litestar.types import ASGIApp

from propeller import __version__
from propeller.api.answers import answer
from propeller.api.context import HttpRequest, context_of
from propeller.api.openapi import doc


class HealthView(msgspec.Struct, kw_only=True):
    status: str = "pass"
    version: str = __version__
    commit: str = "none"
    description: str = "manager service"
    build_time: str = "unknown"
    instance_id: str


@get("/health", opt=doc(gives=HealthView))
async def get_health(request: HttpRequest) -> ASGIApp:
    """Say that the manager answers, and which version it is."""
    context = context_of(request)
    return answer(HealthView(instance_id=context.instance_id))


HANDLERS = [get_health]
