"""``/proplets``: the programs that run guests."""

from starlette.types import ASGIApp

from propeller.access import namespaces
from propeller.access.roles import Action
from propeller.api import queries
from propeller.api.answers import answer, nothing
from propeller.api.context import Context, HttpRequest, context_of, id_in_path, principal_of
from propeller.api.endpoints import delete, get, post
from propeller.api.samples import proplet_sample_page
from propeller.core.events import CordonProplet, DeleteProplet, DrainProplet
from propeller.core.model import Proplet
from propeller.errors import no_such
from propeller.wire.http.proplets import HistoryPage, PropletPage, PropletView, proplet_view, running_task
from propeller.wire.http.samples import PropletSamplePage
from propeller.wire.http.sdf import SdfView, sdf_document
from propeller.wire.rfc3339 import format_time


@get(
    "/proplets",
    action=Action.SEE_FLEET,
    gives=PropletPage,
    query=[
        queries.OFFSET,
        queries.MANY,
        queries.PROPLET_STATUS,
        queries.ID_PREFIX,
        queries.NAME,
        queries.SHOW_RUNNING,
    ],
)
async def list_proplets(request: HttpRequest) -> ASGIApp:
    """List proplets in the order in which they were first seen."""
    context = context_of(request)
    page = queries.paging(request, queries.MANY)
    status = queries.status(request, queries.PROPLET_STATUS, "proplet")
    is_with_tasks = queries.flag(request, queries.SHOW_RUNNING)
    id_prefix, name = queries.text(request, queries.ID_PREFIX), queries.text(request, queries.NAME)
    proplets = [
        proplet
        for proplet in context.manager.proplets()
        if (not status or proplet.is_alive == (status == "active"))
        and proplet.id.startswith(id_prefix)
        and (not name or proplet.name == name)
    ]
    shown = proplets[page.offset : page.offset + page.limit]
    views = [proplet_view(proplet, context.manager.signers) for proplet in shown]
    if is_with_tasks:
        principal = principal_of(request)
        most = min(queries.RUNNING_SHOWN_MAX, queries.RUNNING_IN_PAGE_MAX // max(len(shown), 1))
        placed = await context.manager.present.placed_on(shown, most)
        for view, tasks in zip(views, placed, strict=True):
            view.running = [
                running_task(*one) for one in tasks if principal.sees(namespaces.shown(one.spec.namespace))
            ]
    return answer(PropletPage(offset=page.offset, limit=page.limit, total=len(proplets), proplets=views))


@get("/proplets/{id}", action=Action.SEE_FLEET, gives=PropletView, refuses=[404])
async def get_proplet(request: HttpRequest) -> ASGIApp:
    """Show a proplet."""
    context, proplet_id = context_of(request), id_in_path(request)
    return answer(_view(context, proplet_id))


@delete("/proplets/{id}", action=Action.OPERATE, status=204, refuses=[404, 409])
async def delete_proplet(request: HttpRequest) -> ASGIApp:
    """Forget a proplet that is gone."""
    context, proplet_id = context_of(request), id_in_path(request)
    await context.ask(DeleteProplet(proplet_id))
    return nothing()


@post("/proplets/{id}/cordon", action=Action.OPERATE, gives=PropletView, refuses=[404])
async def cordon_proplet(request: HttpRequest) -> ASGIApp:
    """Give a proplet no new tasks; the tasks that it has go on."""
    context, proplet_id = context_of(request), id_in_path(request)
    await context.ask(CordonProplet(proplet_id))
    return answer(_view(context, proplet_id))


@post("/proplets/{id}/uncordon", action=Action.OPERATE, gives=PropletView, refuses=[404])
async def uncordon_proplet(request: HttpRequest) -> ASGIApp:
    """Give a proplet tasks again."""
    context, proplet_id = context_of(request), id_in_path(request)
    await context.ask(CordonProplet(proplet_id, is_cordoned=False))
    return answer(_view(context, proplet_id))


@post(
    "/proplets/{id}/drain",
    action=Action.OPERATE,
    gives=PropletView,
    query=[queries.DRAIN_TIMEOUT],
    refuses=[404],
)
async def drain_proplet(request: HttpRequest) -> ASGIApp:
    """Cordon a proplet, and after ``timeout`` move its remaining tasks to others; without it, never."""
    context, proplet_id = context_of(request), id_in_path(request)
    timeout_s = queries.seconds(request, queries.DRAIN_TIMEOUT)
    await context.ask(DrainProplet(proplet_id, timeout_s))
    return answer(_view(context, proplet_id))


@get(
    "/proplets/{id}/alive-history",
    action=Action.SEE_FLEET,
    gives=HistoryPage,
    query=[queries.OFFSET, queries.MANY],
    refuses=[404],
)
async def get_alive_history(request: HttpRequest) -> ASGIApp:
    """Show the last signs of life of a proplet, the oldest first."""
    context, proplet_id = context_of(request), id_in_path(request)
    page = queries.paging(request, queries.MANY)
    seen = _known(context, proplet_id).seen
    shown = seen[page.offset : page.offset + page.limit]
    return answer(
        HistoryPage(
            offset=page.offset, limit=page.limit, total=len(seen), history=[format_time(at) for at in shown]
        )
    )


@get(
    "/proplets/{id}/metrics",
    action=Action.SEE_FLEET,
    gives=PropletSamplePage,
    query=[queries.OFFSET, queries.MANY],
    refuses=[404],
)
async def get_proplet_metrics(request: HttpRequest) -> ASGIApp:
    """Show the resources that a proplet and its guests used, the newest sample first."""
    context, proplet_id = context_of(request), id_in_path(request)
    page = queries.paging(request, queries.MANY)
    _known(context, proplet_id)
    return answer(await proplet_sample_page(context, proplet_id, page))


@get("/proplets/{id}/sdf", action=Action.SEE_FLEET, gives=SdfView, refuses=[404])
async def get_sdf(request: HttpRequest) -> ASGIApp:
    """Describe a proplet in the Semantic Definition Format."""
    context, proplet_id = context_of(request), id_in_path(request)
    proplet = _known(context, proplet_id)
    return answer(sdf_document(proplet.id, proplet.name))


def _view(context: Context, proplet_id: str) -> PropletView:
    return proplet_view(_known(context, proplet_id), context.manager.signers)


def _known(context: Context, proplet_id: str) -> Proplet:
    proplet = context.manager.proplet(proplet_id)
    if proplet is None:
        raise no_such("proplet", proplet_id)
    return proplet


ENDPOINTS = [
    list_proplets,
    get_proplet,
    delete_proplet,
    cordon_proplet,
    uncordon_proplet,
    drain_proplet,
    get_alive_history,
    get_proplet_metrics,
    get_sdf,
]
