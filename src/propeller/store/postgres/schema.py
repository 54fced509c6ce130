"""The schema: brought to this program's version, by one program at a time.

Steps only add, and what they add has defaults, so that an older program goes on beside a newer one. The first
line of each, ``-- oldest: NUMBER``, is the oldest version of the schema whose programs go on after it.
"""

import re
from importlib import resources
from typing import NamedTuple

import asyncpg

from propeller.errors import StoreUnusable
from propeller.store.postgres.access import Db
from propeller.store.postgres.settings import quoted

#: Those before are no longer looked after by anybody.
SERVER_VERSION_MIN = 120_000
#: Names the lock under which the schema is changed; any number that no other program takes.
_LOCK = 0x70726F70
_OLDEST = re.compile(r"-- oldest: (\d+)\n")

#: What a database may refuse when tables are made; each has a way out.
_REFUSALS = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.DuplicateTableError,
    asyncpg.DuplicateObjectError,
    asyncpg.DuplicateFunctionError,
)
_OF_ANOTHER = "holds a table of another program that has the name of one of ours"
_ONE_OF_ITS_OWN = "create a database for Propeller alone"


class Step(NamedTuple):
    """A step of migration."""

    sql: str
    #: The oldest version of the schema whose programs go on after it.
    oldest: int


def steps() -> list[Step]:
    """Give all steps in their order; the first one leads to version 1."""
    folder = resources.files("propeller.store.postgres") / "migrations"
    files = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
    found = []
    for file in files:
        sql = file.read_text(encoding="utf-8")
        head = _OLDEST.match(sql)
        assert head, f"{file.name} does not begin with -- oldest: NUMBER"
        found.append(Step(sql, int(head[1])))
    return found


async def migrate(db: Db, known: list[Step] | None = None) -> None:
    """Bring the schema to the version of this program, all steps in one transaction.

    Raises:
        StoreUnusable: The server is too old or the encoding another, the user may not create tables, or a
            newer program has changed the schema so that this one can't go on.

    """
    await _check_server(db)
    known = steps() if known is None else known
    if await version_of(db, len(known)) >= len(known):
        return
    try:
        async with db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            version = await version_of(db, len(known))  # another program may have done it meanwhile
            if version == 0:
                await db.execute(
                    "CREATE TABLE schema_version (version integer NOT NULL, oldest integer NOT NULL);"
                    "INSERT INTO schema_version (version, oldest) VALUES (0, 0)"
                )
            for step in known[version:]:
                await db.execute(step.sql)
            if version < len(known):
                oldest = max(step.oldest for step in known[version:])
                sql = "UPDATE schema_version SET version = $1, oldest = GREATEST(oldest, $2)"
                await db.execute(sql, len(known), oldest)
    except _REFUSALS as error:
        user = quoted(await db.fetchval("SELECT current_user::text"))
        database = quoted(await db.fetchval("SELECT current_database()::text"))
        raise StoreUnusable(_way_out(error, user, database)) from error


def _way_out(error: asyncpg.PostgresError, user: str, database: str) -> str:
    match error:
        case asyncpg.InvalidSchemaNameError():
            return (
                f"the search_path of the user {user} in the database {database} names no schema that is "
                f"there: {error}; create it: CREATE SCHEMA … AUTHORIZATION {user}, or leave the usual one: "
                f"ALTER DATABASE {database} RESET search_path; ALTER ROLE {user} RESET search_path"
            )
        case asyncpg.InsufficientPrivilegeError():
            return (
                f"PostgreSQL does not let the user {user} create tables in the database {database}: {error}; "
                f"let it own the database: ALTER DATABASE {database} OWNER TO {user}, "
                f"or grant it: GRANT CREATE ON SCHEMA public TO {user}"
            )
    return f"the database {database} {_OF_ANOTHER}: {error}; {_ONE_OF_ITS_OWN}"


async def _check_server(db: Db) -> None:
    version = int(await db.fetchval("SHOW server_version_num"))
    if version < SERVER_VERSION_MIN:
        name = await db.fetchval("SHOW server_version")
        raise StoreUnusable(
            f"PostgreSQL there has version {name}, and at least {SERVER_VERSION_MIN // 10_000} is needed; "
            "use a newer server"
        )
    encoding = await db.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise StoreUnusable(
            f"the database has the encoding {encoding}, and UTF8 is needed; create it anew with "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


async def version_of(db: Db, known: int) -> int:
    """Read the version of the schema, 0 if there is none; raise if this program can't go on with it."""
    if await db.fetchval("SELECT to_regclass('schema_version')") is None:
        return 0
    try:
        [(version, oldest)] = await db.fetch("SELECT version, oldest FROM schema_version")
    except (asyncpg.UndefinedColumnError, ValueError) as error:
        raise StoreUnusable(f"the database {_OF_ANOTHER}: schema_version; {_ONE_OF_ITS_OWN}") from error
    if oldest > known:
        raise StoreUnusable(
            f"the database was changed by a newer version of Propeller (schema {version}, for programs "
            f"that know {oldest} or newer; this one knows {known}); use that version, or another database"
        )
    return int(version)
