"""The part of the store in PostgreSQL that keeps secrets."""

from collections.abc import Sequence

from propeller.store import limits
from propeller.store.pages import Page
from propeller.store.postgres.access import Access, Db
from propeller.store.secrets import SecretUse, StoredSecret

_COLUMNS = ", ".join(StoredSecret._fields)
_ERASED = "UPDATE secrets SET wrapped = '', box = ''"
_ITS_VALUE = "WHERE namespace = $1 AND name = $2 AND box <> ''"
#: In a transaction whose last commits a power cut could otherwise take.
_WAIT_FOR_THE_DISK = "SET LOCAL synchronous_commit = on"


class Secrets(Access):
    """Versions of secrets and their uses; ``secrets.SecretStore`` describes the methods."""

    async def secrets(self) -> list[StoredSecret]:
        sql = f"SELECT {_COLUMNS} FROM secrets WHERE box <> '' ORDER BY namespace, name"
        return [StoredSecret(*row) for row in await self._read(lambda db: db.fetch(sql))]

    async def write_secret(self, secret: StoredSecret) -> None:
        async def work(db: Db) -> None:
            await db.execute(_WAIT_FOR_THE_DISK)
            await db.execute(f"{_ERASED} {_ITS_VALUE}", secret.namespace, secret.name)
            marks = ", ".join(f"${number}" for number in range(1, len(secret) + 1))
            await db.execute(f"INSERT INTO secrets ({_COLUMNS}) VALUES ({marks})", *secret)
            await db.execute(
                "DELETE FROM secrets WHERE namespace = $1 AND name = $2 AND version <= $3",
                secret.namespace,
                secret.name,
                secret.version - limits.SECRET_VERSIONS_KEPT,
            )

        await self._beside(work)

    async def delete_secret(self, namespace: str, name: str, at: int) -> bool:
        async def work(db: Db) -> bool:
            await db.execute(_WAIT_FOR_THE_DISK)
            sql = f"{_ERASED}, deleted_at = $3 {_ITS_VALUE} RETURNING version"
            return bool(await db.fetch(sql, namespace, name, at))

        return await self._beside(work)

    async def rewrap_secrets(self, secrets: Sequence[StoredSecret]) -> None:
        async def work(db: Db) -> None:
            await db.execute(_WAIT_FOR_THE_DISK)
            await db.executemany(
                "UPDATE secrets SET key_id = $1, wrapped = $2 WHERE namespace = $3 AND name = $4 "
                "AND version = $5 AND box <> ''",
                [(one.key_id, one.wrapped, one.namespace, one.name, one.version) for one in secrets],
            )

        await self._beside(work)

    async def secret_versions(self, namespace: str, name: str) -> list[StoredSecret]:
        columns = _COLUMNS.replace("wrapped, box", "''::bytea, ''::bytea")
        sql = f"SELECT {columns} FROM secrets WHERE namespace = $1 AND name = $2 ORDER BY version DESC"
        return [StoredSecret(*row) for row in await self._read(lambda db: db.fetch(sql, namespace, name))]

    async def write_secret_uses(self, uses: Sequence[SecretUse]) -> None:
        fields = SecretUse._fields
        columns, marks = ", ".join(fields), ", ".join(f"${number}" for number in range(1, len(fields) + 1))

        async def work(db: Db) -> None:
            await db.executemany(f"INSERT INTO secret_uses ({columns}) VALUES ({marks})", uses)
            await db.executemany(
                "DELETE FROM secret_uses WHERE namespace = $1 AND name = $2 AND id <= (SELECT id FROM "
                "secret_uses WHERE namespace = $1 AND name = $2 ORDER BY id DESC LIMIT 1 OFFSET $3)",
                sorted({(use.namespace, use.name, limits.SECRET_USES_KEPT) for use in uses}),
            )

        await self._beside(work)

    async def secret_uses(self, namespace: str, name: str, offset: int, limit: int) -> Page[SecretUse]:
        mine = "FROM secret_uses WHERE namespace = $1 AND name = $2"
        columns = ", ".join(SecretUse._fields)

        async def query(db: Db) -> Page[SecretUse]:
            total = int(await db.fetchval(f"SELECT COUNT(*) {mine}", namespace, name))
            page = f"SELECT {columns} {mine} ORDER BY id DESC LIMIT $3 OFFSET $4"
            rows = await db.fetch(page, namespace, name, limit, offset)
            return Page(total, [SecretUse(*row) for row in rows])

        return await self._read(query)
