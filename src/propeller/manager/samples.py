"""What proplets measure, on its way to the store: collected, and written in batches beside the engine.

A sample is worth little: it is never waited for, and when it can't be written, that is logged and no more.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from propeller.store.port import Sample, SampleOf, Store
from propeller.wire.metrics import Metrics, TaskMetrics
from propeller.wire.rest import encode
from propeller.wire.samples import proplet_sample, task_sample

_log = logging.getLogger(__name__)

_WRITE_AFTER_S = 1.0
_BATCH = 500
#: More than this many are not kept waiting while the store is slow.
_WAITING_MAX = 10_000


class Samples:
    """Takes in samples from the loop's thread; with none there is nothing to do."""

    def __init__(self, store: Store, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[Sample] = []
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def take(self, message: Metrics | TaskMetrics) -> None:
        """Take in a message; it is in the store soon, unless nothing is known of its task or proplet."""
        if len(self._waiting) >= _WAITING_MAX:
            self._dropped += 1
            return
        now = self._clock()
        if isinstance(message, Metrics):
            of, owner_id, sample = SampleOf.PROPLET, message.proplet_id, encode(proplet_sample(message, now))
        else:
            of, owner_id, sample = SampleOf.TASK, message.task_id, encode(task_sample(message, now))
        self._waiting.append(Sample(of, owner_id, sample.decode()))
        if len(self._waiting) >= _BATCH:
            self._write()
        else:
            self._wait()

    async def flush(self) -> None:
        """Write all that has been taken in."""
        while self._waiting or self._writing is not None:
            self._write()
            assert self._writing is not None
            await asyncio.wait({self._writing})

    def _wait(self) -> None:
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_WRITE_AFTER_S, self._write)

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_batches())

    async def _write_batches(self) -> None:
        is_due = True
        while is_due:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            await self._write_batch(batch)
            is_due = len(self._waiting) >= _BATCH
        self._writing = None
        self._wait()

    async def _write_batch(self, batch: list[Sample]) -> None:
        try:
            await self._store.write_samples(batch, self._clock())
        except Exception as error:
            _log.warning("%d metrics could not be written: %s", len(batch), error)
        if self._dropped:
            _log.warning("%d metrics were dropped: they come faster than they can be written", self._dropped)
            self._dropped = 0
