"""``/workflows/{id}/graph`` and its kin: all tasks of a workflow or job by columns, as the store has them."""

from collections.abc import Iterable, Iterator, Mapping

from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api.answers import LongAnswer
from propeller.api.context import HttpRequest, context_of, id_in_path
from propeller.api.endpoints import get
from propeller.core.model import GroupKind
from propeller.errors import no_such
from propeller.wire.http.graphs import GraphView
from propeller.wire.http.schema import encode


@get("/workflows/{id}/graph", action=Action.READ, gives=GraphView, refuses=[404], anywhere=True)
async def get_workflow_graph(request: HttpRequest) -> ASGIApp:
    """Show all tasks of a workflow by columns, and its edges: light enough for 50,000 tasks."""
    return await _graph(request, GroupKind.WORKFLOW)


@get("/jobs/{id}/graph", action=Action.READ, gives=GraphView, refuses=[404], anywhere=True)
async def get_job_graph(request: HttpRequest) -> ASGIApp:
    """Show all tasks of a job by columns: light enough for 50,000 tasks."""
    return await _graph(request, GroupKind.JOB)


async def _graph(request: HttpRequest, kind: GroupKind) -> ASGIApp:
    context, group_id = context_of(request), id_in_path(request)
    graph = await context.store.graph(kind, group_id)
    if graph is None:
        raise no_such(kind.value, group_id)
    fields = {"event_id": [encode(graph.event_id)]}
    if kind is GroupKind.JOB:
        fields["mode"] = [encode(graph.mode or context.job_mode)]
    fields["tasks"] = list(_object({name: [values] for name, values in graph.tasks.items()}))
    for name in ("proplets", "edges", "past_attempts", "executions"):
        fields[name] = [getattr(graph, name)]
    return LongAnswer(list(_object(fields)))


def _object(fields: Mapping[str, Iterable[bytes]]) -> Iterator[bytes]:
    """Write a JSON object, whose fields are there as parts of texts, as parts of a text."""
    for number, (name, parts) in enumerate(fields.items()):
        yield b'%c"%s":' % (b"," if number else b"{", name.encode())
        yield from parts
    yield b"}"


ENDPOINTS = [get_workflow_graph, get_job_graph]
