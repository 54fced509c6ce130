"""The part of the store in SQLite that keeps the keys of proplets."""

from propeller.store.proplet_keys import COLUMNS, PropletKey, proplet_key_of, row_of
from propeller.store.sqlite.access import Access

_NAMES = ", ".join(COLUMNS)


class SqlitePropletKeys(Access):
    """Keys of proplets; ``proplet_keys.PropletKeyStore`` describes the methods."""

    async def proplet_keys(self) -> list[PropletKey]:
        sql = f"SELECT {_NAMES} FROM proplet_keys ORDER BY bound_at, proplet_id"  # noqa: S608
        return await self._read(lambda db: [proplet_key_of(row) for row in db.execute(sql)])

    async def bind_proplet_key(self, key: PropletKey) -> bool:
        sql = f"INSERT OR IGNORE INTO proplet_keys ({_NAMES}) VALUES (?, ?, ?, ?)"  # noqa: S608
        return await self._written(lambda db: db.execute(sql, row_of(key)).rowcount > 0)
