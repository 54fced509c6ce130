"""The event log as it is written, bounded in bytes and in time: the oldest go, in small pieces."""

import time

from propeller.core.effects import Changes
from propeller.store import limits, rows
from propeller.store.postgres.access import Db

#: How many rows that may be too old are looked at in one go.
_OLD_ROWS = 20
_ALL_BUT_NEWEST = "WHERE last_id < (SELECT MAX(last_id) FROM events) ORDER BY last_id"


class History:
    """The size of the event log, and who was the newest task, while this manager leads."""

    def __init__(self, bytes_kept: int) -> None:
        self._bytes_kept = bytes_kept
        self._bytes = 0
        self._task_seq = 0

    async def load(self, db: Db) -> None:
        """Look at what there is; call this before anything is written."""
        self._bytes = await db.fetchval(
            "SELECT COALESCE(SUM(octet_length(transitions)), 0)::bigint FROM events"
        )
        # The newest task may be deleted, and never becomes an older one for that.
        self._task_seq = await db.fetchval(
            "SELECT GREATEST(COALESCE((SELECT task_seq FROM events ORDER BY last_id DESC LIMIT 1), 0), "
            "COALESCE((SELECT MAX(seq) FROM tasks), 0))"
        )

    @property
    def is_excessive(self) -> bool:
        """True if some of the oldest are to be deleted."""
        return self._bytes > self._bytes_kept + limits.HISTORY_PIECE_BYTES

    def rows_of(self, changes: Changes) -> list[rows.Row]:
        """Make the rows of the changes of state of a commit."""
        if changes.created:
            self._task_seq = max(self._task_seq, changes.created[-1].seq)
        table = rows.event_rows(changes.first_event_id, changes.transitions, self._task_seq)
        self._bytes += sum(len(row[2].encode()) for row in table)
        return table

    async def forget_excess(self, db: Db) -> int:
        """Delete a piece; give its size for ``deleted``."""
        last_id, size = 0, 0
        sql = f"SELECT last_id, octet_length(transitions) FROM events {_ALL_BUT_NEWEST} LIMIT $1"
        for id_, bytes_ in await db.fetch(sql, limits.HISTORY_PIECE_ROWS):
            last_id, size = id_, size + bytes_
            if self._bytes - size <= self._bytes_kept or size >= limits.HISTORY_PIECE_BYTES:
                break
        await _delete(db, last_id)
        return size

    def deleted(self, size: int) -> None:
        """Note that so many bytes have been deleted for good."""
        self._bytes -= size


async def forget_before(db: Db, before: int) -> tuple[bool, int]:
    """Delete some of what happened before a time, ns since the epoch.

    Say whether there may be more, and how many bytes were deleted.
    """
    until = time.perf_counter() + limits.HISTORY_PIECE_S
    size, is_left = 0, True
    sql = f"SELECT last_id, transitions FROM events {_ALL_BUT_NEWEST} LIMIT $1"
    while is_left:
        last_id = 0
        found = await db.fetch(sql, _OLD_ROWS)
        is_left = len(found) == _OLD_ROWS
        for id_, text in found:
            if rows.time_of_events(text) >= before:
                is_left = False
                break
            last_id, size = id_, size + len(text.encode())
        await _delete(db, last_id)
        if time.perf_counter() > until:
            break
    return is_left, size


async def _delete(db: Db, last_id: int) -> None:
    if last_id:
        await db.execute("DELETE FROM events WHERE last_id <= $1", last_id)
