"""Idempotency keys in PostgreSQL: each is written with its command, and soon after that the answer.

A key is deleted some time after it no longer counts, with a commit that writes others. Answers are bounded in
all: the oldest are deleted before their keys.
"""

from collections.abc import Sequence

from propeller.core.idempotency import Key, Remembered
from propeller.store import limits, rows
from propeller.store.port import KeptAnswer, KeptKey
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db


class Answers:
    """Writes the answers under keys, while this manager leads."""

    def __init__(self) -> None:
        #: At most so many bytes are kept; None where it is not known.
        self._bytes: int | None = None

    async def write(self, db: Db, key: Key, answer: KeptAnswer) -> KeptAnswer | None:
        """Keep the answer to what was done under a key, if it is the first; give the one that is kept."""
        if len(answer.body) <= limits.ANSWER_BYTES_MAX:
            sql = (
                "UPDATE idempotency_keys SET status = $1, location = $2, answer = $3 "
                "WHERE key = $4 AND fingerprint = $5 AND answer IS NULL"
            )
            await db.execute(sql, *answer, key.text, key.fingerprint)
            if self._bytes is not None:
                self._bytes += len(answer.body)
            await self._drop_oldest(db)
        found = await read_key(db, key.text)
        return found.answer if found is not None and found.remembered.key == key else None

    async def _drop_oldest(self, db: Db) -> None:
        if self._bytes is not None and self._bytes <= limits.ANSWER_BYTES_KEPT:
            return
        # Keys were written anew and deleted meanwhile, so this is less than what was added up.
        kept = int(await db.fetchval("SELECT COALESCE(SUM(octet_length(answer)), 0) FROM idempotency_keys"))
        gone: list[str] = []
        if kept > limits.ANSWER_BYTES_KEPT:
            sql = (
                "SELECT key, octet_length(answer) FROM idempotency_keys WHERE answer IS NOT NULL "
                "ORDER BY created_at LIMIT $1"
            )
            for key, size in await db.fetch(sql, limits.KEYS_PIECE):
                if kept <= limits.ANSWER_BYTES_KEPT:
                    break
                gone.append(key)
                kept -= size
            none = "status = NULL, location = NULL, answer = NULL"
            await db.execute(f"UPDATE idempotency_keys SET {none} WHERE key = ANY($1)", texts.array(gone))
        self._bytes = kept


async def find_keys(db: Db, keys: Sequence[str]) -> dict[str, Remembered]:
    """Read what was done under these keys; those that nothing was done under are left out."""
    if not keys:
        return {}
    sql = f"SELECT {rows.REMEMBERED_COLUMNS} FROM idempotency_keys WHERE key = ANY($1)"
    return {row[0]: rows.to_remembered(tuple(row)) for row in await db.fetch(sql, texts.array(keys))}


async def read_key(db: Db, key: str) -> KeptKey | None:
    """Read what was done under a key, without the tasks, and the answer if there is one."""
    sql = "SELECT fingerprint, created_at, status, location, answer FROM idempotency_keys WHERE key = $1"
    row = await db.fetchrow(sql, key)
    if row is None:
        return None
    fingerprint, created_at, status, location, answer = row
    kept = None if answer is None else KeptAnswer(status, location, answer)
    return KeptKey(Remembered(Key(key, fingerprint), created_at), kept)
