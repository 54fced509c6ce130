"""Measurements of proplets, as messages: ``mqtt`` in the contract, sections 4.5 and 4.6.

Fields that the contract lacks are marked *extension*. A native proplet says when it measured as RFC 3339 in
UTC; others have habits of their own, see ``Timestamp``.
"""

import msgspec
from msgspec import UNSET, UnsetType

from propeller.wire.rfc3339 import parse_time


class SystemTime(msgspec.Struct):
    """A time as Rust writes it."""

    secs_since_epoch: int
    nanos_since_epoch: int = 0


#: RFC 3339, Rust's object, or the uptime of a device without a clock, ms.
Timestamp = str | SystemTime | int | float | None


class CpuMetrics(msgspec.Struct, kw_only=True):
    """Processor use of a proplet with its guests, since its start."""

    user_seconds: float = 0.0
    system_seconds: float = 0.0
    #: Average of all processors since the last sample: 0 to 100.
    percent: float = 0.0


class MemoryMetrics(msgspec.Struct, kw_only=True):
    rss_bytes: int = 0
    heap_alloc_bytes: int = 0
    heap_sys_bytes: int = 0
    heap_inuse_bytes: int = 0
    #: Memory of the container, if one limits it; if none does, other programs may send null.
    container_usage_bytes: int | UnsetType | None = UNSET
    container_limit_bytes: int | UnsetType | None = UNSET
    #: Of an embedded device.
    heap_free_bytes: int | UnsetType = UNSET
    heap_max_alloc_bytes: int | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.container_usage_bytes is None:
            self.container_usage_bytes = UNSET
        if self.container_limit_bytes is None:
            self.container_limit_bytes = UNSET


class Metrics(msgspec.Struct, kw_only=True):
    """Proplet to manager: the resources that it uses, with its guests."""

    proplet_id: str
    namespace: str = "default"
    timestamp: Timestamp = None
    cpu_metrics: CpuMetrics = msgspec.field(default_factory=CpuMetrics)
    memory_metrics: MemoryMetrics = msgspec.field(default_factory=MemoryMetrics)


class TaskUsage(msgspec.Struct, kw_only=True):
    """The resources that one run of a task uses: while it runs, its process; after its end, the guest."""

    #: Share of one processor.
    cpu_percent: float = 0.0
    memory_bytes: int = 0
    #: Share of the memory of the proplet's machine, 0 to 100.
    memory_percent: float = 0.0
    disk_read_bytes: int = 0
    disk_write_bytes: int = 0
    uptime_seconds: int = 0
    thread_count: int = 0
    #: Left out for 0.
    file_descriptor_count: int | UnsetType = UNSET
    #: Extension: processor time of the run so far.
    cpu_seconds: float | UnsetType = UNSET
    #: Extension: how long it has run so far.
    wall_seconds: float | UnsetType = UNSET
    #: Extension: the largest size of its linear memory; known at the end.
    peak_memory_bytes: int | UnsetType = UNSET
    #: Extension: the fuel that it burned, if the task has a limit for it.
    fuel: int | UnsetType = UNSET
    #: Extension: HTTP requests that it has answered so far, and how many of them failed.
    requests: int | UnsetType = UNSET
    request_errors: int | UnsetType = UNSET


class Aggregated(msgspec.Struct, kw_only=True):
    """Figures over the samples that the proplet retains of a run."""

    avg_cpu_usage: float = 0.0
    max_cpu_usage: float = 0.0
    avg_memory_usage: int = 0
    max_memory_usage: int = 0
    total_disk_read: int = 0
    total_disk_write: int = 0
    sample_count: int = 0


class TaskMetrics(msgspec.Struct, kw_only=True):
    """Proplet to manager: the resources that a run of a task uses."""

    task_id: str
    proplet_id: str
    metrics: TaskUsage = msgspec.field(default_factory=TaskUsage)
    #: None where the proplet retains no samples.
    aggregated: Aggregated | None = None
    timestamp: Timestamp = None


def time_of(timestamp: Timestamp, now: int) -> int:
    """Give the time of a measurement, ns since the epoch; ``now`` if it is missing or in the future."""
    at: int | None = None
    if isinstance(timestamp, str):
        at = parse_time(timestamp)
    elif isinstance(timestamp, SystemTime):
        at = timestamp.secs_since_epoch * 1_000_000_000 + timestamp.nanos_since_epoch
    return at if at is not None and 0 < at <= now else now
