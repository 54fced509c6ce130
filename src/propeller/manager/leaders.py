"""Who leads, as far as a manager that does not lead knows."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from propeller.store.lead import Leader


class Leaders:
    """Knows the present leader, and lets others wait for one."""

    def __init__(self) -> None:
        #: None while nobody leads.
        self.now: Leader | None = None
        self._news = asyncio.Event()
        self._watching: set[Callable[[], None]] = set()

    def learn(self, leader: Leader | None) -> None:
        """Take in who leads at present, which may be this manager; None for nobody."""
        if leader != self.now:
            self.now = leader
            self._news.set()
            self._news = asyncio.Event()
            for changed in list(self._watching):
                changed()

    async def changed_from(self, leader: Leader | None) -> None:
        """Wait until somebody else leads than this one, or nobody."""
        while self.now == leader:
            await self._news.wait()

    @contextlib.contextmanager
    def watching(self, changed: Callable[[], None]) -> Iterator[None]:
        """Call a function whenever somebody else leads than before, or nobody, until the block ends."""
        self._watching.add(changed)
        try:
            yield
        finally:
            self._watching.discard(changed)
