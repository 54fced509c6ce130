"""The part of the store in SQLite that looks at the whole: totals, failures, the pace, searches."""

import asyncio

from propeller.core.model import Task
from propeller.store.port import (
    Belonging,
    FoundTasks,
    PaceStep,
    Page,
    Record,
    Sought,
    TaskCursor,
    TaskFilter,
    Totals,
)
from propeller.store.searches import searched
from propeller.store.sqlite import lists
from propeller.store.sqlite.access import Access
from propeller.store.sqlite.overview import read_failures, read_pace, read_totals
from propeller.store.sqlite.queries import read_belonging
from propeller.store.sqlite.search import TaskSearch


class Whole(Access):
    """Reads that are about all records; ``port.Store`` describes the methods."""

    def __init__(self) -> None:
        #: Searches go one at a time: a reader stays free for others.
        self._searching = asyncio.Lock()

    async def search_tasks(
        self, only: Sought, limit: int, *, newest_first: bool = False, after: TaskCursor | None = None
    ) -> FoundTasks:
        search = TaskSearch(only, limit, newest_first=newest_first, after=after)
        return await searched(search, self._read, self._searching)

    async def count_tasks(self, only: TaskFilter) -> int | None:
        return await self._read(lambda db: lists.count_tasks(db, only))

    async def totals(self) -> Totals:
        return await self._read(read_totals)

    async def failures(self, since: int, limit: int, namespaces: tuple[str, ...] | None = None) -> Page[Task]:
        return await self._read(lambda db: read_failures(db, since, limit, namespaces))

    async def belonging(self, record: Record) -> Belonging | None:
        return await self._read(lambda db: read_belonging(db, record))

    async def pace(self) -> list[PaceStep]:
        return await self._read(read_pace)
