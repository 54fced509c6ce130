"""Collecting samples for the store: one sample is worth little, so they are written in batches."""

import time
from collections.abc import Callable

from propeller.manager.batch_writer import BatchWriter
from propeller.store.port import Sample, SampleOf, Store
from propeller.wire.fleet.metrics import Metrics, TaskMetrics
from propeller.wire.http.samples import proplet_sample, task_sample
from propeller.wire.http.schema import encode

_BATCH = 500
#: How many samples wait at most while the store is slow; more are dropped.
_WAITING_MAX = 10_000


class Samples:
    """Takes in samples from the loop's thread."""

    def __init__(self, store: Store, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._clock = clock
        self._batches = BatchWriter("metrics", self._write, batch_max=_BATCH, waiting_max=_WAITING_MAX)

    def take(self, message: Metrics | TaskMetrics) -> None:
        """Take in a message; it is in the store soon, unless nothing is known of its task or proplet."""
        now = self._clock()
        if isinstance(message, Metrics):
            of, owner_id, sample = SampleOf.PROPLET, message.proplet_id, encode(proplet_sample(message, now))
        else:
            of, owner_id, sample = SampleOf.TASK, message.task_id, encode(task_sample(message, now))
        self._batches.take(Sample(of, owner_id, sample.decode()))

    async def flush(self) -> None:
        """Write all that has been taken in."""
        await self._batches.flush()

    async def _write(self, batch: list[Sample]) -> None:
        await self._store.write_samples(batch, self._clock())
