"""What guests print that is not their result, on its way to the store and to those that follow it."""

import asyncio
from collections import defaultdict

from propeller.core.effects import Transition
from propeller.manager.batches import Batches
from propeller.store.port import LogPage, LogPiece, Store
from propeller.wire.messages import Logs as LogsMessage


class Logs:
    """Takes in pieces from the loop's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batches: Batches[LogPiece] = Batches("pieces of logs", store.write_logs)
        self.flush = self._batches.flush
        self._followers: dict[str, set[asyncio.Event]] = defaultdict(set)

    def take(self, message: LogsMessage) -> None:
        """Take in a piece; it is in the store soon, unless nothing is known of its task."""
        self._batches.add(
            LogPiece(
                task_id=message.task_id,
                attempt=message.attempt,
                stream=message.stream,
                position=message.offset,
                proplet_id=message.proplet_id,
                at=message.at,
                is_cut=message.is_cut,
                text=message.text,
            )
        )
        self._wake(message.task_id)

    def moved(self, transition: Transition) -> None:
        """Let followers see that a task has moved: it may have ended."""
        self._wake(transition.task_id)

    def _wake(self, task_id: str) -> None:
        for news in self._followers.get(task_id, ()):
            news.set()

    async def page(
        self, task_id: str, attempt: int | None, stream: str, *, after: int, limit: int
    ) -> LogPage:
        """Read what has been taken in, in the order of arrival."""
        await self._batches.flush()
        return await self._store.logs(task_id, attempt, stream, after=after, limit=limit)

    def follow(self, task_id: str) -> "Following":
        """Hear of each piece of a task, and of each move."""
        return Following(self._followers, task_id)


class Following:
    """A context in which ``news`` is set when there is something new."""

    def __init__(self, followers: dict[str, set[asyncio.Event]], task_id: str) -> None:
        self._followers = followers
        self._task_id = task_id
        self.news = asyncio.Event()

    def __enter__(self) -> asyncio.Event:
        self._followers[self._task_id].add(self.news)
        return self.news

    def __exit__(self, *_: object) -> None:
        self._followers[self._task_id].discard(self.news)
        if not self._followers[self._task_id]:
            del self._followers[self._task_id]
