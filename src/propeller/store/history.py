"""The event log, bounded in commits and in bytes: the oldest are deleted in pieces that no commit notices."""

import sqlite3

from propeller.store.rows import Row

#: How many commits, and how many bytes of these, are kept.
COMMITS_KEPT = 100_000
BYTES_KEPT = 64 * 2**20
#: The excess is deleted when it has this size, and in pieces of this size.
_PIECE_COMMITS = 500
_PIECE_BYTES = 2**20


class History:
    """Writes the event log of one database, in the writer's transactions."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        sums = "SELECT COUNT(*), COALESCE(SUM(LENGTH(CAST(transitions AS BLOB))), 0) FROM events"
        self._commits, self._bytes = db.execute(sums).fetchone()

    def write(self, row: Row) -> None:
        self._db.execute("INSERT INTO events VALUES (?, ?, ?)", row)
        self._commits += 1
        self._bytes += len(row[2].encode())
        if self._commits > COMMITS_KEPT + _PIECE_COMMITS or self._bytes > BYTES_KEPT + _PIECE_BYTES:
            self._drop_oldest(row[0])

    def _drop_oldest(self, newest: int) -> None:
        last, commits, size = 0, 0, 0
        sql = (
            "SELECT last_id, LENGTH(CAST(transitions AS BLOB)) FROM events WHERE last_id < ? "
            "ORDER BY last_id LIMIT ?"
        )
        for last_id, bytes_ in self._db.execute(sql, (newest, _PIECE_COMMITS)):
            last, commits, size = last_id, commits + 1, size + bytes_
            is_within = self._commits - commits <= COMMITS_KEPT and self._bytes - size <= BYTES_KEPT
            if is_within or size >= _PIECE_BYTES:
                break
        self._db.execute("DELETE FROM events WHERE last_id <= ?", (last,))
        self._commits -= commits
        self._bytes -= size
