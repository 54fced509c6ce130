"""Changes of state in the JSON of the HTTP API; all of it is an extension of the contract."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.effects import Transition
from propeller.core.failures import ErrorKind
from propeller.wire.http.schema import ResultsEncoding, State, Time, encode, like
from propeller.wire.rfc3339 import format_time

#: Events leave out results that are larger than this as JSON.
EVENT_RESULTS_BYTES_MAX = 64 * 1024


class EventView(msgspec.Struct, kw_only=True):
    """A change of state of a task."""

    task_id: str
    name: str
    state: State
    time: Time
    workflow_id: str | UnsetType = UNSET
    job_id: str | UnsetType = UNSET
    attempt: int | UnsetType = UNSET
    proplet_id: str | UnsetType = UNSET
    results: Annotated[Any, like("Left out above 64 KiB.")] | UnsetType = UNSET
    error: str | UnsetType = UNSET
    error_kind: ErrorKind | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    up: Annotated[bool, like("It serves, and goes on until it is stopped.")] | UnsetType = UNSET
    results_encoding: ResultsEncoding | UnsetType = UNSET


def event_view(transition: Transition) -> EventView:
    results = _small(transition.results)
    return EventView(
        task_id=transition.task_id,
        name=transition.name,
        state=transition.state,
        time=format_time(transition.at),
        workflow_id=transition.workflow_id or UNSET,
        job_id=transition.job_id or UNSET,
        attempt=transition.attempt or UNSET,
        proplet_id=transition.proplet_id or UNSET,
        results=results,
        error=transition.error or UNSET,
        error_kind=transition.error_kind or UNSET,
        reason=transition.reason or UNSET,
        up=transition.is_up or UNSET,
        results_encoding=UNSET if results is UNSET else transition.results_encoding or UNSET,
    )


def _small(results: Any) -> Any:
    if results is None:
        return UNSET
    encoded = encode(results)
    return msgspec.Raw(encoded) if len(encoded) <= EVENT_RESULTS_BYTES_MAX else UNSET
