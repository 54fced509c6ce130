"""Measuring one run of a task: its process from time to time, and the guest at its end."""

import functools
from collections import deque
from collections.abc import Iterable

import msgspec
import psutil
from msgspec import UNSET

from propeller.proplet.profile import Profile, profile_of
from propeller.runtime.guest_run import Ended, Usage
from propeller.wire.fleet.from_manager import Start
from propeller.wire.fleet.metrics import Aggregated, TaskUsage


class _Counters(msgspec.Struct, frozen=True):
    """The resources that a process has used since its start, and those that it uses now."""

    cpu_s: float
    read_bytes: int
    write_bytes: int
    rss_bytes: int
    threads: int
    descriptors: int


def _counters_of(pid: int) -> _Counters | None:
    """Look at a process; None where it is gone."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            cpu = process.cpu_times()
            # Not all systems count these.
            disk = process.io_counters() if hasattr(process, "io_counters") else None
            return _Counters(
                cpu_s=cpu.user + cpu.system,
                read_bytes=disk.read_bytes if disk else 0,
                write_bytes=disk.write_bytes if disk else 0,
                rss_bytes=process.memory_info().rss,
                threads=process.num_threads(),
                descriptors=process.num_fds() if hasattr(process, "num_fds") else 0,
            )
    except psutil.Error:
        return None


class RunSampler:
    """Measures one run of a task, from when it was first seen."""

    def __init__(self, start: Start, pid: int, at_s: float) -> None:
        self.task_id = start.id
        self.profile = profile_of(start)
        self.pid = pid
        self._first_s = self._last_s = at_s
        self._first = self._last = _counters_of(pid) if pid and self.profile.enabled else None
        self._history: deque[TaskUsage] = deque(maxlen=self.profile.history_size)
        self._latest: TaskUsage | None = None

    @property
    def has_samples(self) -> bool:
        return self._latest is not None

    def sample(self, at_s: float) -> TaskUsage | None:
        """Measure its process, if that is due."""
        first, last, passed_s = self._first, self._last, at_s - self._last_s
        if first is None or last is None or passed_s < self.profile.interval:
            return None
        found = _counters_of(self.pid)
        if found is None:
            return None
        self._last, self._last_s = found, at_s
        return _chosen(
            self.profile,
            TaskUsage(
                cpu_percent=100 * max(found.cpu_s - last.cpu_s, 0.0) / passed_s,
                memory_bytes=found.rss_bytes,
                disk_read_bytes=found.read_bytes - first.read_bytes,
                disk_write_bytes=found.write_bytes - first.write_bytes,
                uptime_seconds=int(at_s - self._first_s),
                thread_count=found.threads,
                file_descriptor_count=found.descriptors or UNSET,
                cpu_seconds=found.cpu_s - first.cpu_s,
                wall_seconds=at_s - self._first_s,
            ),
        )

    def last_sample(self, ended: Ended, usage: Usage) -> TaskUsage:
        """Tell what the whole run used, with what was last seen of its process, if anything was.

        A guest by itself has one thread, no files, and no disk to read or write.
        """
        seen = self._latest or TaskUsage(memory_bytes=usage.memory_bytes, thread_count=1)
        wall_s = (ended.finished_ns - ended.started_ns) / 1e9
        cpu_s = usage.cpu_ns / 1e9
        return _chosen(
            self.profile,
            msgspec.structs.replace(
                seen,
                cpu_percent=100 * cpu_s / wall_s if wall_s > 0 else 0.0,
                uptime_seconds=int(wall_s),
                cpu_seconds=cpu_s,
                wall_seconds=wall_s,
                peak_memory_bytes=usage.memory_bytes,
                fuel=usage.fuel or UNSET,
            ),
        )

    def keep(self, sample: TaskUsage) -> Aggregated | None:
        """Retain a sample, and return the aggregate of those retained."""
        self._latest = sample
        if not self.profile.retain_history:
            return None
        self._history.append(sample)
        return aggregate(self._history)


def _chosen(profile: Profile, sample: TaskUsage) -> TaskUsage:
    """Clear what the profile does not want, and fill in what follows from the rest."""
    if not profile.collect_cpu:
        sample.cpu_percent, sample.cpu_seconds = 0.0, UNSET
    if not profile.collect_memory:
        sample.memory_bytes, sample.peak_memory_bytes = 0, UNSET
    if not profile.collect_disk_io:
        sample.disk_read_bytes = sample.disk_write_bytes = 0
    if not profile.collect_threads:
        sample.thread_count = 0
    if not profile.collect_file_descriptors:
        sample.file_descriptor_count = UNSET
    sample.memory_percent = 100 * sample.memory_bytes / _machine_bytes()
    return sample


def aggregate(samples: Iterable[TaskUsage]) -> Aggregated:
    """Sum up samples of one run, of which there is at least one, oldest first."""
    all_ = list(samples)
    return Aggregated(
        avg_cpu_usage=sum(sample.cpu_percent for sample in all_) / len(all_),
        max_cpu_usage=max(sample.cpu_percent for sample in all_),
        avg_memory_usage=sum(sample.memory_bytes for sample in all_) // len(all_),
        max_memory_usage=max(sample.memory_bytes for sample in all_),
        # Each counts from the start of the run.
        total_disk_read=all_[-1].disk_read_bytes,
        total_disk_write=all_[-1].disk_write_bytes,
        sample_count=len(all_),
    )


@functools.cache
def _machine_bytes() -> int:
    return psutil.virtual_memory().total
