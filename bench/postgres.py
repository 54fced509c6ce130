"""PostgreSQL in the place of SQLite, for the measurements that have the manager in their own process."""

import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Iterator

from tests.parts.postgres import ADMIN, Postgres, running

from propeller.store.postgres.connecting import connect
from propeller.store.postgres.lease import Lease
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.postgres.store import PostgresStore

#: Names the directory of the server's socket and its port, for the processes that measure.
VARIABLE = "BENCH_POSTGRES"
#: As durable as it is when it is installed.
_DURABLE = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB"}
_OPEN_S = 30


@contextlib.contextmanager
def server() -> Iterator[None]:
    """Keep a server, with its data in ``/tmp``, for all that is measured meanwhile."""
    with running(Postgres(settings=_DURABLE)) as one:
        os.environ[VARIABLE] = f"{one.socket} {one.port}"
        try:
            yield
        finally:
            del os.environ[VARIABLE]


def is_wanted() -> bool:
    return VARIABLE in os.environ


async def fresh_database() -> PostgresSettings:
    """Make a database, and say how to connect to it."""
    host, port = os.environ[VARIABLE].split()
    settings = PostgresSettings(host=host, port=int(port), user=ADMIN, database=ADMIN)
    admin = await connect(settings)
    name = f"bench_{uuid.uuid4().hex}"
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    return PostgresSettings(host=host, port=int(port), user=ADMIN, database=name)


def variables(settings: PostgresSettings) -> dict[str, str]:
    """Give the variables of the environment with which a manager uses a database."""
    return {
        "MANAGER_STORAGE_TYPE": "postgres",
        "MANAGER_POSTGRES_HOST": settings.host,
        "MANAGER_POSTGRES_PORT": str(settings.port),
        "MANAGER_POSTGRES_USER": settings.user,
        "MANAGER_POSTGRES_DB": settings.database,
    }


@contextlib.asynccontextmanager
async def fresh_store() -> AsyncIterator[PostgresStore]:
    """Open a store in a fresh database, which nobody else wants to lead."""
    settings = await fresh_database()
    store, lease = PostgresStore(settings), Lease(settings)
    try:
        await store.open(_OPEN_S)
        held = await lease.take("bench", "")
        assert held is not None
        await store.lead(held)
        yield store
    finally:
        await lease.close()
        await store.close()
