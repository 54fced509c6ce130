"""Reads the event log: all of it from an event on, or what became of one task, workflow or job."""

from propeller.core.effects import Transition
from propeller.store import rows
from propeller.store.event_searches import EventSearch
from propeller.store.postgres.access import Db

#: How much of the log a search reads at once: at least one row.
_PIECE_BYTES = 2 * 2**20
_PIECE_ROWS = 2_000
_END_OF_PIECE = """
  SELECT MAX(last_id) FROM (
    SELECT last_id, SUM(octet_length(transitions)) OVER (ORDER BY last_id) AS bytes,
      ROW_NUMBER() OVER (ORDER BY last_id) AS number
    FROM events WHERE last_id > $1 ORDER BY last_id LIMIT $2
  ) piece WHERE bytes <= $3 OR number = 1
"""


async def read_events(db: Db, after: int, limit: int) -> list[tuple[int, Transition]]:
    # Ids have no gaps, so this reads no row in vain.
    sql = (
        f"SELECT {rows.EVENT_COLUMNS} FROM events, "
        "(SELECT GREATEST($1, first_id - 1) AS begin FROM events ORDER BY last_id LIMIT 1) b "
        "WHERE last_id > b.begin AND first_id <= b.begin + $2 ORDER BY last_id"
    )
    found = rows.to_events(tuple(row) for row in await db.fetch(sql, after, limit))
    return [event for event in found if event[0] > after][:limit]


class Search(EventSearch):
    """One search through the log."""

    async def piece(self, db: Db) -> bool:
        """Search some of the log; say whether more has to be searched."""
        if not self.has_begun:
            await self._begin(db)
        end = await db.fetchval(_END_OF_PIECE, self.after, _PIECE_ROWS, _PIECE_BYTES)
        self.has_more = end is not None
        if end is None:
            return False
        sql = (
            f"SELECT {rows.EVENT_COLUMNS} FROM events WHERE last_id > $1 AND last_id <= $2 "
            "AND strpos(transitions, $3) > 0 ORDER BY last_id"
        )
        for row in await db.fetch(sql, self.after, end, f'"{self.field}":{self.json_id}'):
            if not self.take(tuple(row)):
                return False
        self.after = end
        return True

    async def _begin(self, db: Db) -> None:
        first_id = await db.fetchval("SELECT first_id FROM events ORDER BY last_id LIMIT 1") or 1
        seq = await db.fetchval(f"SELECT MIN(seq) FROM tasks WHERE {self.column} = $1", self.id)
        self.begins(first_id, await _last_before(db, seq or 0))


async def _last_before(db: Db, task_seq: int) -> int:
    """Find the last row that was written before a task was created; 0 if that may be any.

    Rows name the newest task when they were written, in ascending order; those of earlier versions name none.
    """
    sql = (
        "SELECT last_id, task_seq FROM events WHERE COALESCE(task_seq, 0) < $1 "
        "ORDER BY COALESCE(task_seq, 0) DESC, last_id DESC LIMIT 1"
    )
    row = await db.fetchrow(sql, task_seq)
    return 0 if row is None or row[1] is None else int(row[0])
