"""A connection to PostgreSQL is as the settings say, and an error says what to do."""

import asyncio
import contextlib
import subprocess
import sys

import msgspec
import pytest

from propeller.core.effects import Changes
from propeller.errors import StoreUnusable
from propeller.store.postgres.connecting import connect
from propeller.store.postgres.schema import Step, steps
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.postgres.store import PostgresStore
from tests.builders import filled_task, stored
from tests.parts.certificates import Certificates
from tests.parts.ports import free_port
from tests.parts.postgres import Postgres, running
from tests.store.postgres.conftest import settings_of
from tests.store.postgres.helpers import leading


def open_(settings, seconds=0.3):
    """Open a store and close it; give what its error says."""

    async def run():
        store = PostgresStore(settings)
        try:
            await store.open(seconds)
        finally:
            await store.close()

    with pytest.raises(StoreUnusable) as found:
        asyncio.run(run())
    assert "secret" not in str(found.value)
    return str(found.value)


def ask(settings, sql):
    async def run():
        db = await connect(settings)
        try:
            return await db.fetchval(sql)
        finally:
            await db.close()

    return asyncio.run(run())


def changed(settings, **changes):
    return msgspec.structs.replace(settings, **changes)


def test_the_server_is_found_by_host_and_port(server, empty):
    assert ask(empty, "SELECT inet_server_port()") == server.port
    assert ask(changed(empty, host=server.socket), "SELECT inet_server_port()") is None
    port = free_port()
    said = open_(changed(empty, port=port, host="localhost"))
    assert f"PostgreSQL (database {empty.database} on localhost:{port}) can't be reached" in said
    assert "look at MANAGER_POSTGRES_HOST and MANAGER_POSTGRES_PORT" in said


def test_a_user_is_let_in_with_the_right_password(server, empty):
    server.sql("CREATE ROLE somebody LOGIN PASSWORD 'other'")
    mine = changed(empty, user="somebody", password="other")
    assert ask(mine, "SELECT current_user::text") == "somebody"
    for wrong in (changed(mine, password="secret"), changed(mine, user="nobody-known", password="secret")):
        said = open_(wrong)
        assert f"does not let the user {wrong.user} in" in said
        assert "look at MANAGER_POSTGRES_USER and MANAGER_POSTGRES_PASS" in said
        assert "secret" not in repr(wrong)


def test_a_database_that_is_not_there_is_named(empty):
    assert ask(empty, "SELECT current_database()::text") == empty.database
    said = open_(changed(empty, database="nowhere"))
    assert "CREATE DATABASE nowhere OWNER propeller, or name another in MANAGER_POSTGRES_DB" in said


