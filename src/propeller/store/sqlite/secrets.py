"""The part of the store in SQLite that keeps secrets."""

import sqlite3
from collections.abc import Sequence

from propeller.store import limits
from propeller.store.pages import Page
from propeller.store.secrets import SecretUse, StoredSecret
from propeller.store.sqlite.access import Access

_COLUMNS = ", ".join(StoredSecret._fields)
_ERASED = "UPDATE secrets SET wrapped = x'', box = x''"
_ITS_VALUE = "WHERE namespace = ? AND name = ? AND box <> x''"


class Secrets(Access):
    """Versions of secrets and their uses; ``secrets.SecretStore`` describes the methods."""

    async def secrets(self) -> list[StoredSecret]:
        sql = f"SELECT {_COLUMNS} FROM secrets WHERE box <> x'' ORDER BY namespace, name"  # noqa: S608
        return await self._read(lambda db: [StoredSecret(*row) for row in db.execute(sql)])

    async def write_secret(self, secret: StoredSecret) -> None:
        def write(db: sqlite3.Connection) -> None:
            db.execute(f"{_ERASED} {_ITS_VALUE}", (secret.namespace, secret.name))
            marks = ", ".join("?" * len(secret))
            db.execute(f"INSERT INTO secrets ({_COLUMNS}) VALUES ({marks})", secret)  # noqa: S608
            db.execute(
                "DELETE FROM secrets WHERE namespace = ? AND name = ? AND version <= ?",
                (secret.namespace, secret.name, secret.version - limits.SECRET_VERSIONS_KEPT),
            )

        await self._written(write)

    async def delete_secret(self, namespace: str, name: str, at: int) -> bool:
        sql = f"{_ERASED}, deleted_at = ? {_ITS_VALUE}"
        return await self._written(lambda db: db.execute(sql, (at, namespace, name)).rowcount > 0)

    async def rewrap_secrets(self, secrets: Sequence[StoredSecret]) -> None:
        sql = (
            "UPDATE secrets SET key_id = ?, wrapped = ? WHERE namespace = ? AND name = ? "
            "AND version = ? AND box <> x''"
        )
        rows = [(one.key_id, one.wrapped, one.namespace, one.name, one.version) for one in secrets]
        await self._written(lambda db: db.executemany(sql, rows))

    async def secret_versions(self, namespace: str, name: str) -> list[StoredSecret]:
        columns = _COLUMNS.replace("wrapped, box", "x'', x''")
        sql = f"SELECT {columns} FROM secrets WHERE namespace = ? AND name = ? ORDER BY version DESC"  # noqa: S608
        return await self._read(lambda db: [StoredSecret(*row) for row in db.execute(sql, (namespace, name))])

    async def write_secret_uses(self, uses: Sequence[SecretUse]) -> None:
        def write(db: sqlite3.Connection) -> None:
            columns, marks = ", ".join(SecretUse._fields), ", ".join("?" * len(SecretUse._fields))
            db.executemany(f"INSERT INTO secret_uses ({columns}) VALUES ({marks})", uses)  # noqa: S608
            db.executemany(
                "DELETE FROM secret_uses WHERE namespace = ?1 AND name = ?2 AND id <= (SELECT id FROM "
                "secret_uses WHERE namespace = ?1 AND name = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
                [(*one, limits.SECRET_USES_KEPT) for one in {(use.namespace, use.name) for use in uses}],
            )

        await self._beside(write)

    async def secret_uses(self, namespace: str, name: str, offset: int, limit: int) -> Page[SecretUse]:
        mine = "FROM secret_uses WHERE namespace = ? AND name = ?"
        columns = ", ".join(SecretUse._fields)

        def query(db: sqlite3.Connection) -> Page[SecretUse]:
            total = db.execute(f"SELECT COUNT(*) {mine}", (namespace, name)).fetchone()[0]
            page = f"SELECT {columns} {mine} ORDER BY id DESC LIMIT ? OFFSET ?"
            rows = db.execute(page, (namespace, name, limit, offset))
            return Page(total, [SecretUse(*row) for row in rows])

        return await self._read(query)
