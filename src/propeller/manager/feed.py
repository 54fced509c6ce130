"""The feed of state changes, in order: the latest from memory, older ones from the store."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import islice

from propeller.core.effects import Changes, Transition
from propeller.manager.watches import Watch, Watches
from propeller.store.port import Record, Store

_KEPT_IN_MEMORY = 20_000
_PAGE = 250


class Feed:
    """A log with many readers, each at its own place; a slow reader holds up no other."""

    def __init__(self, store: Store, last_id: int) -> None:
        self._store = store
        self.last_id = last_id
        self._recent: deque[tuple[int, Transition]] = deque(maxlen=_KEPT_IN_MEMORY)
        self._news: asyncio.Future[None] | None = None
        self._closed = asyncio.Event()
        self._watches = Watches()

    def announce(self, first_id: int, transitions: list[Transition]) -> None:
        self._recent.extend(enumerate(transitions, start=first_id))
        self.last_id = first_id + len(transitions) - 1
        self._wake()

    def committed(self, changes: Changes) -> None:
        """Tell those who watch them of the records that a commit has deleted; its events come first."""
        if self._watches and (changes.deleted or changes.deleted_groups):
            self._wake_if(is_news=self._watches.committed(self.last_id, changes))

    async def look_for_watched(self) -> None:
        """Look whether what is watched is still there: the store may have deleted it between two turns."""
        if self._watches:
            await self._look(self._watches.records)

    @asynccontextmanager
    async def watching(self, records: Iterable[Record]) -> AsyncIterator[Watch]:
        """Watch records during the block: the watch is told of those deleted, or not there at all."""
        with self._watches.watching(records) as watch:
            if watch.records:
                await self._look(watch.records)
            yield watch

    async def catch_up(self) -> None:
        """Take in all that is committed by now: this feed is told of each commit, and has it."""

    async def _look(self, records: list[Record]) -> None:
        missing = await self._store.missing(records)
        await self.catch_up()  # the events before a deletion come before it
        self._wake_if(is_news=self._watches.look(self.last_id, records, missing))

    def close(self) -> None:
        """End all followers."""
        self._closed.set()
        self._wake()

    async def closes_within(self, seconds: float) -> bool:
        """Wait for the end of the feed; False if it does not come so soon."""
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _wake_if(self, *, is_news: bool) -> None:
        if is_news:
            self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
        self._news = None

    async def follow(self, after: int | None = None) -> AsyncIterator[tuple[int, Transition]]:
        """Yield each event after an id, for ever.

        Args:
            after: The last event that the caller has seen; None to begin with what happens from now on.

        """
        async for batch in self.follow_in_batches(after):
            for event in batch:
                yield event

    async def follow_in_batches(
        self, after: int | None = None, watch: Watch | None = None
    ) -> AsyncIterator[list[tuple[int, Transition]]]:
        """Yield the events that are there already in one batch, up to a bound.

        A batch is empty where ``watch`` has something due, which the caller then takes.
        """
        if after is not None and after > self.last_id:
            await self.catch_up()
        position = self.last_id if after is None else min(after, self.last_id)
        while not self._closed.is_set():
            if watch is not None and watch.reached(position):
                yield []
                continue
            stop = watch.next_stop if watch is not None else None
            batch = await self._batch(position, _PAGE if stop is None else min(_PAGE, stop - position))
            if batch:
                position = batch[-1][0]
                yield batch
            else:
                await self._wait()

    async def _batch(self, after: int, count: int) -> list[tuple[int, Transition]]:
        if after >= self.last_id:
            return []
        if self._recent and self._recent[0][0] <= after + 1:
            start = after + 1 - self._recent[0][0]
            return list(islice(self._recent, start, start + count))
        return await self._store.events(after, count)

    async def _wait(self) -> None:
        """Wait for news, or the end of the feed."""
        if self._closed.is_set():
            return
        if self._news is None:
            self._news = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._news)
