"""Limits the time that long reads take from the manager's work: they take turns, in portions, with pauses.

The manager's work and its answers share one thread, and one interpreter with the readers of the store. So a
look at 5,000 tasks would hold up the work until it is over, and a client that looks again and again would
hold it up for good.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

#: How many tasks a look reads and renders in one portion; smaller looks wait for no turn.
PORTION = 100
#: How long the pause after a portion is, as a multiple of the portion's time; only while there is work.
_PAUSES = 3
_PAUSE_S_MAX = 0.2


class Looks:
    def __init__(self, is_at_work: Callable[[], bool]) -> None:
        """Take the function that says whether the manager is at work now."""
        self._is_at_work = is_at_work
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def portion(self) -> AsyncIterator[None]:
        """Wait for the turn of a portion; a pause follows the portion, before the next one."""
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
