"""Data in PostgreSQL: databases of one server, which are emptied and used again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from propeller.store.postgres.lease import Lease
from propeller.store.postgres.schema import migrate
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.postgres.store import PostgresStore
from tests.parts.postgres import ADMIN, USER, Postgres
from tests.store.helpers import records_in

T = TypeVar("T")

HOLDER = "a manager"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


class Server:
    """A server, and the databases on it that nobody uses."""

    def __init__(self) -> None:
        self._server = Postgres()
        self._server.start()
        self._free: list[str] = []
        #: What a new database has in its tables.
        self._new: dict[str, list[Any]] = {}

    def fresh(self) -> "PostgresData":
        """Give an empty database."""
        return PostgresData(self, self._free.pop() if self._free else asyncio.run(self._made()))

    def settings(self, database: str) -> PostgresSettings:
        # Over its socket it asks for no password, which would take longer than a test.
        return PostgresSettings(
            host=self._server.socket, port=self._server.port, user=USER, database=database
        )

    async def connected(self, database: str) -> Any:
        """Connect as the superuser."""
        return await asyncpg.connect(
            host=self._server.socket, port=self._server.port, user=ADMIN, database=database
        )

    async def _made(self) -> str:
        name = self._server.database()
        db = await self.connected(name)
        try:
            await db.execute(f"SET ROLE {USER}")
            await migrate(db)
            tables = [row[0] for row in await db.fetch(_TABLES)]
            self._new = {table: await db.fetch(f"SELECT * FROM {table}") for table in tables}
        finally:
            await db.close()
        return name

    async def empty(self, database: str) -> None:
        """Make a database as a new one is; numbers of rows go on."""
        db = await self.connected(database)
        try:
            await db.execute("SET session_replication_role = replica")  # no triggers
            await db.execute(";".join(f"DELETE FROM {table}" for table in self._new))
            for table, found in self._new.items():
                await db.copy_records_to_table(table, records=found)
        finally:
            await db.close()
        self._free.append(database)

    def remove(self) -> None:
        self._server.remove()


class PostgresData:
    """One database; ``kinds.Data`` describes the methods."""

    kind = "postgres"

    def __init__(self, server: Server, database: str) -> None:
        self._server = server
        self._database = database

    @property
    def settings(self) -> PostgresSettings:
        return self._server.settings(self._database)

    def with_store(self, work: Callable[[Any], Awaitable[T]], **options: Any) -> T:
        """Open it, take the lead, work with it, close it."""

        async def run() -> T:
            store, lease = PostgresStore(self.settings, **options), Lease(self.settings)
            held = None
            try:
                await store.open(30)
                held = await lease.take(HOLDER, "http://localhost")
                assert held is not None
                await store.lead(held)
                return await work(store)
            finally:
                await store.close()
                if held is not None:
                    await lease.release(held)
                await lease.close()

        return asyncio.run(run())

    def reopen(self) -> None:
        pass

    def rows(self) -> dict[str, int]:
        async def count() -> dict[str, int]:
            db = await self._server.connected(self._database)
            try:
                tables = [row[0] for row in await db.fetch(_TABLES)]
                return records_in(
                    [(table, await db.fetchval(f"SELECT COUNT(*) FROM {table}")) for table in tables]
                )
            finally:
                await db.close()

        return asyncio.run(count())

    def remove(self) -> None:
        asyncio.run(self._server.empty(self._database))
