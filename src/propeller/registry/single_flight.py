"""Operations that several callers want at the same time, and that are carried out once for all of them."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class SingleFlight:
    """Operations under way, by key."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def join(self, key: Hashable, operation: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return or raise what the operation does; callers with the same key share one that is under way.

        It goes on when one caller is cancelled: others may wait for it too.
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
            # Every caller that waited has been told; if none did, asyncio need not complain.
            task.exception()

    async def close(self) -> None:
        """Cancel all that is under way."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
