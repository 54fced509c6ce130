"""Reads the event log: all of it from an event on, or what became of one task, workflow or job.

There is no index by task, which each change of state would have to pay for. A search reads the log from the
creation of the task on, piece by piece, and leaves it to PostgreSQL to pass over rows that do not name it.
"""

import msgspec

from propeller.core.effects import Transition
from propeller.store import rows
from propeller.store.port import EventFilter, EventPage
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


class Search:
    """One search through the log."""

    def __init__(self, only: EventFilter, after: int, limit: int) -> None:
        """Take what is searched for: one of the ids of ``only``, behind an event, and how many to find."""
        (self._field, self._id) = next((name, id_) for name, id_ in only._asdict().items() if id_)
        self._after = after
        self._limit = limit
        self._text = f'"{self._field}":{msgspec.json.encode(self._id).decode()}'
        self._found: list[tuple[int, Transition]] = []
        self._has_begun = False
        self._has_more = True
        self._is_complete = False
        self._first_id = 1

    async def piece(self, db: Db) -> bool:
        """Search some of the log; say whether more has to be searched."""
        if not self._has_begun:
            await self._begin(db)
        end = await db.fetchval(_END_OF_PIECE, self._after, _PIECE_ROWS, _PIECE_BYTES)
        self._has_more = end is not None
        if end is None:
            return False
        sql = (
            f"SELECT {rows.EVENT_COLUMNS} FROM events WHERE last_id > $1 AND last_id <= $2 "
            "AND strpos(transitions, $3) > 0 ORDER BY last_id"
        )
        for row in await db.fetch(sql, self._after, end, self._text):
            if not self._take(tuple(row)):
                return False
        self._after = end
        return True

    def page(self) -> EventPage:
        return EventPage(
            events=self._found,
            first_id=self._first_id,
            next_after=self._after,
            has_more=self._has_more,
            is_complete=self._is_complete,
        )

    def _take(self, row: rows.Row) -> bool:
        """Take in the events of a row; say whether there was room for all."""
        for event_id, move in rows.to_events([row]):
            if event_id <= self._after or getattr(move, self._field) != self._id:
                continue
            if len(self._found) == self._limit:
                return False
            self._found.append((event_id, move))
            self._after = event_id
        return True

    async def _begin(self, db: Db) -> None:
        self._has_begun = True
        self._first_id = await db.fetchval("SELECT first_id FROM events ORDER BY last_id LIMIT 1") or 1
        column = {"task_id": "id", "workflow_id": "workflow_id", "job_id": "job_id"}[self._field]
        seq = await db.fetchval(f"SELECT MIN(seq) FROM tasks WHERE {column} = $1", self._id)
        begin = await _last_before(db, seq or 0)
        self._is_complete = begin > 0 or self._first_id == 1
        self._after = max(self._after, begin)


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
