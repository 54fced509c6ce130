"""The part of the store in PostgreSQL that reads lists and what is beside records."""

import asyncio
from collections.abc import Iterable

from propeller.core.model import Group, GroupKind, Task
from propeller.store.port import (
    Belonging,
    Cursor,
    Ended,
    FoundTasks,
    Graph,
    GroupFilter,
    GroupPage,
    LogFilter,
    LogTail,
    PaceStep,
    Page,
    Record,
    Records,
    SampleOf,
    Sought,
    StoredPiece,
    TaskCursor,
    TaskFilter,
    Totals,
)
from propeller.store.postgres import groups, lists
from propeller.store.postgres.access import Access, Db, snapshot
from propeller.store.postgres.expiry import find_ended
from propeller.store.postgres.graphs import read_graph
from propeller.store.postgres.invocations import read_invocations
from propeller.store.postgres.logs import last_log_attempt, read_logs, tail_of_logs
from propeller.store.postgres.modules import read_module_part, read_modules
from propeller.store.postgres.overview import read_pace, read_totals
from propeller.store.postgres.queries import read_belonging, read_tasks_of_group
from propeller.store.postgres.samples import read_samples
from propeller.store.postgres.search import TaskSearch
from propeller.store.searches import searched


class Reads(Access):
    """Reads for the API; ``port.Store`` describes the methods."""

    def __init__(self) -> None:
        super().__init__()
        #: Searches go one at a time, and so do graphs: connections stay free for others.
        self._searching = asyncio.Lock()
        self._drawing = asyncio.Lock()

    # -- lists ---------------------------------------------------------------------------------------------

    async def tasks(
        self, offset: int, limit: int, only: TaskFilter, *, newest_first: bool = False
    ) -> Page[Task]:
        return await self._read(
            lambda db: lists.read_task_page(db, offset, limit, only, newest_first=newest_first)
        )

    async def search_tasks(
        self, only: Sought, limit: int, *, newest_first: bool = False, after: TaskCursor | None = None
    ) -> FoundTasks:
        search = TaskSearch(only, limit, newest_first=newest_first, after=after)
        return await searched(search, self._read, self._searching)

    async def count_tasks(self, only: TaskFilter) -> int | None:
        return await self._read(lambda db: lists.count_tasks(db, only))

    async def failures(self, since: int, limit: int, namespaces: tuple[str, ...] | None = None) -> Page[Task]:
        return await self._read(lambda db: lists.read_failures(db, since, limit, namespaces))

    async def belonging(self, record: Record) -> Belonging | None:
        return await self._read(lambda db: read_belonging(db, record))

    async def group(self, kind: GroupKind, group_id: str, *, tasks_max: int) -> Records | None:
        return await self._read(lambda db: groups.read_group(db, kind, group_id, tasks_max))

    async def tasks_of_group(self, group: Group, after: int, limit: int) -> list[Task]:
        return await self._read(lambda db: read_tasks_of_group(db, group, after, limit))

    async def groups(
        self,
        kind: GroupKind,
        offset: int,
        limit: int,
        only: GroupFilter,
        *,
        tasks_max: int,
        after: Cursor | None = None,
        earlier: int = 0,
    ) -> GroupPage:
        return await self._read(
            lambda db: groups.read_group_page(
                db, kind, offset, limit, only, tasks_max=tasks_max, after=after, earlier=earlier
            )
        )

    async def graph(self, kind: GroupKind, group_id: str) -> Graph | None:
        async with self._drawing:
            return await self._read(lambda db: read_graph(db, kind, group_id))

    # -- the whole -----------------------------------------------------------------------------------------

    async def totals(self) -> Totals:
        return await self._read(read_totals)

    async def pace(self) -> list[PaceStep]:
        return await self._read(read_pace, for_work=True)

    async def find_ended(self, before: int) -> Ended:
        return await self._read(lambda db: find_ended(db, before))

    # -- beside records ------------------------------------------------------------------------------------

    async def module_part(self, digest: str, start: int, size_bytes: int) -> tuple[int, bytes] | None:
        return await self._read(lambda db: read_module_part(db, digest, start, size_bytes))

    async def modules(self, digests: Iterable[str]) -> dict[str, bytes]:
        wanted = list(digests)
        return await self._read(lambda db: read_modules(db, wanted))

    async def samples(self, of: SampleOf, owner_id: str, offset: int, limit: int) -> Page[str]:
        return await self._read(lambda db: read_samples(db, of, owner_id, offset, limit))

    async def invocations(self, task_id: str, offset: int, limit: int) -> Page[str]:
        return await self._read(lambda db: read_invocations(db, task_id, offset, limit))

    async def logs(self, only: LogFilter, after: int, limit: int) -> Page[StoredPiece]:
        return await self._read(lambda db: read_logs(db, only, after, limit))

    async def last_log_attempt(self, task_id: str, stream: str) -> int:
        return await self._read(lambda db: last_log_attempt(db, task_id, stream))

    async def tail_of_logs(self, only: LogFilter, lines: int) -> LogTail:
        async def query(db: Db) -> LogTail:
            async with snapshot(db):
                return await tail_of_logs(db, only, lines)

        return await self._read(query)
