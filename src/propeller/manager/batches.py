"""Things that are written beside the engine: collected, and handed to the store in batches.

Each is worth little: nobody waits for it, and when it can't be written, that is logged and no more.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)

_WRITE_AFTER_S = 1.0
_BATCH = 500
#: More than this many are not kept waiting while the store is slow.
_WAITING_MAX = 10_000

T = TypeVar("T")


class Batches(Generic[T]):
    """Takes in things from the loop's thread; with none there is nothing to do."""

    def __init__(self, what: str, write: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        """Collect; ``what`` is the word for them in the log, ``write`` takes a batch to the store."""
        self._what = what
        self._write_batch = write
        self._waiting: list[T] = []
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def add(self, item: T) -> None:
        """Take in one; it is in the store soon."""
        if len(self._waiting) >= _WAITING_MAX:
            self._dropped += 1
            return
        self._waiting.append(item)
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
            self._writing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        is_due = True
        while is_due:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            try:
                await self._write_batch(batch)
            except Exception as error:
                _log.warning("%d %s could not be written: %s", len(batch), self._what, error)
            if self._dropped:
                _log.warning(
                    "%d %s were dropped: they come faster than they can be written", self._dropped, self._what
                )
                self._dropped = 0
            is_due = len(self._waiting) >= _BATCH
        self._writing = None
        self._wait()
