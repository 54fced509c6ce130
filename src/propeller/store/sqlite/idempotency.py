"""Idempotency keys in SQLite: each is written with its command, and soon after that the answer.

A key is deleted some time after it no longer counts. The number of keys is not bounded: each takes less
room than what was done under it. Answers are bounded in all, because one may hold a module that many tasks
share: the oldest are deleted before their keys, and made again from the tasks if somebody asks for one.
"""

import sqlite3
from collections.abc import Sequence

from propeller.core.idempotency import REMEMBERED_NS, Key, Remembered
from propeller.store import limits, rows
from propeller.store.port import KeptAnswer, KeptKey
from propeller.store.sqlite.queries import parts

_DELETE = "DELETE FROM idempotency_keys WHERE key IN"


class Keys:
    """Writes the keys of one database, in the writer's transactions."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        sql = "SELECT COALESCE(SUM(LENGTH(answer)), 0) FROM idempotency_keys"
        self._bytes = db.execute(sql).fetchone()[0]

    def write(self, remembered: Sequence[Remembered]) -> None:
        """Write what was done under keys, each in the place of what was long ago."""
        for one in remembered:
            self._delete("(?)", one.key.text)
        self._db.executemany(
            f"INSERT INTO idempotency_keys ({rows.REMEMBERED_COLUMNS}) VALUES (?,?,?,?)",  # noqa: S608
            map(rows.remembered_row, remembered),
        )

    def prune(self, now: int) -> None:
        """Delete some of the keys that no longer count."""
        old = "(SELECT key FROM idempotency_keys WHERE created_at <= ? ORDER BY created_at LIMIT ?)"
        self._delete(old, now - REMEMBERED_NS, limits.KEYS_PIECE)

    def write_answer(self, key: Key, answer: KeptAnswer) -> KeptAnswer | None:
        """Keep the answer to what was done under a key, if it is the first; give the one that is kept."""
        if len(answer.body) <= limits.ANSWER_BYTES_MAX:
            sql = (
                "UPDATE idempotency_keys SET status = ?, location = ?, answer = ? "
                "WHERE key = ? AND fingerprint = ? AND answer IS NULL"
            )
            values = (answer.status, answer.location, answer.body, key.text, key.fingerprint)
            self._bytes += len(answer.body) * self._db.execute(sql, values).rowcount
            self._drop_oldest_answers()
        found = read_key(self._db, key.text)
        return found.answer if found is not None and found.remembered.key == key else None

    def _drop_oldest_answers(self) -> None:
        if self._bytes <= limits.ANSWER_BYTES_KEPT:
            return
        sql = (
            "SELECT key, LENGTH(answer) FROM idempotency_keys WHERE answer IS NOT NULL "
            "ORDER BY created_at LIMIT ?"
        )
        gone: list[tuple[str]] = []
        for key, size in self._db.execute(sql, (limits.KEYS_PIECE,)):
            if self._bytes <= limits.ANSWER_BYTES_KEPT:
                break
            gone.append((key,))
            self._bytes -= size
        sql = "UPDATE idempotency_keys SET status = NULL, location = NULL, answer = NULL WHERE key = ?"
        self._db.executemany(sql, gone)

    def _delete(self, which: str, *values: str | int) -> None:
        gone = self._db.execute(f"{_DELETE} {which} RETURNING LENGTH(answer)", values).fetchall()
        self._bytes -= sum(size or 0 for (size,) in gone)


def find_keys(db: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Remembered]:
    """Read what was done under these keys; those that nothing was done under are left out."""
    sql = f"SELECT {rows.REMEMBERED_COLUMNS} FROM idempotency_keys WHERE key IN"  # noqa: S608
    return {
        row[0]: rows.to_remembered(row)
        for marks, values in parts(keys)
        for row in db.execute(f"{sql} ({marks})", values)
    }


def read_key(db: sqlite3.Connection, key: str) -> KeptKey | None:
    """Read what was done under a key, without the tasks, and the answer if there is one."""
    sql = "SELECT fingerprint, created_at, status, location, answer FROM idempotency_keys WHERE key = ?"
    row = db.execute(sql, (key,)).fetchone()
    if row is None:
        return None
    answer = None if row[4] is None else KeptAnswer(*row[2:])
    return KeptKey(Remembered(Key(key, row[0]), row[1]), answer)
