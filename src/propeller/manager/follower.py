"""A manager that does not lead: it answers from what is committed, and knows who leads."""

import asyncio

from propeller.core.model import JobMode
from propeller.manager.followed_feed import FollowedFeed
from propeller.manager.leaders import Leaders
from propeller.store.port import Store


class Follower:
    """Reads the store beside the manager that leads; whoever listens to the database tells it what is new."""

    feed: FollowedFeed
    #: It has no work that reads could hold up.
    is_at_work = False

    def __init__(self, store: Store, leaders: Leaders, *, job_mode: JobMode) -> None:
        """Prepare it; ``leaders`` is told who leads, and ``job_mode`` is that of a job that names none."""
        self.store = store
        self.leaders = leaders
        self.job_mode = job_mode
        self._running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin with the events that come from now on; raise ``StoreUnusable`` or ``Unavailable``."""
        if not self._running:
            self.feed = FollowedFeed(self.store, await self.store.last_event_id())
            self._running = [asyncio.create_task(self.feed.run()), asyncio.create_task(self.feed.watch())]

    async def stop(self) -> None:
        """End all who follow events."""
        for task in self._running:
            task.cancel()
        if self._running:
            self.feed.close()
            await asyncio.wait(self._running)
