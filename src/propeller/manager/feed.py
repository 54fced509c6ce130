"""The feed of state changes, in order: the latest from memory, older ones from the store."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from propeller.core.effects import Changes, Transition
from propeller.manager.rounds import Rounds, Turn
from propeller.manager.watches import Watch, Watches
from propeller.store.port import Record, Store

T = TypeVar("T")

_KEPT_IN_MEMORY = 20_000
#: How many more there may be before the oldest are dropped.
_DROPPED_AT_ONCE = 5_000
_PAGE = 250
#: How many batches are kept for the followers that come to the same place next.
_BATCHES_KEPT = 64

_Event = tuple[int, Transition]
#: Ids of a task, a workflow and a job; ``""`` for any.
Only = tuple[str, str, str]


class Batch(list[_Event]):
    """Events that are there together. Followers at the same place share one, and it is not to be changed."""

    def __init__(self, events: Iterable[_Event] = ()) -> None:
        super().__init__(events)
        self._of: dict[tuple[int, str], list[_Event]] | None = None
        self._made: dict[str, object] = {}

    def of(self, only: Only) -> list[_Event]:
        """Give those that concern these; however many ask, each event is looked at once."""
        if not any(only):
            return self
        if self._of is None:
            self._of = {}
            for event in self:
                it = event[1]
                for key in enumerate((it.task_id, it.workflow_id, it.job_id)):
                    self._of.setdefault(key, []).append(event)
        found = [self._of.get((kind, name), []) for kind, name in enumerate(only) if name]
        fewest = min(found, key=len)
        return (
            fewest if len(found) == 1 else [event for event in fewest if all(event in one for one in found)]
        )

    def made(self, name: str, make: Callable[["Batch"], T]) -> T:
        """Give what is made of it, such as its text; it is made once for all."""
        if name not in self._made:
            self._made[name] = make(self)
        return self._made[name]  # type: ignore[return-value]


def _never() -> bool:
    return False


class Feed:
    """A log with many readers, each at its own place; a slow reader holds up no other."""

    def __init__(self, store: Store, last_id: int, *, is_busy: Callable[[], bool] = _never) -> None:
        """Begin behind an event; ``is_busy`` says whether there is work that followers are not to hold up."""
        self._store = store
        self.last_id = last_id
        #: The latest events, without gaps.
        self._recent: list[_Event] = []
        self._batches: OrderedDict[tuple[int, int], Batch] = OrderedDict()
        self._is_closed = False
        self._rounds = Rounds(is_busy)
        self._watches = Watches()

    def announce(self, first_id: int, transitions: list[Transition]) -> None:
        if self._recent and self._recent[-1][0] + 1 != first_id:
            self._recent.clear()  # the events between have been forgotten
        self._recent.extend(enumerate(transitions, start=first_id))
        if len(self._recent) > _KEPT_IN_MEMORY + _DROPPED_AT_ONCE:
            del self._recent[:-_KEPT_IN_MEMORY]
        self.last_id = first_id + len(transitions) - 1
        self._rounds.news()

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
        self._is_closed = True
        self._rounds.close()

    async def pauses(self, turn: Turn, seconds: float) -> bool:
        """Let a follower pause before it goes on; True if the feed ends meanwhile."""
        self._rounds.over(turn)
        return await self.closes_within(seconds)

    async def closes_within(self, seconds: float) -> bool:
        """Wait for the end of the feed; False if it does not come so soon."""
        return await self._rounds.closes_within(seconds)

    def _wake_if(self, *, is_news: bool) -> None:
        if is_news:
            self._rounds.news()

    async def follow(self, after: int | None = None) -> AsyncIterator[tuple[int, Transition]]:
        """Yield each event after an id, for ever.

        Args:
            after: The last event that the caller has seen; None to begin with what happens from now on.

        """
        async for batch in self.follow_in_batches(after):
            for event in batch:
                yield event

    async def follow_in_batches(
        self, after: int | None = None, watch: Watch | None = None, turn: Turn | None = None
    ) -> AsyncIterator[Batch]:
        """Yield the events that are there already in one batch, up to a bound.

        A batch is empty where ``watch`` has something due, which the caller then takes. The caller gives its
        own ``turn`` if it pauses (``pauses``).
        """
        turn = turn or Turn()
        if after is not None and after > self.last_id:
            await self.catch_up()
        position = self.last_id if after is None else min(after, self.last_id)
        while not self._is_closed:
            if watch is not None and watch.reached(position):
                yield Batch()
                continue
            stop = watch.next_stop if watch is not None else None
            batch = await self._batch(position, stop)
            if batch:
                position = batch[-1][0]
                yield batch
            # Where there is no batch, what would be in it has been forgotten.
            is_behind = bool(batch) and position < self.last_id
            has_more = is_behind or (watch is not None and watch.next_stop is not None)
            await self._rounds.next(turn, has_more=has_more)

    async def _batch(self, after: int, stop: int | None) -> Batch:
        """Give events behind one, up to another; batches end at the same events for all followers."""
        last = min((after // _PAGE + 1) * _PAGE, self.last_id)
        if stop is not None:
            last = min(last, stop)
        if after >= last:
            return Batch()
        batch = self._batches.get((after, last))
        if batch is None:
            first = self._recent[0][0] if self._recent else self.last_id + 1
            if first <= after + 1:
                batch = Batch(self._recent[after + 1 - first : last + 1 - first])
            else:
                batch = Batch(await self._store.events(after, last - after))
            if not batch:
                return batch
            self._batches[after, last] = batch
            if len(self._batches) > _BATCHES_KEPT:
                self._batches.popitem(last=False)
        return batch
