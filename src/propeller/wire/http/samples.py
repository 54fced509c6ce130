"""The JSON of the HTTP API for what was measured: ``http-api`` in the contract, sections 3.11 and 6.

A sample is kept in the store as it is shown.
"""

import msgspec
from msgspec import UNSET, UnsetType

from propeller.wire.fleet.metrics import (
    Aggregated,
    CpuMetrics,
    MemoryMetrics,
    Metrics,
    TaskMetrics,
    TaskUsage,
    time_of,
)
from propeller.wire.http.schema import Page, Time
from propeller.wire.rfc3339 import format_time


class TaskSample(msgspec.Struct, kw_only=True):
    task_id: str
    proplet_id: str
    metrics: TaskUsage
    aggregated: Aggregated | UnsetType = UNSET
    timestamp: Time


class PropletSample(msgspec.Struct, kw_only=True):
    proplet_id: str
    namespace: str
    timestamp: Time
    cpu_metrics: CpuMetrics
    memory_metrics: MemoryMetrics


class TaskSamplePage(Page, kw_only=True):
    """The newest sample first."""

    metrics: list[TaskSample]


class PropletSamplePage(Page, kw_only=True):
    """The newest sample first."""

    metrics: list[PropletSample]


def task_sample(message: TaskMetrics, now: int) -> TaskSample:
    """Render a message that arrived ``now``."""
    used = message.metrics
    return TaskSample(
        task_id=message.task_id,
        proplet_id=message.proplet_id,
        metrics=msgspec.structs.replace(used, file_descriptor_count=used.file_descriptor_count or UNSET),
        aggregated=message.aggregated or UNSET,
        timestamp=format_time(time_of(message.timestamp, now)),
    )


def proplet_sample(message: Metrics, now: int) -> PropletSample:
    """Render a message that arrived ``now``."""
    return PropletSample(
        proplet_id=message.proplet_id,
        namespace=message.namespace,
        timestamp=format_time(time_of(message.timestamp, now)),
        cpu_metrics=message.cpu_metrics,
        memory_metrics=message.memory_metrics,
    )
