"""The part of the store in PostgreSQL that keeps the keys of proplets."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TypeVar

from propeller.store.postgres.access import Db
from propeller.store.proplet_keys import COLUMNS, PropletKey, proplet_key_of, row_of

T = TypeVar("T")

_NAMES = ", ".join(COLUMNS)


class PostgresPropletKeys(ABC):
    """Keys of proplets; ``proplet_keys.PropletKeyStore`` describes the methods."""

    @abstractmethod
    async def _read(
        self, query: Callable[[Db], Awaitable[T]], *, for_work: bool = False, seconds: float = 10.0
    ) -> T:
        """Run a query on a connection that only reads."""

    @abstractmethod
    async def _unfenced(self, write: Callable[[Db], Awaitable[T]]) -> T:
        """Write in one durable transaction, whoever leads; what is written may be written twice."""

    async def proplet_keys(self) -> list[PropletKey]:
        return await self._read(_read_keys)

    async def bind_proplet_key(self, key: PropletKey) -> bool:
        return await self._unfenced(lambda db: _bind(db, key))


async def _read_keys(db: Db) -> list[PropletKey]:
    found = await db.fetch(f"SELECT {_NAMES} FROM proplet_keys ORDER BY bound_at, proplet_id")
    return [proplet_key_of(tuple(row)) for row in found]


async def _bind(db: Db, key: PropletKey) -> bool:
    sql = f"INSERT INTO proplet_keys ({_NAMES}) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
    await db.execute(sql, *row_of(key))
    row = await db.fetchrow(f"SELECT {_NAMES} FROM proplet_keys WHERE proplet_id = $1", key.proplet_id)
    # After a lost connection the same is written once more, and was there before.
    return row is not None and proplet_key_of(tuple(row)) == key
