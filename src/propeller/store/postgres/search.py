"""Runs the pieces of a search among all tasks in PostgreSQL."""

import time

from propeller.store import searches
from propeller.store.filters import has_prefix
from propeller.store.port import FoundTasks, Sought, TaskCursor
from propeller.store.postgres.access import Db
from propeller.store.postgres.dialect import DIALECT, numbered
from propeller.store.postgres.queries import read_tasks
from propeller.store.postgres.sources import IS_SHOWN
from propeller.store.searches import Passed


class TaskSearch(searches.TaskSearch):
    """One search; its pieces may run on different connections, one after another."""

    def __init__(
        self, only: Sought, limit: int, *, newest_first: bool = False, after: TaskCursor | None = None
    ) -> None:
        super().__init__(DIALECT, only, limit, newest_first=newest_first, after=after)

    async def piece(self, db: Db) -> bool:
        """Search on; say whether more has to be searched."""
        if prefixes := self.first_prefixes():
            self.take_ids(await self._find_ids(db, prefixes))
        room = self.room
        if not room:
            return False
        began = time.perf_counter()
        fits = self.conditions(IS_SHOWN)
        source, source_values = self.source()
        # What is passed over is chosen first, and each is looked at by itself, so that no more is looked at.
        sql = (
            f"WITH passed AS MATERIALIZED ({source} ORDER BY seq {self.order} LIMIT ?) "
            "SELECT COUNT(*), MIN(seq), MAX(seq), ARRAY(SELECT p.seq FROM passed p CROSS JOIN LATERAL ("
            "SELECT FROM tasks t JOIN runs r ON r.seq = t.seq "
            f"WHERE t.seq = p.seq AND {fits.text} OFFSET 0) one "
            f"ORDER BY p.seq {self.order} LIMIT ?) FROM passed"
        )
        row = await db.fetchrow(numbered(sql), *source_values, self.count, *fits.values, room)
        assert row is not None
        return self.take(Passed(*row), time.perf_counter() - began)

    async def _find_ids(self, db: Db, prefixes: list[str]) -> list[int] | None:
        begins = [has_prefix("t.id", prefix) for prefix in prefixes]
        found = " UNION ".join(f"(SELECT seq FROM tasks t WHERE {text} LIMIT ?)" for text, _ in begins)
        values = [value for _, of_prefix in begins for value in (*of_prefix, self.room + 1)]
        seqs = [row[0] for row in await db.fetch(numbered(found), *values)]
        if not 0 < len(seqs) <= self.room:
            return None
        fits = self.conditions(IS_SHOWN)
        sql = (
            "SELECT t.seq FROM tasks t JOIN runs r ON r.seq = t.seq "
            f"WHERE t.seq = ANY (?) AND {fits.text} ORDER BY t.seq {self.order}"
        )
        return [row[0] for row in await db.fetch(numbered(sql), seqs, *fits.values)]

    async def page(self, db: Db) -> FoundTasks:
        """Read what was found; a task that was deleted meanwhile is left out."""
        found = await read_tasks(db, "WHERE t.seq = ANY ($1)", self.found) if self.found else []
        tasks = {task.seq: task for task in found}
        return FoundTasks([tasks[seq] for seq in self.found if seq in tasks], self.next)
