"""What several want at once is done once, and not too much is done at once."""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Flights:
    """Operations under way, by key."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def join(self, key: Hashable, operation: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Give what the operation gives or raises; who comes while one is under way waits for the same.

        It goes on when one who waits is cancelled: others may wait too.
        """
        running = self._running.get(key)
        if running is None or running.done():
            running = self._running[key] = asyncio.create_task(operation())
            running.add_done_callback(lambda task: self._landed(key, task))
        result: T = await asyncio.shield(running)
        return result

    def _landed(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            # Each who waited has been told; if nobody did, nobody needs to be.
            task.exception()

    async def close(self) -> None:
        """Cancel all that is under way."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class Turns:
    """At most so many requests at once, and fewer to one host: a slow one leaves room for the others."""

    def __init__(self, *, at_once: int = 64, per_host: int = 4) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._per_host = per_host
        self._hosts: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait until a request to this host may be made."""
        semaphore = self._hosts.get(host)
        if semaphore is None:
            semaphore = self._hosts[host] = asyncio.Semaphore(self._per_host)
        async with semaphore, self._all:
            yield
