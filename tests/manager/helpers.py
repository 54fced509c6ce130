"""A manager on a real store, with a store, a fleet and followers that say when they were reached."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from tests.builders import module_of

from propeller.core.effects import Changes, Effect, SendStart
from propeller.core.events import PropletSeen, RunEnded
from propeller.core.failures import Failure
from propeller.core.policy import Policy
from propeller.core.states import TaskState
from propeller.errors import StoreUnusable
from propeller.manager.patience import Lead
from propeller.manager.service import Manager
from propeller.store.port import LogPiece, Sample
from propeller.store.sqlite.store import SqliteStore

DEADLINE_S = 60
MODULE = module_of(b"m")


class WatchedStore(SqliteStore):
    """Commits can be held up, made to fail, and are counted."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, durability="normal")
        self.commits: list[Changes] = []
        self.waiting = 0
        self.finds = 0
        self.is_broken = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.batches: list[int] = []
        self.log_batches: list[int] = []
        self.sample_gate = asyncio.Event()
        self.sample_gate.set()

    async def commit(self, changes: Changes) -> None:
        self.waiting += 1
        await self.gate.wait()
        if self.is_broken:
            raise StoreUnusable("the disk is full")
        await super().commit(changes)
        self.waiting -= 1
        self.commits.append(changes)

    async def write_samples(self, samples: Sequence[Sample], now: int) -> None:
        self.batches.append(len(samples))
        await self.sample_gate.wait()
        if self.is_broken:
            raise StoreUnusable("the disk is full")
        await super().write_samples(samples, now)

    async def write_logs(self, pieces: Sequence[LogPiece]) -> None:
        self.log_batches.append(len(pieces))
        await self.sample_gate.wait()
        if self.is_broken:
            raise StoreUnusable("the disk is full")
        await super().write_logs(pieces)

    async def find(self, task_ids: Any, group_ids: Any, keys: Any = ()) -> Any:
        self.finds += 1
        return await super().find(task_ids, group_ids, keys)


class PlayedFleet:
    """Keeps what is sent to proplets; where it is quick, each run ends at once with its first input."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self.sent: list[Effect] = []
        self.is_quick = True
        manager.connect(self)

    def send(self, effects: list[Effect]) -> None:
        self.sent += effects
        for effect in effects:
            if isinstance(effect, SendStart) and self.is_quick:
                self.end(effect)

    @property
    def starts(self) -> list[SendStart]:
        return [effect for effect in self.sent if isinstance(effect, SendStart)]

    def end(self, start: SendStart, error: str = "") -> None:
        self._manager.tell(
            RunEnded(
                proplet_id=start.proplet_id,
                task_id=start.spec.id,
                attempt=start.attempt,
                results=None if error else str((start.spec.inputs or ["done"])[0]),
                failure=Failure(error) if error else None,
            )
        )


class Site:
    def __init__(self, store: WatchedStore, manager: Manager) -> None:
        self.store = store
        self.manager = manager
        self.fleet = PlayedFleet(manager)

    def bring_proplet(self, proplet_id: str = "p", slots: int = 100) -> None:
        self.manager.tell(PropletSeen(proplet_id=proplet_id, boot=1, slots=slots))

    async def reached(self, state: TaskState, *task_ids: str) -> None:
        """Wait until each of these tasks was in a state once."""
        waiting = set(task_ids)
        async for item in self.manager.feed.follow(0):
            if item[1].state is state:
                waiting.discard(item[1].task_id)
            if not waiting:
                return

    async def held_up(self) -> None:
        """Wait until a commit is at the gate."""
        await until(lambda: self.store.waiting)


async def until(is_so: Callable[[], object]) -> None:
    while not is_so():  # noqa: ASYNC110  what it waits for sets no event
        await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def a_site(
    directory: Path,
    policy: Policy | None = None,
    keep_ended_s: float | None = None,
    history_s: float | None = None,
    lead: Lead | None = None,
) -> AsyncIterator[Site]:
    store = WatchedStore(directory)
    manager = Manager(
        store, policy=policy or Policy(), keep_ended_s=keep_ended_s, history_s=history_s, lead=lead
    )
    try:
        await manager.load()
        await manager.start()
        site = Site(store, manager)
        try:
            yield site
        finally:
            store.gate.set()
            store.sample_gate.set()
            await manager.stop()
            manager.feed.close()
    finally:
        await store.close()


def at_site(directory: Path, work: Callable[[Site], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(DEADLINE_S), a_site(directory, **options) as site:
            return await work(site)

    return asyncio.run(run())
