"""The event log as it is written, bounded in bytes and in time: the oldest go, in small pieces."""

import sqlite3
import time

from propeller.core.effects import Changes
from propeller.store import limits, rows


class History:
    """Writes the event log of one database, in the writer's transactions; the newest row always stays."""

    def __init__(self, db: sqlite3.Connection, bytes_kept: int) -> None:
        self._db = db
        self._bytes_kept = bytes_kept
        sums = (
            "SELECT COALESCE(SUM(LENGTH(CAST(transitions AS BLOB))), 0), COALESCE(MIN(first_id), 1), "
            "COALESCE(MAX(last_id), 0) FROM events"
        )
        self._bytes: int
        self._first_id: int
        self._last_id: int
        self._bytes, self._first_id, self._last_id = db.execute(sums).fetchone()
        newest = (
            "SELECT MAX(COALESCE((SELECT task_seq FROM events ORDER BY last_id DESC LIMIT 1), 0), "
            "COALESCE((SELECT MAX(seq) FROM tasks), 0))"
        )
        #: The newest task; it never becomes an older one, though the newest may be deleted.
        self._task_seq: int = db.execute(newest).fetchone()[0]

    @property
    def event_bytes(self) -> int:
        """The mean size of an event."""
        return max(self._bytes // max(self._last_id - self._first_id + 1, 1), 1)

    def write(self, changes: Changes) -> None:
        """Write the changes of state of a commit, if it has any."""
        if changes.created:
            self._task_seq = max(self._task_seq, changes.created[-1].seq)
        if not changes.transitions:
            return
        table = rows.event_rows(changes.first_event_id, changes.transitions, self._task_seq)
        self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", table)
        self._last_id = table[-1][0]
        self._bytes += sum(len(row[2].encode()) for row in table)
        if self._bytes > self._bytes_kept + limits.HISTORY_PIECE_BYTES:
            self._forget_excess()

    def _forget_excess(self) -> None:
        last_id, size = 0, 0
        sql = (
            "SELECT last_id, LENGTH(CAST(transitions AS BLOB)) FROM events WHERE last_id < ? "
            "ORDER BY last_id LIMIT ?"
        )
        for id_, bytes_ in self._db.execute(sql, (self._last_id, limits.HISTORY_PIECE_ROWS)):
            last_id, size = id_, size + bytes_
            if self._bytes - size <= self._bytes_kept or size >= limits.HISTORY_PIECE_BYTES:
                break
        self._delete(last_id, size)

    def forget_before(self, before: int) -> bool:
        """Delete some of what happened before a time, ns since the epoch; say whether there may be more."""
        until = time.perf_counter() + limits.HISTORY_PIECE_S
        last_id, size, is_left = 0, 0, False
        sql = "SELECT last_id, transitions FROM events WHERE last_id < ? ORDER BY last_id"
        for id_, text in self._db.execute(sql, (self._last_id,)):
            if rows.time_of_events(text) >= before:
                break
            last_id, size = id_, size + len(text.encode())
            is_left = time.perf_counter() > until
            if is_left:
                break
        self._delete(last_id, size)
        return is_left

    def _delete(self, last_id: int, size: int) -> None:
        if last_id:
            self._db.execute("DELETE FROM events WHERE last_id <= ?", (last_id,))
            self._first_id = last_id + 1
            self._bytes -= size
