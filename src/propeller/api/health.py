"""``/health``: the version of the manager; ``/ready``: what keeps tasks from being run."""

import math
import time

from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api.answers import answer
from propeller.api.context import HttpRequest, context_of
from propeller.api.endpoints import get
from propeller.wire.http.health import FOLLOWER, LEADER, HealthView, ReadyView

_DAY_S = 86_400
_WARNED_DAYS = 14


@get("/health", action=Action.OPEN, gives=HealthView, anywhere=True)
async def get_health(request: HttpRequest) -> ASGIApp:
    """Show that the manager answers, its version, and whether it leads."""
    context = context_of(request)
    view = HealthView(instance_id=context.instance_id, role=FOLLOWER if context.follows else LEADER)
    if context.leader is not None:
        view.leader = context.leader.address
    return answer(view)


@get("/ready", action=Action.OPEN, gives=ReadyView, also={503: ReadyView}, refuses=[502], anywhere=True)
async def get_ready(request: HttpRequest) -> ASGIApp:
    """Say whether what is started now would be run: 503 where it would wait.

    Obstacles that keep only some proplets from running tasks are named too.
    """
    context = context_of(request)
    if not context.has_leader and context.store.outage:
        return answer(ReadyView(ready=False, obstacles=[f"the database: {context.store.outage}"]), 503)
    warnings = _warnings(request)
    is_ready, obstacles = context.manager.readiness()  # which another manager knows, if that one leads
    return answer(ReadyView(ready=is_ready, obstacles=obstacles, warnings=warnings), 200 if is_ready else 503)


def _warnings(request: HttpRequest) -> list[str]:
    """Say what will be an obstacle soon."""
    tls = request.scope.get("extensions", {}).get("tls") or {}
    ends_at = tls.get("server_cert_ends_at")
    days = (ends_at - time.time()) / _DAY_S if ends_at is not None else _WARNED_DAYS
    if days >= _WARNED_DAYS:
        return []
    return [f"the certificate of this manager ends in {max(math.floor(days), 0)} days; renew it"]


ENDPOINTS = [get_health, get_ready]
