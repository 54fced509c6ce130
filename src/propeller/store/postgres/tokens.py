"""The part of the store in PostgreSQL that keeps tokens and sessions, which any manager may write."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from propeller.access.tokens import Token
from propeller.store.postgres.access import Db
from propeller.store.tokens import COLUMNS, row_of, token_of

T = TypeVar("T")

#: The channel that tells when a token or a session was made, revoked or deleted.
TOKENS = "propeller_tokens"

_NAMES = ", ".join(COLUMNS)


class PostgresTokens(ABC):
    """Tokens and sessions; ``tokens.TokenStore`` describes the methods."""

    @abstractmethod
    async def _read(
        self, query: Callable[[Db], Awaitable[T]], *, for_work: bool = False, seconds: float = 10.0
    ) -> T:
        """Run a query on a connection that only reads."""

    @abstractmethod
    async def _unfenced(self, write: Callable[[Db], Awaitable[T]]) -> T:
        """Write in one durable transaction, whoever leads; what is written may be written twice."""

    async def tokens(self) -> list[Token]:
        return await self._read(read_tokens)

    async def add_token(self, token: Token) -> None:
        await self._unfenced(lambda db: write_token(db, token))

    async def revoke_token(self, token_id: str, at: int) -> Token | None:
        return await self._unfenced(lambda db: revoke_token(db, token_id, at))

    async def note_uses(self, uses: Mapping[str, int]) -> None:
        sql = (
            "UPDATE tokens t SET last_used_at = GREATEST(t.last_used_at, u.at) "
            "FROM unnest($1::text[], $2::bigint[]) AS u (id, at) WHERE t.id = u.id"
        )
        ids, moments = list(uses), list(uses.values())
        await self._unfenced(lambda db: db.execute(sql, ids, moments))

    async def forget_tokens(self, before: int) -> None:
        sql = (
            "DELETE FROM tokens WHERE kind = 'session' "
            "AND ((expires_at > 0 AND expires_at < $1) OR (revoked_at > 0 AND revoked_at < $1))"
        )
        await self._unfenced(lambda db: db.execute(sql, before))


async def read_tokens(db: Db) -> list[Token]:
    found = await db.fetch(f"SELECT {_NAMES} FROM tokens ORDER BY created_at, id")
    return [token_of(tuple(row)) for row in found]


async def write_token(db: Db, token: Token) -> None:
    marks = ", ".join(f"${number}" for number in range(1, len(COLUMNS) + 1))
    sql = f"INSERT INTO tokens ({_NAMES}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING"
    await db.execute(sql, *row_of(token))


async def revoke_token(db: Db, token_id: str, at: int) -> Token | None:
    await db.execute("UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0", token_id, at)
    row = await db.fetchrow(f"SELECT {_NAMES} FROM tokens WHERE id = $1", token_id)
    return None if row is None else token_of(tuple(row))
