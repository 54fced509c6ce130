"""Changes of state in the JSON of the HTTP API; all of it is an extension of the contract."""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.causes import Cause, CauseKind
from propeller.core.effects import Transition
from propeller.core.failures import ErrorKind
from propeller.core.timers import TimerOf
from propeller.wire.http.schema import ResultsEncoding, State, Time, encode, like
from propeller.wire.rfc3339 import format_time

#: Events leave out results that are larger than this as JSON.
EVENT_RESULTS_BYTES_MAX = 64 * 1024

View = TypeVar("View", bound="EventView")


class CauseView(msgspec.Struct, kw_only=True):
    """What made a task change its state."""

    kind: CauseKind
    #: The parent that has ended or is up, or the task that failed.
    task_id: str | UnsetType = UNSET
    #: The proplet that reported it, or was lost.
    proplet_id: str | UnsetType = UNSET
    #: What was due: retry, deadline, queue, group (the time of its workflow or job), or schedule.
    timer: TimerOf | UnsetType = UNSET


class EventView(msgspec.Struct, kw_only=True):
    """A change of state of a task."""

    task_id: str
    name: str
    state: State
    time: Time
    cause: CauseView
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
    #: Where the task belongs; left out: default.
    namespace: str | UnsetType = UNSET


class KeptEvent(EventView, kw_only=True):
    """A change of state of a task, as it was kept."""

    #: Grows with the order of the changes, over all tasks.
    id: int


class EventPage(msgspec.Struct, kw_only=True):
    """Events of one task, workflow or job, the oldest first."""

    events: list[KeptEvent]
    #: Id of the oldest event that is kept of whatever task; what happened before is gone.
    first_id: int
    #: True if all of its events since its creation are kept.
    complete: bool
    #: What comes behind this page: the same request with ``after`` set to this.
    next: int
    #: True if there may be more now. A page may be short, or even empty, and have more behind it.
    more: bool


class GoneView(msgspec.Struct, kw_only=True):
    """A task, workflow or job that a follower asked for, and that is not there or was deleted.

    A task that was deleted out of a workflow or job that stays has both ids.
    """

    task_id: str | UnsetType = UNSET
    workflow_id: str | UnsetType = UNSET
    job_id: str | UnsetType = UNSET


def kept_event_view(event_id: int, transition: Transition) -> KeptEvent:
    return _view(KeptEvent, transition, id=event_id)


def event_view(transition: Transition) -> EventView:
    return _view(EventView, transition)


def _view(shape: type[View], transition: Transition, **more: Any) -> View:
    results = _small(transition.results)
    return shape(
        **more,
        task_id=transition.task_id,
        name=transition.name,
        state=transition.state,
        time=format_time(transition.at),
        cause=_cause_view(transition.whole_cause),
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
        namespace=transition.namespace or UNSET,
    )


def _cause_view(cause: Cause) -> CauseView:
    return CauseView(
        kind=cause.kind,
        task_id=cause.task_id or UNSET,
        proplet_id=cause.proplet_id or UNSET,
        timer=cause.timer or UNSET,
    )


def _small(results: Any) -> Any:
    if results is None:
        return UNSET
    encoded = encode(results)
    return msgspec.Raw(encoded) if len(encoded) <= EVENT_RESULTS_BYTES_MAX else UNSET
