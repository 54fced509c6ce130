"""A database of PostgreSQL whose rows are moved to another store, and one that rows are moved into."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from propeller.errors import Conflict, NotFound, StoreUnusable
from propeller.store.lead import Held
from propeller.store.postgres.access import Db, snapshot
from propeller.store.postgres.connecting import connect, unusable
from propeller.store.postgres.lease import Lease
from propeller.store.postgres.schema import migrate, steps, version_of
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.tables import TABLES, Table

Row = tuple[Any, ...]

#: What follows from the other tables, besides ``COUNTERS``, whose rows stay.
DERIVED = ("task_metadata", "group_labels", "task_blocks")
COUNTERS = ("totals", "log_total")


class PostgresRows:
    """The rows of a database in a transaction; ``transfer.Source`` describes the methods."""

    def __init__(self, db: Db, place: str) -> None:
        self.db = db
        self.place = place

    async def batches(self, table: Table) -> AsyncIterator[list[Row]]:
        columns, name = ", ".join(table.columns), f"moved_{table.name}"
        await self.db.execute(f"DECLARE {name} NO SCROLL CURSOR FOR SELECT {columns} FROM {table.name}")
        while found := await self.db.fetch(f"FETCH {table.rows_at_once} FROM {name}"):
            yield [tuple(row) for row in found]
        await self.db.execute(f"CLOSE {name}")

    async def last_number(self, table: Table) -> int:
        sql = (
            f"SELECT GREATEST((SELECT MAX({table.numbered_by}) FROM {table.name}), "
            f"pg_sequence_last_value({_sequence(table)}::regclass), 0)"
        )
        return int(await self.db.fetchval(sql))


class PostgresDraft(PostgresRows):
    """A database that is being filled, in one transaction; ``transfer.Target`` describes the methods."""

    async def held(self) -> list[str]:
        """Name the tables that have rows."""
        names = [table.name for table in TABLES]
        return [name for name in names if await self.db.fetchval(f"SELECT EXISTS (SELECT FROM {name})")]

    async def empty(self) -> None:
        """Delete all that is there."""
        await self.db.execute(f"TRUNCATE {', '.join([*(table.name for table in TABLES), *DERIVED])}")
        await self.db.execute("UPDATE totals SET count = 0; UPDATE log_total SET bytes = 0")

    async def write(self, table: Table, rows: list[Row]) -> None:
        await self.db.copy_records_to_table(table.name, records=rows, columns=table.columns)

    async def go_on_from(self, table: Table, number: int) -> None:
        if number:
            await self.db.execute(f"SELECT setval({_sequence(table)}::regclass, {number})")


def _sequence(table: Table) -> str:
    return f"pg_get_serial_sequence('{table.name}', '{table.numbered_by}')"


@contextlib.asynccontextmanager
async def connected(settings: PostgresSettings) -> AsyncIterator[Db]:
    """Connect; errors of the database become ``StoreUnusable`` with a way out."""
    db: Db | None = None
    try:
        db = await connect(settings)
        # Reading or writing the other side may take long.
        await db.execute("SET idle_in_transaction_session_timeout = 0")
        yield db
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise unusable(settings, error) from error
    finally:
        if db is not None:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await db.close(timeout=5)


@contextlib.asynccontextmanager
async def read(settings: PostgresSettings) -> AsyncIterator[PostgresRows]:
    """Let the block read a database as it is at one moment; managers may go on.

    Raises:
        NotFound: There is no store in it.
        StoreUnusable: It is of another version, or can't be read.

    """
    async with connected(settings) as db, snapshot(db):
        known = len(steps())
        if (version := await version_of(db, known)) == 0:
            raise NotFound(
                f"the {settings.place} holds no store; name the database that a manager has "
                "used, or that propeller db copy has filled"
            )
        if version < known:
            raise StoreUnusable(
                f"the {settings.place} is of an older version of Propeller (schema {version}, this one has "
                f"{known}); start a manager of this version once, which changes that, or use the older one"
            )
        yield PostgresRows(db, f"PostgreSQL ({settings.place})")


@contextlib.asynccontextmanager
async def led(settings: PostgresSettings) -> AsyncIterator[Held]:
    """Take the lead of a database for the block, so that no manager writes.

    Raises:
        Conflict: A manager leads.

    """
    lease = Lease(settings)
    try:
        held = await lease.take(f"propeller db, {uuid.uuid4().hex}", "")
        if held is None:
            leader = await lease.leader()
            where = f" at {leader.address}" if leader and leader.address else ""
            raise Conflict(
                f"a manager{where} has the database open ({settings.place}); stop all managers of it first"
            )
        renewing = asyncio.create_task(_keep(lease, held))
        try:
            yield held
        finally:
            renewing.cancel()
            await asyncio.wait({renewing})
            await lease.release(held)
    finally:
        await lease.close()


async def _keep(lease: Lease, held: Held) -> None:
    while await lease.renew(held):  # noqa: ASYNC110  nobody sets an event
        await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def _made(settings: PostgresSettings) -> AsyncIterator[Db]:
    """Connect to a database that gets its tables if need be."""
    async with connected(settings) as db:
        await migrate(db)
        yield db


@contextlib.asynccontextmanager
async def filled(settings: PostgresSettings) -> AsyncIterator[PostgresDraft]:
    """Let the block fill a database; all of it is there at the end of the block, or nothing.

    Raises:
        Conflict: A manager leads.
        StoreUnusable: The lead was lost meanwhile.

    """
    async with _made(settings) as db, led(settings) as held:
        async with db.transaction():
            # Until the end of the transaction nobody can take the lead.
            sql = "SELECT 1 FROM leader WHERE token = $1 AND holder = $2 FOR KEY SHARE"
            if await db.fetchval(sql, held.token, held.holder) is None:
                raise StoreUnusable(f"the lead of the {settings.place} was lost meanwhile; try again")
            yield PostgresDraft(db, f"PostgreSQL ({settings.place})")
        # So that the database knows at once how much it holds of what, and that nothing of it is old.
        await db.execute(f"VACUUM (ANALYZE) {', '.join([*(table.name for table in TABLES), *DERIVED])}")
