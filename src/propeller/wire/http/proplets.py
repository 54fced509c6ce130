"""Proplets in the JSON of the HTTP API."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.model import Proplet, Spec
from propeller.core.states import TaskState
from propeller.wire.http.schema import Page, State, Time, like
from propeller.wire.http.tasks import Id
from propeller.wire.rfc3339 import format_time


class PropletMetadata(msgspec.Struct):
    """The facts that a proplet sends about itself; others are left out."""

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


class RunningTask(msgspec.Struct, kw_only=True):
    """A task that is placed on a proplet."""

    task_id: Id
    name: str
    state: State
    attempt: int
    started: Annotated[int, like("When this attempt was placed, ms since the Unix epoch.")]
    workflow_id: str | UnsetType = UNSET
    job_id: str | UnsetType = UNSET


class PropletView(msgspec.Struct, kw_only=True):
    id: str
    name: str
    task_count: int
    alive: bool
    last_alive_at: Time | UnsetType = UNSET
    metadata: PropletMetadata
    #: Extension, like the rest: how many guests it runs at once.
    slots: int
    cordoned: bool | UnsetType = UNSET
    #: When its remaining tasks are moved to others.
    drain_by: Time | UnsetType = UNSET
    #: Whether it signs what it says, so that nobody else can say that; left out if it is beside the manager.
    signed: bool | UnsetType = UNSET
    #: The tasks that are placed on it, for those who ask; of many only those that came first.
    running: list[RunningTask] | UnsetType = UNSET


class PropletPage(Page, kw_only=True):
    proplets: list[PropletView]


class HistoryPage(Page, kw_only=True):
    history: list[Time]


def proplet_view(proplet: Proplet, signers: Collection[str]) -> PropletView:
    """Show a proplet; ``signers`` are those that are heard by their signature alone."""
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
        signed=UNSET if proplet.is_local else proplet.id in signers,
    )


def running_task(spec: Spec, state: TaskState, attempt: int, at: int) -> RunningTask:
    return RunningTask(
        task_id=spec.id,
        name=spec.name,
        state=state,
        attempt=attempt,
        started=at // 1_000_000,
        workflow_id=spec.workflow_id or UNSET,
        job_id=spec.job_id or UNSET,
    )


def _metadata(said: Mapping[str, Any]) -> PropletMetadata:
    """Take over the facts of the right type; a proplet may send anything."""
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
