"""Retries, and the times that tasks, workflows and jobs may take, in the JSON of the HTTP API.

All of it is an extension of the contract, but for ``timeout``.
"""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.failures import ErrorKind
from propeller.core.model import Defaults
from propeller.core.retry import KINDS, Retry
from propeller.wire.durations import format_duration
from propeller.wire.http.schema import like

Duration = str | float
#: The most attempts of a policy.
ATTEMPTS_MAX = 1000
BACKOFF_MAX = 100


class RetryField(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What follows when an attempt fails; fields that are left out are as they say."""

    max_attempts: Annotated[
        int,
        like("How many attempts may fail, the first included: 3.", minimum=1, maximum=ATTEMPTS_MAX),
    ] = Retry().max_attempts
    delay: Annotated[Duration, like("How long the first wait is: 1s.")] | None = None
    backoff: Annotated[
        float, like("By how much each wait is longer than the last: 2.", minimum=1, maximum=BACKOFF_MAX)
    ] = Retry().backoff
    max_delay: Annotated[Duration, like("No wait is longer: 5m.")] | None = None
    jitter: Annotated[
        float, like("By which part of itself a wait may be shorter: 0.", minimum=0, maximum=1)
    ] = Retry().jitter
    on: (
        Annotated[
            list[Annotated[str, like(enum=[str(kind) for kind in KINDS])]],
            like(
                "The kinds of errors that it is tried again after; limit stands for every limit. Left out: "
                "all that another attempt may help against, and no losses."
            ),
        ]
        | None
    ) = None


class RetryView(msgspec.Struct, kw_only=True):
    max_attempts: int
    delay: str
    backoff: float
    max_delay: str
    jitter: float
    on: list[ErrorKind] | UnsetType = UNSET


Deadline = Annotated[
    Duration,
    like("How long a run may take in all, with all attempts and waits: 30s, 5m, or seconds; 0: any."),
]
QueueTimeout = Annotated[
    Duration, like("How long it may wait for a proplet each time: 30s, 5m, or seconds; 0: any time.")
]


class DefaultsField(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What holds for each task that does not say it itself."""

    retry: RetryField | None = None
    timeout: Annotated[Duration, like("How long each attempt may run.")] | None = None
    deadline: Deadline | None = None
    queue_timeout: QueueTimeout | None = None


class DefaultsView(msgspec.Struct, kw_only=True):
    retry: RetryView | UnsetType = UNSET
    timeout: str | UnsetType = UNSET
    deadline: str | UnsetType = UNSET
    queue_timeout: str | UnsetType = UNSET


def retry_view(retry: Retry) -> RetryView:
    return RetryView(
        max_attempts=retry.max_attempts,
        delay=duration(retry.delay_ns),
        backoff=retry.backoff,
        max_delay=duration(retry.max_delay_ns),
        jitter=retry.jitter,
        on=list(retry.on) or UNSET,
    )


def defaults_view(defaults: Defaults) -> DefaultsView | UnsetType:
    if defaults == Defaults():
        return UNSET
    return DefaultsView(
        retry=retry_view(defaults.retry) if defaults.retry else UNSET,
        timeout=shown(defaults.timeout_ns),
        deadline=shown(defaults.deadline_ns),
        queue_timeout=shown(defaults.queue_timeout_ns),
    )


def duration(ns: int) -> str:
    return format_duration(ns / 1e9)


def shown(ns: int) -> str | UnsetType:
    """Write a duration, or leave it out where there is none."""
    return duration(ns) if ns else UNSET
