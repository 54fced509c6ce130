"""The part of the store in SQLite that keeps the keys of proplets."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from propeller.store.proplet_keys import COLUMNS, PropletKey, proplet_key_of, row_of

T = TypeVar("T")

_NAMES = ", ".join(COLUMNS)


class SqlitePropletKeys(ABC):
    """Keys of proplets; ``proplet_keys.PropletKeyStore`` describes the methods."""

    @abstractmethod
    async def _read(self, query: Callable[[sqlite3.Connection], T], *, for_work: bool = False) -> T:
        """Run a query in a thread of its own."""

    @abstractmethod
    async def _written(self, write: Callable[[sqlite3.Connection], object]) -> None:
        """Write in a durable transaction."""

    async def proplet_keys(self) -> list[PropletKey]:
        sql = f"SELECT {_NAMES} FROM proplet_keys ORDER BY bound_at, proplet_id"  # noqa: S608
        return await self._read(lambda db: [proplet_key_of(row) for row in db.execute(sql)])

    async def bind_proplet_key(self, key: PropletKey) -> bool:
        sql = f"INSERT OR IGNORE INTO proplet_keys ({_NAMES}) VALUES (?, ?, ?, ?)"  # noqa: S608
        bound: list[int] = []
        await self._written(lambda db: bound.append(db.execute(sql, row_of(key)).rowcount))
        return bool(bound[0])
