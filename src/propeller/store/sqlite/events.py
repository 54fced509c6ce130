"""Reads the event log: all of it from an event on, or what became of one task, workflow or job.

To pass over rows takes about a second for a GiB, beside the interpreter.
"""

import sqlite3
from typing import Any

from propeller.core.effects import Transition
from propeller.store import rows
from propeller.store.event_searches import EventSearch

#: How much of the log a search reads at once: new reads may have to wait for it (``upkeep``).
PIECE_BYTES = 8 * 2**20
#: SQLite has no larger number.
_ID_MAX = 2**63 - 1


def read_events(db: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, Transition]]:
    sql = f"SELECT {rows.EVENT_COLUMNS} FROM events WHERE last_id > ? ORDER BY last_id"  # noqa: S608
    found: list[tuple[int, Transition]] = []
    for row in db.execute(sql, (after,)):
        found += [event for event in rows.to_events([row]) if event[0] > after]
        if len(found) >= limit:
            break
    return found[:limit]


class Search(EventSearch):
    """One search through the log; its pieces may run in different threads, one after another."""

    def piece(self, db: sqlite3.Connection, count: int) -> bool:
        """Search about so many events of the log; say whether more have to be searched."""
        if not self.has_begun:
            self._begin(db)
        # At least one row, and no part of one.
        bounds = (
            "SELECT MAX(COALESCE((SELECT MAX(last_id) FROM events WHERE last_id <= ?), 0), "
            "(SELECT MIN(last_id) FROM events WHERE last_id > ?))"
        )
        most = min(self.after + count, _ID_MAX)
        (end,) = db.execute(bounds, (most, self.after)).fetchone()
        self.has_more = end is not None
        sql = (
            f"SELECT {rows.EVENT_COLUMNS} FROM events WHERE last_id > ? AND last_id <= ? "  # noqa: S608
            "AND transitions GLOB ? ORDER BY last_id"
        )
        for row in db.execute(sql, (self.after, end, _pattern(self.field, self.json_id))) if end else ():
            if not self.take(row):
                return False
        self.after = end or self.after
        return self.has_more

    def _begin(self, db: sqlite3.Connection) -> None:
        first = db.execute("SELECT first_id FROM events ORDER BY last_id LIMIT 1").fetchone()
        sql = f"SELECT MIN(seq) FROM tasks WHERE {self.column} = ?"  # noqa: S608
        seq = db.execute(sql, (self.id,)).fetchone()[0]
        self.begins(first[0] if first else 1, _last_before(db, seq or 0))


def _pattern(field: str, json_id: str) -> str:
    """Make a pattern for rows that name this id in this field.

    It begins with the letter before ``_id``, because those of a pattern that are rare are found much faster.
    """
    text = f'{field.removesuffix("_id")[-1]}_id":{json_id}'
    return "*" + "".join(f"[{char}]" if char in "*?[" else char for char in text) + "*"


def _last_before(db: sqlite3.Connection, task_seq: int) -> int:
    """Find the last row that was written before a task was created; 0 if that may be any.

    Rows name the newest task when they were written, in ascending order.
    """
    low, high = db.execute(
        "SELECT COALESCE(MIN(last_id), 0), COALESCE(MAX(last_id), 0) FROM events"
    ).fetchone()
    row = "SELECT task_seq FROM events WHERE last_id >= ? ORDER BY last_id LIMIT 1"

    def is_before(last_id: int) -> bool:
        found: tuple[Any, ...] | None = db.execute(row, (last_id,)).fetchone()
        return found is not None and (found[0] or 0) < task_seq

    high += 1
    while low < high:
        middle = (low + high) // 2
        if is_before(middle):
            low = middle + 1
        else:
            high = middle
    before = "SELECT last_id, task_seq FROM events WHERE last_id < ? ORDER BY last_id DESC LIMIT 1"
    last_id, newest = db.execute(before, (low,)).fetchone() or (0, None)
    return 0 if newest is None else int(last_id)
