"""Measuring this proplet with its guests, and the tasks that somebody wants to know about.

A task is measured while it runs if its user asked for that, or if it runs for longer than its interval; it
is then the only one in its process. At its end the runner says what the guest used. So a thousand tiny tasks
that nobody asked about cost nothing.
"""

import os
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import psutil
from msgspec import UNSET

from propeller.proplet.container import container_memory
from propeller.proplet.profile import Monitoring
from propeller.proplet.run_sampler import RunSampler
from propeller.runtime.guest_run import Ended
from propeller.wire.fleet.from_manager import Start
from propeller.wire.fleet.messages import Message
from propeller.wire.fleet.metrics import CpuMetrics, MemoryMetrics, Metrics, TaskMetrics, TaskUsage
from propeller.wire.rfc3339 import format_time


class Processes(Protocol):
    """The processes of what runs guests."""

    def served(self) -> dict[int, tuple[int, int]]:
        """Count the HTTP requests that runs have answered, and those that failed, by key."""

    def executing(self) -> dict[int, int]:
        """Give the process of each run that is executed at this moment, by key; it executes no other."""

    def processes(self) -> list[int]:
        """List the ids of all processes that run guests, or belong to those."""


class Sampler:
    """Measures when it is time.

    Args:
        proplet_id: Who measures.
        guests: Where guests run.
        start_of: Tells which start a run belongs to, until its end was told to the machine; None for a run
            whose end nobody waits for.
        settings: What is wanted at all.
        clock: Seconds that never run backwards.

    """

    def __init__(
        self,
        proplet_id: str,
        guests: Processes,
        start_of: Callable[[int], Start | None],
        settings: Monitoring,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proplet_id = proplet_id
        self._guests = guests
        self._start_of = start_of
        self._settings = settings
        self._clock = clock
        self._samplers: dict[int, RunSampler] = {}
        self._pending: list[Message] = []
        self._own = _Own(clock())

    def tick(self, now: int) -> list[Message]:
        """Measure all that is due, and return what to send; to be called about once a second."""
        if not self._settings.enabled:
            return []
        self._look(now)
        at_s = self._clock()
        interval_s = self._settings.interval_s
        if interval_s and at_s - self._own.since_s >= interval_s:
            sample = self._own.sample(self._proplet_id, self._guests.processes(), at_s, now)
            sample.namespace = self._settings.namespace
            self._pending.append(sample)
        messages, self._pending = self._pending, []
        return messages

    def ended(self, batch: Iterable[Ended], now: int) -> None:
        """Take in the ends of runs, before the machine does; the next tick returns what to send."""
        if not self._settings.enabled:
            return
        for one in batch:
            sampler = self._samplers.pop(one.key, None)
            if sampler is None:
                start = self._start_of(one.key)
                if start is None or start.monitoring_profile is UNSET:
                    continue
                sampler = RunSampler(start, 0, self._clock())
            if one.usage is not None and (sampler.has_samples or sampler.profile.is_asked_for):
                self._keep(sampler, sampler.last_sample(one, one.usage), now)

    def _look(self, now: int) -> None:
        served = self._guests.served()
        for key, pid in self._guests.executing().items():
            sampler = self._samplers.get(key)
            if sampler is None or sampler.pid != pid:
                start = self._start_of(key)
                if start is not None:
                    self._samplers[key] = RunSampler(start, pid, self._clock())
                continue
            sample = sampler.sample(self._clock())
            # Its process may have gone on to another run in the meantime.
            if sample is not None and self._guests.executing().get(key) == pid:
                if key in served:
                    sample.requests, sample.request_errors = served[key]
                self._keep(sampler, sample, now)

    def _keep(self, sampler: RunSampler, sample: TaskUsage, now: int) -> None:
        aggregated = sampler.keep(sample)
        if sampler.profile.export_to_mqtt:
            self._pending.append(
                TaskMetrics(
                    task_id=sampler.task_id,
                    proplet_id=self._proplet_id,
                    metrics=sample,
                    aggregated=aggregated,
                    timestamp=format_time(now),
                )
            )


class _Own:
    """The proplet with all its processes, from one sample to the next."""

    def __init__(self, at_s: float) -> None:
        self.since_s = at_s
        self._used_s = sum(_times_of([os.getpid()])[:2])

    def sample(self, proplet_id: str, guests: list[int], at_s: float, now: int) -> Metrics:
        user_s, system_s, rss_bytes = _times_of([os.getpid(), *guests])
        # Less than before where a process ended whose time nobody has inherited.
        used_s = max(user_s + system_s - self._used_s, 0.0)
        percent = 100 * used_s / (at_s - self.since_s) / (psutil.cpu_count() or 1)
        self.since_s, self._used_s = at_s, user_s + system_s
        limits = container_memory()
        return Metrics(
            proplet_id=proplet_id,
            timestamp=format_time(now),
            cpu_metrics=CpuMetrics(user_seconds=user_s, system_seconds=system_s, percent=min(percent, 100.0)),
            memory_metrics=MemoryMetrics(
                rss_bytes=rss_bytes,
                container_usage_bytes=UNSET if limits is None else limits.usage_bytes,
                container_limit_bytes=UNSET if limits is None else limits.limit_bytes,
            ),
        )


def _times_of(pids: Iterable[int]) -> tuple[float, float, int]:
    """Sum up user and system time, of children that have ended too, and resident memory."""
    user_s = system_s = 0.0
    rss_bytes = 0
    for pid in pids:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                cpu, memory = process.cpu_times(), process.memory_info()
        except psutil.Error:
            continue
        user_s += cpu.user + cpu.children_user
        system_s += cpu.system + cpu.children_system
        rss_bytes += memory.rss
    return user_s, system_s, rss_bytes
