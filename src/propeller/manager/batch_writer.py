"""Writing small items to the store in batches, beside the engine.

Nobody waits for an item; when one can't be written, that is logged and no more.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)

T = TypeVar("T")

WRITE_AFTER_S = 1.0


class BatchWriter(Generic[T]):
    """Takes in items from the loop's thread; with none there is nothing to do.

    Items have sizes, which limit a batch and all that waits.
    """

    def __init__(
        self, what: str, write: Callable[[list[T]], Awaitable[None]], *, batch_max: int, waiting_max: int
    ) -> None:
        """Make one that has nothing to do.

        Args:
            what: Name of the items, for the log.
            write: Writes a batch.
            batch_max: Size from which on a batch is written at once.
            waiting_max: Size of all that is kept waiting while the store is slow; the rest is dropped.

        """
        self._what = what
        self._write_items = write
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._waiting: list[tuple[T, int]] = []
        self._waiting_size = 0
        self._taken = self._done = self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def take(self, item: T, size: int = 1, *, within_s: float = WRITE_AFTER_S) -> None:
        """Take in an item, to be written soon."""
        if self._waiting_size >= self._waiting_max:
            self._dropped += 1
            return
        self._waiting.append((item, size))
        self._waiting_size += size
        self._taken += 1
        if self._waiting_size >= self._batch_max:
            self._write()
        else:
            self._wait(within_s)

    async def flush(self) -> None:
        """Write all that has been taken in up to now."""
        until = self._taken
        while self._done < until:
            self._write()
            assert self._writing is not None
            await asyncio.wait({self._writing})

    def _wait(self, within_s: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None and self._timer.when() <= loop.time() + within_s:
            return
        self._stop_timer()
        self._timer = loop.call_later(within_s, self._write)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _write(self) -> None:
        self._stop_timer()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_batches())

    async def _write_batches(self) -> None:
        is_due = True
        while is_due:
            await self._write_batch(self._next_batch())
            is_due = self._waiting_size >= self._batch_max
        self._writing = None
        if self._waiting:
            self._wait(WRITE_AFTER_S)

    def _next_batch(self) -> list[T]:
        size = count = 0
        while count < len(self._waiting) and size < self._batch_max:
            size += self._waiting[count][1]
            count += 1
        batch = [item for item, _ in self._waiting[:count]]
        del self._waiting[:count]
        self._waiting_size -= size
        return batch

    async def _write_batch(self, batch: list[T]) -> None:
        try:
            await self._write_items(batch)
        except Exception as error:
            _log.warning("%d %s could not be written: %s", len(batch), self._what, error)
        self._done += len(batch)
        if self._dropped:
            _log.warning(
                "%d %s were dropped: they come faster than they can be written", self._dropped, self._what
            )
            self._dropped = 0
