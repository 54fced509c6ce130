"""The part of the store in SQLite that keeps tokens and sessions."""

import sqlite3
from collections.abc import Mapping

from propeller.access.tokens import Token
from propeller.store.sqlite.access import Access
from propeller.store.tokens import COLUMNS, row_of, token_of

_NAMES = ", ".join(COLUMNS)


class SqliteTokens(Access):
    """Tokens and sessions; ``tokens.TokenStore`` describes the methods."""

    async def tokens(self) -> list[Token]:
        return await self._read(read_tokens)

    async def add_token(self, token: Token) -> None:
        await self._written(lambda db: write_token(db, token))

    async def revoke_token(self, token_id: str, at: int) -> Token | None:
        sql = "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at = 0"
        await self._written(lambda db: db.execute(sql, (at, token_id)))
        return await self._read(lambda db: _read_token(db, token_id))

    async def note_uses(self, uses: Mapping[str, int]) -> None:
        sql = "UPDATE tokens SET last_used_at = max(last_used_at, ?) WHERE id = ?"
        rows = [(at, token_id) for token_id, at in uses.items()]
        await self._beside(lambda db: db.executemany(sql, rows))

    async def forget_tokens(self, before: int) -> None:
        sql = (
            "DELETE FROM tokens WHERE kind = 'session' "
            "AND ((expires_at > 0 AND expires_at < :before) OR (revoked_at > 0 AND revoked_at < :before))"
        )
        await self._written(lambda db: db.execute(sql, {"before": before}))


def read_tokens(db: sqlite3.Connection) -> list[Token]:
    return [token_of(row) for row in db.execute(f"SELECT {_NAMES} FROM tokens ORDER BY created_at, id")]  # noqa: S608


def write_token(db: sqlite3.Connection, token: Token) -> None:
    marks = ", ".join("?" * len(COLUMNS))
    db.execute(f"INSERT OR IGNORE INTO tokens ({_NAMES}) VALUES ({marks})", row_of(token))  # noqa: S608


def _read_token(db: sqlite3.Connection, token_id: str) -> Token | None:
    row = db.execute(f"SELECT {_NAMES} FROM tokens WHERE id = ?", (token_id,)).fetchone()  # noqa: S608
    return None if row is None else token_of(row)
