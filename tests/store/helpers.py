"""The stores under test, and how to work with one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from propeller.store.port import Store, TaskFilter
from propeller.store.sqlite.store import SqliteStore

T = TypeVar("T")

EVERYTHING = TaskFilter()


def ids(records: Iterable[Any]) -> list[str]:
    return [record.id for record in records]


#: How to open the data in a directory, by the name of the kind of store.
OPENING: dict[str, Callable[[Path], Store]] = {"sqlite": SqliteStore}


class Data:
    """Data of one kind of store, to be opened and closed as often as a test likes."""

    def __init__(self, directory: Path, kind: str) -> None:
        self._directory = directory
        self._open = OPENING[kind]

    def with_store(self, work: Callable[[Store], Awaitable[T]]) -> T:
        """Open it, work with it, close it."""

        async def run() -> T:
            store = self._open(self._directory)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(run())