def test_a_user_who_may_make_no_tables_is_told_how_to_get_the_right(server, empty):
    server.sql("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    said = open_(changed(empty, user="guest", password="guest"))
    assert f"does not let the user guest create tables in the database {empty.database}" in said
    assert f"ALTER DATABASE {empty.database} OWNER TO guest" in said


def test_an_encoding_that_cannot_hold_all_text_is_refused(server):
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    assert "has the encoding LATIN1, and UTF8 is needed" in open_(settings_of(server, "latin"))


def test_a_database_with_settings_of_its_own_will_do(server, empty):
    """What a server, a database or a user may have set is set anew by each connection."""
    for setting in (
        "standard_conforming_strings = off",
        "default_transaction_isolation = serializable",
        "statement_timeout = 1",
        "lock_timeout = 1",
        "bytea_output = escape",
        "datestyle = 'SQL, DMY'",
        "timezone = 'Asia/Kolkata'",
        "search_path = mine, public",
    ):
        # Not of the database: the server's own user has no millisecond to spare either.
        server.sql(f"ALTER ROLE {empty.user} IN DATABASE {empty.database} SET {setting}")
    server.sql("CREATE SCHEMA mine AUTHORIZATION propeller", empty.database)
    task = filled_task()

    async def run():
        async with leading(empty) as store:
            await store.commit(Changes(created=[task]))
            return await store.task(task.id)

    assert stored(asyncio.run(run())) == stored(task)
    assert server.sql("SELECT to_regclass('mine.tasks') IS NOT NULL", empty.database) == "t"


def test_a_search_path_without_a_schema_is_named(server, empty):
    server.sql(f"ALTER DATABASE {empty.database} SET search_path = elsewhere")
    said = open_(empty)
    assert f"the search_path of the user propeller in the database {empty.database} names no schema" in said
    assert f"ALTER DATABASE {empty.database} RESET search_path" in said


@pytest.mark.parametrize("table", ["tasks (id integer)", "schema_version (rank integer, version text)"])
def test_a_database_of_another_program_is_left_alone(server, empty, table):
    server.sql(f"CREATE TABLE {table}; GRANT ALL ON {table.split()[0]} TO propeller", empty.database)
    said = open_(empty)
    assert "holds a table of another program" in said
    assert table.split()[0] in said
    assert "create a database for Propeller alone" in said
    assert server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", empty.database) == "1"


def test_names_that_need_quotes_have_them_in_what_is_to_be_typed(server, empty):
    said = open_(changed(empty, database='no "where"'))
    assert 'CREATE DATABASE "no ""where""" OWNER propeller' in said


class Pool:
    """Stands between a program and its server as PgBouncer does, which keeps startup parameters to itself."""

    def __init__(self, server, *, drops):
        self._server, self._drops = server, drops

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self._listener.sockets[0].getsockname()[1]

    async def __aexit__(self, *_):
        self._listener.close()

    async def _serve(self, reader, writer):
        size = int.from_bytes(await reader.readexactly(4))
        words = (await reader.readexactly(size - 4))[4:].rstrip(b"\0").split(b"\0")
        given = dict(zip(words[::2], words[1::2], strict=True))
        if not self._drops:
            text = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: jit\0\0"
            writer.write(b"E" + (4 + len(text)).to_bytes(4) + text)
            writer.close()
            return
        kept = [word for name in (b"user", b"database") for word in (name, given[name])]
        body = (196608).to_bytes(4) + b"\0".join(kept) + b"\0\0"
        there, onward = await asyncio.open_connection(self._server.host, self._server.port)
        onward.write((4 + len(body)).to_bytes(4) + body)
        await asyncio.gather(pipe(reader, onward), pipe(there, writer))


async def pipe(reader, writer):
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@pytest.mark.parametrize("drops", [False, True])
def test_a_pool_in_between_is_named_at_once(server, empty, drops):
    async def run():
        async with Pool(server, drops=drops) as port:
            store = PostgresStore(changed(empty, host="127.0.0.1", port=port))
            try:
                with pytest.raises(StoreUnusable, match="is behind a pool of connections") as found:
                    await store.open(30)
            finally:
                await store.close()
            assert "connect to the server itself" in str(found.value)

    asyncio.run(run())


def test_a_server_that_is_too_old_is_refused(empty, monkeypatch):
    monkeypatch.setattr("propeller.store.postgres.schema.SERVER_VERSION_MIN", 990_000)
    said = open_(empty)
    assert "PostgreSQL there has version 1" in said
    assert "and at least 99 is needed" in said


def test_tls_is_as_the_mode_says(tmp_path):
    certificates, others = Certificates(tmp_path / "ours"), Certificates(tmp_path / "others")
    tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    with running(Postgres()) as server:
        plain = settings_of(server, server.database())
        assert ask(changed(plain, ssl_mode="prefer"), tls) is False
        said = open_(changed(plain, ssl_mode="require"))
        assert "there is no TLS with it" in said
        assert "look at MANAGER_POSTGRES_SSLMODE" in said
        server.certify(certificates)
        server.restart()
        wanted = {"disable": False, "prefer": True, "require": True, "verify-ca": True, "verify-full": True}
        for mode, is_on in wanted.items():
            ca_cert = certificates.ca if mode.startswith("verify") else None
            assert ask(changed(plain, ssl_mode=mode, ca_cert=ca_cert), tls) is is_on, mode
        for mode in ("require", "verify-ca", "verify-full"):
            assert "there is no TLS with it" in open_(changed(plain, ssl_mode=mode, ca_cert=others.ca)), mode
        # The certificate names localhost and its address.
        elsewhere = changed(plain, host="127.0.0.2", ca_cert=certificates.ca)
        server.stop()
        server.settings["listen_addresses"] = "*"
        server.start()
        assert ask(changed(elsewhere, ssl_mode="verify-ca"), tls) is True
        assert "there is no TLS with it" in open_(changed(elsewhere, ssl_mode="verify-full"))


def test_a_server_that_is_starting_is_waited_for(tmp_path):
    with running(Postgres()) as server:
        settings = settings_of(server, server.database())
        server.stop()

        async def run():
            store = PostgresStore(settings)
            opening = asyncio.create_task(store.open(30))
            while not store.outage:  # noqa: ASYNC110  nothing tells of it
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.start)
            await opening
            assert store.outage == ""
            await store.close()

        asyncio.run(run())


def test_the_schema_is_made_once_however_many_begin_at_once(server, empty):
    async def run():
        stores = [PostgresStore(empty) for _ in range(4)]
        await asyncio.gather(*(store.open(10) for store in stores))
        for store in stores:
            await store.close()

    asyncio.run(run())
    assert server.sql("SELECT version, oldest FROM schema_version", empty.database) == f"{len(steps())}|1"


def test_an_older_program_goes_on_beside_a_newer_one_unless_a_step_says_that_it_cannot(
    server, empty, monkeypatch
):
    def opened(known):
        monkeypatch.setattr("propeller.store.postgres.schema.steps", lambda: known)

        async def run():
            store = PostgresStore(empty)
            try:
                await store.open(0.3)
            finally:
                await store.close()

        asyncio.run(run())

    first = steps()
    added = [*first, Step("ALTER TABLE tasks ADD COLUMN colour text NOT NULL DEFAULT ''", 1)]
    broken = [*added, Step("ALTER TABLE tasks DROP COLUMN colour", len(added))]
    with contextlib.suppress(StoreUnusable):
        opened([*first, Step("CREATE TABLE half (number integer); SELECT 1 / 0", 1)])
    assert server.sql("SELECT to_regclass('half') IS NULL", empty.database) == "t"
    opened(added)
    opened(first)
    opened(broken)
    opened(added)
    newer = rf"changed by a newer version of Propeller \(schema {len(broken)}, for programs"
    with pytest.raises(StoreUnusable, match=newer):
        opened(first)


def test_the_password_is_not_shown(caplog):
    given = PostgresSettings(password="secret", port=free_port())
    assert "secret" not in f"{given!r} {given}"
    open_(given)
    assert "can't be used" in caplog.text
    assert "secret" not in caplog.text


def test_who_uses_no_postgres_loads_nothing_for_it():
    look = "import sys, propeller.cli.main, propeller.assembly; sys.exit('asyncpg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False, timeout=60).returncode == 0
