"""How the parts of the store get at the database; ``SqliteStore`` is made of them."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Access(ABC):
    """What reads and writes the database; all writes go through one thread."""

    _writer: sqlite3.Connection

    @abstractmethod
    async def _read(self, query: Callable[[sqlite3.Connection], T], *, for_work: bool = False) -> T:
        """Run a query in its own thread; ``for_work``, it does not wait for the queries of the API."""

    @abstractmethod
    async def _in_writer(self, write: Callable[[], None]) -> None:
        """Run it in the thread that writes."""

    @abstractmethod
    def _write_durably(self, write: Callable[[], None]) -> None:
        """Write all or nothing, wait for the disk whatever the durability, and note it in the mark."""

    @abstractmethod
    def _write_beside(self, write: Callable[[], None]) -> None:
        """Write all or nothing without waiting for the disk."""

    async def _written(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """Write what is told to somebody who relies on it, and give what it gives."""
        return await self._run(self._write_durably, write)

    async def _beside(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """Write what a power cut may take, and give what it gives."""
        return await self._run(self._write_beside, write)

    async def _run(
        self, way: Callable[[Callable[[], None]], None], write: Callable[[sqlite3.Connection], T]
    ) -> T:
        given: list[T] = []
        await self._in_writer(lambda: way(lambda: given.append(write(self._writer))))
        return given[0]
