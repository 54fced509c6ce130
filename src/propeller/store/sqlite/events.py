"""Reads the event log: all of it from an event on, or what became of one task, workflow or job.

There is no index by task, which each change of state would have to pay for. A search reads the log from the
creation of the task on, piece by piece, and leaves it to SQLite to pass over rows that do not name the task.
That takes about a second for a GiB, beside the interpreter.
"""

import sqlite3
from typing import Any

import msgspec

from propeller.core.effects import Transition
from propeller.store import rows
from propeller.store.port import EventFilter, EventPage

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


class Search:
    """One search through the log; its pieces may run in different threads, one after another."""

    def __init__(self, only: EventFilter, after: int, limit: int) -> None:
        """Take what is searched for: one of the ids of ``only``, behind an event, and how many to find."""
        (self._field, self._id) = next((name, id_) for name, id_ in only._asdict().items() if id_)
        self._after = after
        self._limit = limit
        self._pattern = _pattern(self._field, self._id)
        self._found: list[tuple[int, Transition]] = []
        self._has_begun = False
        self._has_more = True
        self._is_complete = False
        self._first_id = 1

    def piece(self, db: sqlite3.Connection, count: int) -> bool:
        """Search about so many events of the log; say whether more have to be searched."""
        if not self._has_begun:
            self._begin(db)
        # At least one row, and no part of one.
        bounds = (
            "SELECT MAX(COALESCE((SELECT MAX(last_id) FROM events WHERE last_id <= ?), 0), "
            "(SELECT MIN(last_id) FROM events WHERE last_id > ?))"
        )
        most = min(self._after + count, _ID_MAX)
        (end,) = db.execute(bounds, (most, self._after)).fetchone()
        self._has_more = end is not None
        sql = (
            f"SELECT {rows.EVENT_COLUMNS} FROM events WHERE last_id > ? AND last_id <= ? "  # noqa: S608
            "AND transitions GLOB ? ORDER BY last_id"
        )
        for row in db.execute(sql, (self._after, end, self._pattern)) if end else ():
            if not self._take(row):
                return False
        self._after = end or self._after
        return self._has_more

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

    def _begin(self, db: sqlite3.Connection) -> None:
        self._has_begun = True
        first = db.execute("SELECT first_id FROM events ORDER BY last_id LIMIT 1").fetchone()
        self._first_id = first[0] if first else 1
        columns = {"task_id": "id", "workflow_id": "workflow_id", "job_id": "job_id"}
        sql = f"SELECT MIN(seq) FROM tasks WHERE {columns[self._field]} = ?"  # noqa: S608
        seq = db.execute(sql, (self._id,)).fetchone()[0]
        begin = _last_before(db, seq or 0)
        self._is_complete = begin > 0 or self._first_id == 1
        self._after = max(self._after, begin)


def _pattern(field: str, id_: str) -> str:
    """Make a pattern for rows that name this id in this field.

    It begins with the letter before ``_id``, because those of a pattern that are rare are found much faster.
    """
    text = f'{field.removesuffix("_id")[-1]}_id":{msgspec.json.encode(id_).decode()}'
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
