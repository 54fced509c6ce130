"""A bound on the requests that are under way, in all and to one host."""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator


class RequestSlots:
    """Bounds the requests under way, and tighter those to one host: a slow one leaves room for others."""

    def __init__(self, *, at_once: int = 64, per_host: int = 4) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._per_host = per_host
        self._hosts: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        """Wait until a request to this host may be made, and hold its slot meanwhile."""
        semaphore = self._hosts.get(host)
        if semaphore is None:
            semaphore = self._hosts[host] = asyncio.Semaphore(self._per_host)
        async with semaphore, self._all:
            yield
