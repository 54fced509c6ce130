"""``/proplets``."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import delete, get, post
from litestar.types import ASGIApp
from msgspec import UNSET, UnsetType

from propeller.api import queries
from propeller.api.answers import answer, nothing
from propeller.api.context import Context, HttpRequest, context_of, id_in_path
from propeller.api.openapi import doc
from propeller.api.samples import proplet_sample_page
from propeller.api.sdf import SdfView, sdf_document
from propeller.core.events import CordonProplet, DeleteProplet, DrainProplet
from propeller.core.model import Proplet
from propeller.errors import NotFound
from propeller.wire.gotime import format_time
from propeller.wire.samples import PropletSamplePage
from propeller.wire.schema import Time


class PropletMetadata(msgspec.Struct):
    """What a proplet says about itself; what it does not say is left out."""

    description: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    location: str | UnsetType = UNSET
    ip: str | UnsetType = UNSET
    environment: str | UnsetType = UNSET
    os: str | UnsetType = UNSET
    hostname: str | UnsetType = UNSET
    cpu_arch: str | UnsetType = UNSET
    total_memory_bytes: int | UnsetType = UNSET
    proplet_version: str | UnsetType = UNSET
    wasm_runtime: str | UnsetType = UNSET


class PropletView(msgspec.Struct, kw_only=True):
    id: str
    name: str
    task_count: int
    alive: bool
    last_alive_at: Time | UnsetType = UNSET
    metadata: PropletMetadata
    #: Ours, like the next two: how many guests it runs at once.
    slots: int
    cordoned: bool | UnsetType = UNSET
    #: When what still runs there is moved elsewhere.
    drain_by: Time | UnsetType = UNSET


class PropletPage(msgspec.Struct, kw_only=True):
    offset: int
    limit: int
    total: int
    proplets: list[PropletView]


class HistoryPage(msgspec.Struct, kw_only=True):
    offset: int
    limit: int
    total: int
    history: list[Time]


@get("/proplets", opt=doc(gives=PropletPage, query=[queries.OFFSET, queries.MANY, queries.PROPLET_STATUS]))
async def list_proplets(request: HttpRequest) -> ASGIApp:
    """List proplets in the order in which they were first seen."""
    context = context_of(request)
    page = queries.paging(request, queries.MANY)
    status = queries.status(request, queries.PROPLET_STATUS, "proplet")
    proplets = [
        proplet
        for proplet in context.manager.proplets()
        if not status or proplet.is_alive == (status == "active")
    ]
    shown = proplets[page.offset : page.offset + page.limit]
    return answer(
        PropletPage(
            offset=page.offset,
            limit=page.limit,
            total=len(proplets),
            proplets=[proplet_view(proplet) for proplet in shown],
        )
    )


@get("/proplets/{id:str}", opt=doc(gives=PropletView, refuses=[404]))
async def get_proplet(request: HttpRequest) -> ASGIApp:
    """Show a proplet."""
    context, proplet_id = context_of(request), id_in_path(request)
    return answer(proplet_view(_known(context, proplet_id)))


@delete("/proplets/{id:str}", status_code=200, opt=doc(status=204, refuses=[404, 409]))
async def delete_proplet(request: HttpRequest) -> ASGIApp:
    """Forget a proplet that is gone."""
    context, proplet_id = context_of(request), id_in_path(request)
    await context.manager.ask(DeleteProplet(proplet_id))
    return nothing()


@post("/proplets/{id:str}/cordon", status_code=200, opt=doc(gives=PropletView, refuses=[404]))
async def cordon_proplet(request: HttpRequest) -> ASGIApp:
    """Give a proplet no new tasks; what it has goes on."""
    context, proplet_id = context_of(request), id_in_path(request)
    await context.manager.ask(CordonProplet(proplet_id))
    return answer(proplet_view(_known(context, proplet_id)))


@post("/proplets/{id:str}/uncordon", status_code=200, opt=doc(gives=PropletView, refuses=[404]))
async def uncordon_proplet(request: HttpRequest) -> ASGIApp:
    """Give a proplet tasks again."""
    context, proplet_id = context_of(request), id_in_path(request)
    await context.manager.ask(CordonProplet(proplet_id, is_cordoned=False))
    return answer(proplet_view(_known(context, proplet_id)))


@post(
    "/proplets/{id:str}/drain",
    status_code=200,
    opt=doc(gives=PropletView, query=[queries.DRAIN_TIMEOUT], refuses=[404]),
)
async def drain_proplet(request: HttpRequest) -> ASGIApp:
    """Cordon a proplet; what it has not finished after ``timeout`` is run elsewhere, without it never."""
    context, proplet_id = context_of(request), id_in_path(request)
    timeout_s = queries.seconds(request, queries.DRAIN_TIMEOUT)
    await context.manager.ask(DrainProplet(proplet_id, timeout_s))
    return answer(proplet_view(_known(context, proplet_id)))


@get(
    "/proplets/{id:str}/alive-history",
    opt=doc(gives=HistoryPage, query=[queries.OFFSET, queries.MANY], refuses=[404]),
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
    "/proplets/{id:str}/metrics",
    opt=doc(gives=PropletSamplePage, query=[queries.OFFSET, queries.MANY], refuses=[404]),
)
async def get_proplet_metrics(request: HttpRequest) -> ASGIApp:
    """Show what a proplet used with its guests, the newest sample first."""
    context, proplet_id = context_of(request), id_in_path(request)
    page = queries.paging(request, queries.MANY)
    _known(context, proplet_id)
    return answer(await proplet_sample_page(context, proplet_id, page))


@get("/proplets/{id:str}/sdf", opt=doc(gives=SdfView, refuses=[404]))
async def get_sdf(request: HttpRequest) -> ASGIApp:
    """Describe a proplet in the Semantic Definition Format."""
    context, proplet_id = context_of(request), id_in_path(request)
    proplet = _known(context, proplet_id)
    return answer(sdf_document(proplet.id, proplet.name))


def proplet_view(proplet: Proplet) -> PropletView:
    return PropletView(
        id=proplet.id,
        name=proplet.name,
        task_count=len(proplet.placed),
        alive=proplet.is_alive,
        last_alive_at=format_time(proplet.seen[-1]) if proplet.seen else UNSET,
        metadata=_metadata(proplet.metadata),
        slots=proplet.slots,
        cordoned=proplet.is_cordoned or UNSET,
        drain_by=format_time(proplet.drain_by) if proplet.drain_by else UNSET,
    )


def _metadata(said: Mapping[str, Any]) -> PropletMetadata:
    """Take over what has the right type; a proplet may say anything."""
    known: dict[str, Any] = {}
    for name in PropletMetadata.__struct_fields__:
        value = said.get(name)
        if value:
            kind = {"tags": list[str], "total_memory_bytes": int}.get(name, str)
            try:
                known[name] = msgspec.convert(value, kind)
            except msgspec.ValidationError:
                continue
    return PropletMetadata(**known)


def _known(context: Context, proplet_id: str) -> Proplet:
    proplet = context.manager.proplet(proplet_id)
    if proplet is None:
        raise NotFound("not found")
    return proplet


HANDLERS = [
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
