"""Turns of work that takes a process of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from propeller.errors import Unavailable

_AT_ONCE = 2
_WAITING_MAX = 32


class Turns:
    """Lets a few work at once, and a bounded number of others wait."""

    def __init__(self, refusal: str) -> None:
        """Begin with all turns free; ``refusal`` is said to those who may not wait."""
        self._refusal = refusal
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._count = 0

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, and take it.

        Raises:
            Unavailable: Too many wait.

        """
        if self._count >= _WAITING_MAX:
            raise Unavailable(f"{self._refusal}; try again later")
        self._count += 1
        try:
            async with self._turns:
                yield
        finally:
            self._count -= 1
