import asyncio

import pytest

from propeller.store.postgres.connecting import connect
from propeller.store.postgres.schema import migrate
from propeller.store.postgres.settings import PostgresSettings
from tests.parts.postgres import Postgres, running


@pytest.fixture(scope="module")
def server():
    with running(Postgres()) as one:
        yield one


@pytest.fixture(scope="module")
def template(server):
    """A database with all tables, of which each test gets a copy."""
    name = server.database()

    async def prepare():
        db = await connect(settings_of(server, name))
        await migrate(db)
        await db.close()

    asyncio.run(prepare())
    return name


@pytest.fixture
def settings(server, template):
    """How to connect to a fresh database with all tables."""
    name = server.database(template=template)
    yield settings_of(server, name)
    server.drop(name)


@pytest.fixture
def empty(server):
    """How to connect to a fresh database without tables."""
    name = server.database()
    yield settings_of(server, name)
    server.drop(name)


def settings_of(server, database, **more):
    return PostgresSettings(**{"host": server.host, "port": server.port, "database": database} | more)
