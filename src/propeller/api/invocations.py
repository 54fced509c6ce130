"""Invocations of latent tasks."""

import msgspec
from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api import queries
from propeller.api.answers import answer
from propeller.api.bodies import read_json_or_nothing
from propeller.api.context import HttpRequest, context_of, id_in_path, stored_task
from propeller.api.endpoints import get, post
from propeller.api.lifting import Lifted
from propeller.api.spec_builder import check_count, check_env
from propeller.errors import Invalid
from propeller.wire.durations import parse_duration
from propeller.wire.fleet.outgoing import wire_inputs
from propeller.wire.http.invocations import InvocationPage, InvocationView, Invoke, Invoked

_TIMEOUT_S = 30.0
_TIMEOUT_S_MAX = 3600.0

_to_view = msgspec.json.Decoder(InvocationView).decode


@post(
    "/tasks/{id}/invoke",
    action=Action.CHANGE,
    gives=Invoked,
    takes=Invoke,
    needs_body=False,
    refuses=[404, 409, 502, 503, 504],
    takes_key=False,
)
async def invoke_task(request: HttpRequest) -> ASGIApp:
    """Run a deployed latent task once, and wait for its result."""
    context, task_id = context_of(request), id_in_path(request)
    given = await read_json_or_nothing(request, Invoke, _checked) or Invoke()
    timeout_s = _timeout_s(given.timeout)
    task = await stored_task(context, task_id)
    results = await context.manager.invocations.invoke(
        task,
        context.manager.holders(task),
        inputs=wire_inputs("" if value is None else value for value in given.inputs or ()),
        env=given.env or {},
        timeout_s=timeout_s,
    )
    return answer(Invoked(results=results.results or "", results_encoding=results.results_encoding))


@get(
    "/tasks/{id}/invocations",
    action=Action.READ,
    gives=InvocationPage,
    query=[queries.OFFSET, queries.MANY],
    refuses=[404],
)
async def list_invocations(request: HttpRequest) -> ASGIApp:
    """List the invocations of a task with their outcomes, the newest first."""
    context, task_id = context_of(request), id_in_path(request)
    page = queries.paging(request, queries.MANY)
    await stored_task(context, task_id)
    found = await context.manager.invocations.page(task_id, page.offset, page.limit)
    return answer(
        InvocationPage(
            offset=page.offset,
            limit=page.limit,
            total=found.total,
            invocations=[_to_view(text) for text in found.items],
        )
    )


def _checked(given: Invoke, _lifted: Lifted) -> Invoke:
    check_count(given.inputs or (), "inputs")
    if given.env is not None:
        check_env(given.env)
    return given


def _timeout_s(given: str | float | None) -> float:
    try:
        timeout_s = _TIMEOUT_S if given is None else parse_duration(str(given))
    except ValueError as error:
        raise Invalid(f'timeout: "{given}" {error}') from error
    if not 0 < timeout_s <= _TIMEOUT_S_MAX:
        raise Invalid(f"timeout: {timeout_s:g} s is out of range; give more than 0 and at most an hour")
    return timeout_s


ENDPOINTS = [invoke_task, list_invocations]
