"""Limits how much time long reads take from the manager's work: they take turns, in portions, with pauses.

The manager's work and its answers share one thread, and one interpreter with what reads from the store. A
look at 5,000 tasks would hold up the work for as long as it takes; a client that looks again and again, for
good.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

#: How many tasks a look reads and renders in one go; smaller looks pass without a turn.
PORTION = 100
#: After each portion the next waits for so many times as long as this one took, while there is work.
_PAUSES = 3
_PAUSE_S_MAX = 0.2


class Looks:
    def __init__(self, is_at_work: Callable[[], bool]) -> None:
        """Make one that asks ``is_at_work`` whether there is work to be left alone."""
        self._is_at_work = is_at_work
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def portion(self) -> AsyncIterator[None]:
        """Wait for the turn of a portion; the pause follows it, before the next one."""
        await self._turn.acquire()
        began = time.perf_counter()
        try:
            yield
        finally:
            pause_s = min(_PAUSES * (time.perf_counter() - began), _PAUSE_S_MAX)
            if self._is_at_work():
                asyncio.get_running_loop().call_later(pause_s, self._turn.release)
            else:
                self._turn.release()
