"""What proplets measure, on its way to the store."""

import time
from collections.abc import Callable, Sequence

from propeller.manager.batches import Batches
from propeller.store.port import Sample, SampleOf, Store
from propeller.wire.metrics import Metrics, TaskMetrics
from propeller.wire.samples import proplet_sample, task_sample
from propeller.wire.schema import encode


class Samples:
    """Takes in samples from the loop's thread."""

    def __init__(self, store: Store, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._clock = clock
        self._batches: Batches[Sample] = Batches("metrics", self._write)
        self.flush = self._batches.flush

    def take(self, message: Metrics | TaskMetrics) -> None:
        """Take in a message; it is in the store soon, unless nothing is known of its task or proplet."""
        now = self._clock()
        if isinstance(message, Metrics):
            of, owner_id, sample = SampleOf.PROPLET, message.proplet_id, encode(proplet_sample(message, now))
        else:
            of, owner_id, sample = SampleOf.TASK, message.task_id, encode(task_sample(message, now))
        self._batches.add(Sample(of, owner_id, sample.decode()))

    async def _write(self, samples: Sequence[Sample]) -> None:
        await self._store.write_samples(samples, self._clock())
