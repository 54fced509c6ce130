"""The application: routes requests to the endpoints, and turns the errors that they raise into answers."""

import logging
import time
from collections.abc import Iterable
from typing import Any

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from propeller.access.decision import authorize
from propeller.access.roles import Action
from propeller.api import (
    docs,
    events,
    files,
    graphs,
    health,
    histories,
    invocations,
    jobs,
    joining,
    logs,
    modules,
    oidc_sign_in,
    once,
    overview,
    page,
    proplets,
    provenance,
    schedules,
    secrets,
    sessions,
    tasks,
    tokens,
    workflows,
)
from propeller.api.answers import error_answer, methods, no_such_method, no_such_path
from propeller.api.belonging import authorize_path
from propeller.api.context import CONTEXT, HAS_DONE, Context, HttpRequest, NeedsLeader, principal_of
from propeller.api.endpoints import Endpoint
from propeller.api.openapi import document
from propeller.api.queries import check_known
from propeller.errors import OutcomeUnknown, Unavailable
from propeller.manager.service import Manager
from propeller.wire.http.events import EventView, GoneView
from propeller.wire.http.logs import LogEnd

_log = logging.getLogger(__name__)

_RESOURCES = (
    tasks,
    modules,
    files,
    logs,
    invocations,
    workflows,
    jobs,
    schedules,
    secrets,
    proplets,
    joining,
    overview,
    graphs,
    events,
    histories,
    oidc_sign_in,
    provenance,
    tokens,
    sessions,
    health,
)


_DONE = (
    "this was done, and what came of it can't be read, since the database does not answer any more; look "
    "later, and send this again only under the Idempotency-Key that it had"
)


class Resource:
    """One path, with an endpoint for each of its methods."""

    def __init__(self, to_leader: ASGIApp | None) -> None:
        """Begin without any; ``to_leader`` answers what the manager that leads has to, if that is another."""
        self.endpoints: dict[str, Endpoint] = {}
        self._to_leader = to_leader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._response(HttpRequest(scope, receive))
        await response(scope, receive, send)

    async def _response(self, request: HttpRequest) -> ASGIApp:
        # The server drops the body of what answers HEAD.
        endpoint = self.endpoints.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:
            head = ["HEAD"] if "GET" in self.endpoints else []
            allowed = sorted([*self.endpoints, *head, "OPTIONS"])
            return methods(allowed) if request.method == "OPTIONS" else no_such_method(allowed)
        HAS_DONE.set(False)
        try:
            if endpoint.action is not Action.OPEN:
                authorize(principal_of(request), endpoint.action)
            if self._to_leader is not None and not endpoint.anywhere:
                return self._to_leader
            await authorize_path(request, endpoint.action)
            if not endpoint.takes_any_query:
                check_known(request, endpoint.query)
            if not once.has_key(request):
                return await endpoint.handler(request)
            if not endpoint.takes_key:
                once.refuse_key()
            return await once.answered_once(request, endpoint.handler)
        except NeedsLeader:
            assert self._to_leader is not None, "this manager leads"
            return self._to_leader
        except Unavailable as error:
            return error_answer(request, OutcomeUnknown(_DONE) if HAS_DONE.get() else error)
        except Exception as error:
            return error_answer(request, error)


class Application:
    """The HTTP API of a manager; it needs no lifespan events."""

    def __init__(
        self, context: Context, endpoints: Iterable[Endpoint], *, to_leader: ASGIApp | None = None
    ) -> None:
        """Build it; ``to_leader`` answers what the manager that leads has to, if that is another."""
        self.context = context
        self.resources: dict[str, Resource] = {}
        for endpoint in endpoints:
            resource = self.resources.setdefault(endpoint.path, Resource(to_leader))
            resource.endpoints[endpoint.method] = endpoint
        routes = [Route(path, resource) for path, resource in self.resources.items()]
        self._router = Router(routes, redirect_slashes=False, default=no_such_path())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = "/" + "/".join(filter(None, scope["path"].split("/")))  # extra slashes do no harm
        if _log.isEnabledFor(logging.DEBUG):
            send = _logged(scope, send)
        await self._router({**scope, "path": path, CONTEXT: self.context}, receive, send)


def _logged(scope: Scope, send: Send) -> Send:
    """Log a request when its answer begins."""
    began = time.perf_counter()

    async def logged(message: Message) -> None:
        if message["type"] == "http.response.start":
            took_ms = (time.perf_counter() - began) * 1000
            _log.debug("%s %s: %d, %.1f ms", scope["method"], scope["path"], message["status"], took_ms)
        await send(message)

    return logged


def described() -> dict[str, Any]:
    """Make the OpenAPI document of the API."""
    return document(_endpoints(), also=[EventView, GoneView, LogEnd])


def create_app(manager: Manager, *, instance_id: str, has_page: bool = True) -> Application:
    """Build the HTTP API of a manager, and the page for people unless it is to have none."""
    return Application(Context(manager, instance_id=instance_id), all_endpoints(has_page=has_page))


def all_endpoints(*, has_page: bool) -> list[Endpoint]:
    """Give the endpoints of the API, and those that describe and show it."""
    shown = [*docs.endpoints(described(), has_page=has_page), *(page.endpoints() if has_page else ())]
    return [*_endpoints(), *shown]


def _endpoints() -> list[Endpoint]:
    return [endpoint for resource in _RESOURCES for endpoint in resource.ENDPOINTS]
