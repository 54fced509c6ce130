"""Collecting pieces of task logs for the store, and telling followers of a task when to read it.

Followers read the store too, so its bounds and its order hold for all of them.
"""

import asyncio
import contextlib
from collections.abc import Iterator

from propeller.manager.batch_writer import WRITE_AFTER_S, BatchWriter
from propeller.store.port import LogPiece, Store
from propeller.wire.fleet.from_proplet import Logs

#: Sizes in characters of text, with an overhead for each piece.
_BATCH = 1024 * 1024
_WAITING_MAX = 32 * 1024 * 1024
_PIECE_COSTS = 2048
#: How soon followers of a task see what it wrote.
_FOLLOWED_AFTER_S = 0.05


class TaskLogs:
    """Takes in pieces from the loop's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batches = BatchWriter("pieces of logs", self._write, batch_max=_BATCH, waiting_max=_WAITING_MAX)
        self._followers: dict[str, list[asyncio.Event]] = {}

    def take(self, message: Logs) -> None:
        """Take in a message; it is in the store soon, unless its task is unknown or has too much there."""
        piece = LogPiece(
            task_id=message.task_id,
            proplet_id=message.proplet_id,
            attempt=message.attempt or 0,
            stream=message.stream,
            offset=message.offset,
            text=message.text,
            is_cut=message.is_cut,
            at=message.at,
        )
        is_followed = message.task_id in self._followers
        self._batches.take(
            piece,
            _PIECE_COSTS + len(piece.text),
            within_s=_FOLLOWED_AFTER_S if is_followed else WRITE_AFTER_S,
        )

    async def flush(self) -> None:
        """Write all that has been taken in."""
        await self._batches.flush()

    @contextlib.contextmanager
    def following(self, task_id: str) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever pieces of a task have come to the store."""
        news = asyncio.Event()
        self._followers.setdefault(task_id, []).append(news)
        try:
            yield news
        finally:
            self._followers[task_id].remove(news)
            if not self._followers[task_id]:
                del self._followers[task_id]

    async def _write(self, batch: list[LogPiece]) -> None:
        await self._store.write_logs(batch)
        for task_id in self._followers.keys() & {piece.task_id for piece in batch}:
            for news in self._followers[task_id]:
                news.set()
