"""The feed of state changes, in order: the latest from memory, older ones from the store."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from propeller.core.effects import Changes, Transition
from propeller.manager.batches import EVERYTHING, Batch, Batches, Event, Only
from propeller.manager.interests import Interests
from propeller.manager.rounds import Rounds, Turn
from propeller.manager.watches import Watch, Watches
from propeller.store.port import Record, Store

_KEPT_IN_MEMORY = 20_000
#: How many more there may be before the oldest are dropped.
_DROPPED_AT_ONCE = 5_000
_PAGE = 250


def _never() -> bool:
    return False


class Feed:
    """A log with many readers, each at its own place; a slow reader holds up no other."""

    def __init__(self, store: Store, last_id: int, *, is_busy: Callable[[], bool] = _never) -> None:
        """Begin behind an event; ``is_busy`` says whether there is work that followers are not to hold up."""
        self._store = store
        self.last_id = last_id
        #: The latest events, without gaps.
        self._recent: list[Event] = []
        self._batches = Batches()
        self._reading_batch = asyncio.Lock()
        self._is_closed = False
        self._rounds = Rounds(is_busy)
        self._interests = Interests()
        self._watches = Watches()

    def announce(self, first_id: int, transitions: list[Transition]) -> None:
        if self._recent and self._recent[-1][0] + 1 != first_id:
            self._recent.clear()  # the events between have been forgotten
        self._recent.extend(enumerate(transitions, start=first_id))
        if len(self._recent) > _KEPT_IN_MEMORY + _DROPPED_AT_ONCE:
            del self._recent[:-_KEPT_IN_MEMORY]
        self.last_id = first_id + len(transitions) - 1
        self._rounds.news(first_id, self.last_id, self._interests.concerned(transitions))

    def committed(self, changes: Changes) -> None:
        """Tell those who watch them of the records that a commit has deleted; its events come first."""
        if self._watches and (changes.deleted or changes.deleted_groups):
            self._call(self._watches.committed(self.last_id, changes))

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
        self._call(self._watches.look(self.last_id, records, missing))

    def close(self) -> None:
        """End all followers."""
        self._is_closed = True
        self._rounds.close()

    async def closes_within(self, seconds: float) -> bool:
        """Wait for the end of the feed; False if it does not come so soon."""
        return await self._rounds.closes_within(seconds)

    def _call(self, watches: Iterable[Watch]) -> None:
        for watch in watches:
            if watch.turn is not None:
                self._rounds.call(watch.turn)

    async def follow(self, after: int | None = None) -> AsyncIterator[tuple[int, Transition]]:
        """Yield each event after an id, for ever.

        Args:
            after: The last event that the caller has seen; None to begin with what happens from now on.

        """
        async for batch in self.follow_in_batches(after):
            for event in batch:
                yield event

    async def follow_in_batches(
        self,
        after: int | None = None,
        watch: Watch | None = None,
        *,
        only: Only = EVERYTHING,
        page: int = _PAGE,
        rest_s: float = 0.0,
    ) -> AsyncIterator[Batch]:
        """Yield the events that are there already in one batch, up to a bound.

        Args:
            after: As for ``follow``.
            watch: What else is to be heard: a batch is empty where it has something due, which the caller
                then takes.
            only: What the events are to concern; others wake nobody.
            page: Batches end at multiples of this.
            rest_s: How long after events nothing more comes, unless much more is there already.

        """
        if after is not None and after > self.last_id:
            await self.catch_up()
        with self._interests.sharing(only, self.last_id) as interest:
            turn = Turn(interest, self.last_id if after is None else min(after, self.last_id))
            if watch is not None:
                watch.turn = turn
            rests_s = 0.0
            while not self._is_closed:
                if watch is not None and watch.reached(turn.position):
                    yield Batch()
                    continue
                turn.is_called = watch is not None and watch.next_stop is not None
                await self._rounds.next(turn, rests_s)
                if interest.last_id <= turn.position:
                    turn.position = max(turn.position, self.last_id)  # nothing in between concerns it
                    rests_s = 0.0
                    continue
                batch = await self._batch(turn.position, watch.next_stop if watch is not None else None, page)
                turn.position = batch.last
                found = batch.of(only)
                if found:
                    yield found
                rests_s = rest_s if found and batch.last % page else 0.0

    async def _batch(self, after: int, stop: int | None, page: int) -> Batch:
        """Give events behind one, up to another; batches end at the same events for all followers."""
        end = (after // page + 1) * page
        if stop is not None:
            end = min(end, max(stop, after))
        there = min(end, self.last_id)
        batch = self._batches.find(after, end, there)
        if batch is None:
            batch = self._remembered(after, there)
            if batch is None:
                async with self._reading_batch:  # others may wait for the same one
                    batch = self._batches.find(after, end, there)
                    if batch is None:
                        events = await self._store.events(after, there - after)
                        batch = Batch(events, last=there)  # those that are not there have been forgotten
            self._batches.keep(after, end, batch)
        return batch

    def _remembered(self, after: int, last: int) -> Batch | None:
        """Give the events behind one, up to another, if all of them are in memory."""
        first = self._recent[0][0] if self._recent else self.last_id + 1
        if first > after + 1:
            return None
        return Batch(self._recent[after + 1 - first : last + 1 - first], last=last)
