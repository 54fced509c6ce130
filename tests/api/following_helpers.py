"""A manager that follows beside one that leads, both over one store, each with an API of its own."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from propeller.api.following import create_follower_app
from propeller.api.forwarding import Forwarding
from propeller.core.effects import Changes, Transition
from propeller.core.model import JobMode
from propeller.manager.follower import Follower
from propeller.manager.leaders import Leaders
from propeller.manager.service import Manager
from propeller.store.deletions import notices
from propeller.store.lead import Leader
from tests.api.helpers import Site, a_manager, serving, serving_app


class Beside(Site):
    """A leader and a follower; ``http`` asks the follower."""

    def __init__(
        self, manager: Manager, http: httpx.AsyncClient, follower: Follower, at_leader: httpx.AsyncClient
    ) -> None:
        super().__init__(manager, http)
        self.follower = follower
        self.at_leader = Site(manager, at_leader)
        manager.connect(self)


def leader_at(http: httpx.AsyncClient, token: int = 1) -> Leader:
    return Leader(token, f"m-{token}", str(http.base_url).rstrip("/"))


@contextlib.asynccontextmanager
async def a_follower(manager: Manager) -> AsyncIterator[Follower]:
    """Start a follower of a manager, to which is said what a database says of events."""
    follower = Follower(manager.store, Leaders(), job_mode=JobMode.PARALLEL)
    await follower.start()

    feed = manager.feed
    announce, committed = feed.announce, feed.committed

    def told_of_events(first_id: int, transitions: list[Transition]) -> None:
        announce(first_id, transitions)
        follower.feed.heard(feed.last_id)

    def told_of_deletions(changes: Changes) -> None:
        committed(changes)
        for notice in notices(changes):
            follower.feed.heard_of_deletions(notice)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(feed, "announce", told_of_events)
        patched.setattr(feed, "committed", told_of_deletions)
        try:
            yield follower
        finally:
            await follower.stop()


@contextlib.asynccontextmanager
async def following(follower: Follower, instance_id: str = "i-2") -> AsyncIterator[httpx.AsyncClient]:
    """Serve the API of a follower over a real socket."""
    async with Forwarding(follower.leaders, instance_id=instance_id) as forwarding:
        app = create_follower_app(follower, forwarding, instance_id=instance_id)
        async with serving_app(app) as http:
            yield http


@contextlib.asynccontextmanager
async def beside(directory: Path) -> AsyncIterator[Beside]:
    """Run a leader and a follower that knows of it."""
    async with (
        a_manager(directory) as manager,
        a_follower(manager) as follower,
        serving(manager) as at_leader,
        following(follower) as http,
    ):
        follower.leaders.learn(leader_at(at_leader))
        yield Beside(manager, http, follower, at_leader)
        follower.feed.close()
        manager.feed.close()
