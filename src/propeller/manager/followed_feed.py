"""The feed of a manager that does not lead: what another one commits is read from the store.

It is read once for all who follow, when the database says that there is something new. Ids of events have no
gaps, so nothing can be missed or come twice, however late that is said and whoever leads.
"""

import asyncio
import logging
from collections import deque

from propeller.backoff import Backoff
from propeller.core.effects import Transition
from propeller.errors import StoreUnusable, Unavailable
from propeller.manager.feed import Feed
from propeller.store.deletions import read_notice
from propeller.store.port import Gone, Store

_log = logging.getLogger(__name__)

#: How many events are read at once, and how long after a read the next one comes.
_READ_MAX = 1000
_PAUSE_S = 0.005
#: How often it is looked whether what is watched is still there.
_LOOK_EVERY_S = 0.5
#: What reads raise while the database is away.
_AWAY = (StoreUnusable, Unavailable)
_AGAIN = Backoff(first_s=0.1, longest_s=2.0)


class FollowedFeed(Feed):
    """A feed that reads what others have committed; ``run`` and ``watch`` have to run beside it."""

    def __init__(self, store: Store, last_id: int) -> None:
        super().__init__(store, last_id)
        self._heard = asyncio.Event()
        #: The last event of which was heard.
        self._heard_of = last_id
        #: What is yet to be told of, and the events that come before it.
        self._deleted: deque[tuple[int, list[Gone]]] = deque()
        self._reading = asyncio.Lock()

    def heard(self, event_id: int) -> None:
        """Take in that this event is there."""
        if event_id > self._heard_of:
            self._heard_of = event_id
            self._heard.set()

    def heard_of_deletions(self, notice: str) -> None:
        """Take in what the commit deleted whose events were heard of last: a text of ``store.deletions``."""
        if self._watches:
            self._deleted.append((self._heard_of, read_notice(notice)))
            self._tell_of_deletions()

    def announce(self, first_id: int, transitions: list[Transition]) -> None:
        super().announce(first_id, transitions)
        self._tell_of_deletions()

    def _tell_of_deletions(self) -> None:
        """Tell of what was deleted with events that have been read by now."""
        while self._deleted and self._deleted[0][0] <= self.last_id:
            self._call(self._watches.told(*self._deleted.popleft()))

    def missed(self) -> None:
        """Take in that there may be events of which nothing was heard."""
        self._heard.set()

    async def run(self) -> None:
        """Read what is heard of, until this is cancelled; a store that can't be read is tried again."""
        failures = 0
        while True:
            await self._heard.wait()
            self._heard.clear()
            try:
                await self.catch_up()
            except _AWAY as error:
                _log.warning("events can't be read, and are tried again: %s", error)
                self._heard.set()
                await asyncio.sleep(_AGAIN.delay_s(failures))
                failures += 1
                continue
            failures = 0
            await asyncio.sleep(_PAUSE_S)  # what comes meanwhile is read at once

    async def watch(self) -> None:
        """Look again and again whether what is watched is still there, until this is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self.look_for_watched()
            except _AWAY as error:
                _log.warning("what is followed can't be looked for, and is tried again: %s", error)

    async def catch_up(self) -> None:
        """Read all events that are committed by now."""
        async with self._reading:
            is_more = True
            while is_more:
                events = await self._store.events(self.last_id, _READ_MAX)
                is_more = len(events) == _READ_MAX
                if events:
                    self.announce(events[0][0], [transition for _, transition in events])
