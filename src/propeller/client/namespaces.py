"""The namespace that a client works in: of what it creates, and of the lists and events that it asks for."""

from collections.abc import Callable

import httpx

_CREATED_OR_LISTED = ("/tasks", "/workflows", "/jobs")
_LISTED = (*_CREATED_OR_LISTED, "/failures", "/events")
#: Query parameters that name one thing, wherever that is.
_ONE = ("task_id", "workflow_id", "job_id")


def in_namespace(base: httpx.URL, name: str) -> Callable[[httpx.Request], None]:
    """Make what adds a namespace to the requests that are about one, before they are sent."""
    prefix = base.path.rstrip("/")

    def add(request: httpx.Request) -> None:
        path = request.url.path.removeprefix(prefix)
        known = _LISTED if request.method == "GET" else _CREATED_OR_LISTED if request.method == "POST" else ()
        if path in known and not any(one in request.url.params for one in _ONE):
            request.url = request.url.copy_merge_params({"namespace": name})

    return add
