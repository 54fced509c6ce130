"""Stores that move from SQLite to PostgreSQL and back: all of it, compared, and whole or not at all."""

import asyncio
import contextlib
import itertools
import json
import sqlite3

import pytest

from propeller.core.effects import Changes
from propeller.errors import Conflict, Invalid, NotFound, StoreUnusable
from propeller.store import moving, transfer
from propeller.store.postgres.transfer import COUNTERS, DERIVED, PostgresDraft
from propeller.store.sqlite import backups
from propeller.store.sqlite.transfer import SqliteDraft
from propeller.store.tables import TABLES
from tests.builders import a_move, a_task, filled_spec, filled_task
from tests.store.conformance import answers
from tests.store.conformance.courses import Course
from tests.store.conformance.kinds import ALL, Stores
from tests.store.helpers import SqliteData


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    made = Stores(tmp_path_factory.mktemp("moving"))
    yield made
    made.remove()


@pytest.fixture
def postgres(stores):
    """Empty data in PostgreSQL."""
    made = stores.fresh("postgres")
    yield made
    made.remove()


@pytest.fixture
def other(stores):
    made = stores.fresh("postgres")
    yield made
    made.remove()


@pytest.fixture
def sqlite(tmp_path):
    return SqliteData(tmp_path / "data", durability="normal")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "data"


def fill(data, seed=1, steps=60):
    """Play a course into it; give all that it answers."""

    async def play(store):
        for operation, given in Course(seed).steps(steps):
            await getattr(store, operation)(*given)
        return await answers.all_of(store, ALL)

    return data.with_store(play)


def ask(data):
    return data.with_store(lambda store: answers.all_of(store, ALL))


def run(work):
    return asyncio.run(work)


def sql(data, text):
    """Run SQL as the superuser, without the triggers."""

    async def execute():
        db = await data._server.connected(data._database)
        await db.execute("SET session_replication_role = replica")
        await db.execute(text)
        await db.close()

    run(execute())


def tables_of(data):
    """All rows of all tables, and the number of the last piece of logs that there ever was."""

    async def read():
        async with moving.postgres.read(data.settings) as rows:
            found = {
                table.name: sorted([row async for batch in rows.batches(table) for row in batch], key=repr)
                for table in TABLES
            }
            (pieces,) = (table for table in TABLES if table.name == "log_pieces")
            return found, await rows.last_number(pieces)

    return run(read())


# -- there and back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_there_and_back_it_gives_the_same_answers(sqlite, postgres, place, tmp_path, seed):
    expected = fill(sqlite, seed)
    done = run(moving.copy(place, postgres.settings))
    assert done.rows["tasks"] == expected["tasks 0"][0][0] > 0
    assert ask(postgres) == expected
    assert run(moving.check(postgres.settings)).damage == ""
    back = tmp_path / "back"
    assert run(moving.copy(postgres.settings, back)).rows == done.rows
    assert ask(SqliteData(back)) == expected
    third = tmp_path / "third"
    assert run(moving.copy(back, third)).rows == done.rows
    assert ask(SqliteData(third)) == expected
    assert ask(sqlite) == expected, "the source is as it was"


def test_it_goes_on_where_it_was(sqlite, postgres, place):
    """Numbers that were used once are not used again: followers of logs rely on that."""
    fill(sqlite, 8)

    async def more(store):
        for operation, given in Course(8).steps(90)[60:]:
            await getattr(store, operation)(*given)
        return await answers.all_of(store, ALL)

    run(moving.copy(place, postgres.settings))
    assert sqlite.with_store(more) == postgres.with_store(more)
    with contextlib.closing(sqlite3.connect(place / "propeller.db")) as db:
        assert tables_of(postgres)[1] >= db.execute("SELECT MAX(id) FROM log_pieces").fetchone()[0]


def test_the_database_knows_at_once_what_it_holds(sqlite, postgres, place, tmp_path):
    async def known():
        db = await postgres._server.connected(postgres._database)
        sql = "SELECT reltuples::bigint, relallvisible > 0 FROM pg_class WHERE relname = 'task_metadata'"
        found = [tuple(row) for row in await db.fetch(sql)]
        count = await db.fetchval("SELECT COUNT(*) FROM task_metadata")
        await db.close()
        return found, count

    fill(sqlite, 1)
    run(moving.copy(place, postgres.settings))
    found, count = run(known())
    assert found == [(count, True)]
    backup = tmp_path / "backup.db"
    run(moving.back_up(postgres.settings, backup))
    run(moving.restore(postgres.settings, backup))
    assert run(known()) == ([(count, True)], count)


def test_the_identity_of_the_manager_goes_along(sqlite, postgres, place, tmp_path):
    fill(sqlite)
    (place / "manager.json").write_text('{"id":"m1","epoch":7}')
    run(moving.copy(place, postgres.settings))
    assert postgres.with_store(lambda store: store.begin_epoch()).id == "m1"
    run(moving.copy(postgres.settings, tmp_path / "back"))
    found = json.loads((tmp_path / "back" / "manager.json").read_text())
    assert (found["id"], found["epoch"] > 7) == ("m1", True)


def test_every_table_and_every_column_is_moved(postgres):
    """A column that a migration adds has to be named in ``tables.py``."""

    async def columns():
        db = await postgres._server.connected(postgres._database)
        sql = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        sql += " AND is_generated = 'NEVER'"  # such a column follows from others
        found = await db.fetch(sql + " AND table_name IN (SELECT tablename FROM pg_tables)")
        await db.close()
        return {tuple(row) for row in found}

    derived = {*DERIVED, *COUNTERS}
    own = {"leader", "identity", "schema_version"}
    expected = {(table.name, column) for table in TABLES for column in table.columns}
    assert {pair for pair in run(columns()) if pair[0] not in derived | own} == expected


def test_large_tables_are_moved_a_piece_at_a_time(sqlite, postgres, place, monkeypatch):
    async def many(store):
        await store.commit(Changes(created=[a_task(n) for n in range(1, 1500)]))

    sqlite.with_store(many)
    largest = 0
    write = PostgresDraft.write

    async def watched(draft, table, rows):
        nonlocal largest
        largest = max(largest, len(rows))
        await write(draft, table, rows)

    monkeypatch.setattr(PostgresDraft, "write", watched)
    assert run(moving.copy(place, postgres.settings)).rows["runs"] == 1499
    assert largest == 200


# -- refused -------------------------------------------------------------------------------------------------


def test_a_place_that_holds_something_is_refused(sqlite, postgres, other, place, tmp_path):
    expected = fill(sqlite)
    fill(postgres, 2)
    before = tables_of(postgres)
    with pytest.raises(Conflict, match=r"is not empty: there are rows in tasks, .*; name an empty database"):
        run(moving.copy(place, postgres.settings))
    assert tables_of(postgres) == before
    for source in (postgres.settings, place):
        with pytest.raises(
            (Conflict, StoreUnusable), match=r"holds a store already; name an empty|in use by"
        ):
            run(moving.copy(source, place))
    assert ask(sqlite) == expected
    with pytest.raises(NotFound, match="holds no store"):
        run(moving.copy(tmp_path / "none", other.settings))


def test_a_manager_that_runs_is_left_alone(sqlite, postgres, place, tmp_path):
    fill(sqlite)

    async def while_open(store):
        with pytest.raises(StoreUnusable, match="is in use by another manager"):
            await moving.copy(place, postgres.settings)

    sqlite.with_store(while_open)

    async def while_led(store):
        for source, target in ((postgres.settings, tmp_path / "new"), (place, postgres.settings)):
            with pytest.raises(Conflict, match="a manager at http://localhost has the database open"):
                await moving.copy(source, target)
        with pytest.raises(Conflict, match="stop all managers"):
            await moving.restore(postgres.settings, made)
        await store.commit(Changes(created=[a_task(100)]))

    made = tmp_path / "copy.db"
    backups.back_up(place, made)
    postgres.with_store(while_led)
    assert not (tmp_path / "new" / "propeller.db").exists()


@pytest.mark.parametrize("fault", [lambda rows: rows[:-1], lambda rows: [(*rows[0][:-1], 9), *rows[1:]]])
def test_a_copy_that_was_changed_on_the_way_is_refused_and_leaves_nothing(
    sqlite, postgres, place, tmp_path, monkeypatch, fault
):
    fill(sqlite)
    for kind, target in ((PostgresDraft, postgres.settings), (SqliteDraft, tmp_path / "new")):
        write = kind.write

        async def faulty(draft, table, rows, write=write):
            await write(draft, table, fault(rows) if table.name == "proplets" else rows)

        with monkeypatch.context() as patch:
            patch.setattr(kind, "write", faulty)
            with pytest.raises(
                StoreUnusable, match=r"does not hold what was written: . of . rows of proplets"
            ):
                run(moving.copy(place, target))
    assert postgres.rows() == {}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["lock"]


def test_a_copy_that_was_cut_off_leaves_nothing(sqlite, postgres, place, tmp_path, monkeypatch):
    expected = fill(sqlite)

    async def ends(*_):
        raise KeyboardInterrupt

    for kind, target in ((PostgresDraft, postgres.settings), (SqliteDraft, tmp_path / "new")):
        with monkeypatch.context() as patch:
            patch.setattr(kind, "go_on_from", ends)
            with pytest.raises(KeyboardInterrupt):
                run(moving.copy(place, target))
    assert postgres.rows() == {}
    left = tmp_path / "new" / ".restore-left"
    left.mkdir()
    run(moving.copy(place, tmp_path / "new"))
    run(moving.copy(place, postgres.settings))
    assert not left.exists()
    assert ask(SqliteData(tmp_path / "new")) == ask(postgres) == expected


def test_what_no_text_of_sql_can_hold_is_moved_too(sqlite, postgres, place):
    task = filled_task(spec=filled_spec(workflow_id="", module=None))
    sqlite.with_store(
        lambda store: store.commit(Changes(created=[task], transitions=[a_move("a\0")], first_event_id=1))
    )
    run(moving.copy(place, postgres.settings))
    assert ask(postgres) == ask(sqlite)


# -- check, backup and restore of PostgreSQL -----------------------------------------------------------------

DAMAGE = {
    "UPDATE tasks SET spec = '{}' WHERE seq = (SELECT MIN(seq) FROM tasks)": "can't be read: Object missing required field",
    "DELETE FROM runs WHERE seq = (SELECT MIN(seq) FROM runs)": "1 tasks have no state",
    "DELETE FROM tasks WHERE seq = (SELECT MIN(seq) FROM tasks)": "1 states have no task",
    "DELETE FROM modules": "tasks have a module that is not there",
    "UPDATE modules SET bytes = '\\x00'": "has other bytes than its digest says",
    "UPDATE totals SET count = count + 1 WHERE kind = 'task'": "tasks are counted, and there are",
    "UPDATE groups SET counts = '[9,0,0,0,0,0,0,0]'": "does not count as many tasks as there are",
    "UPDATE groups SET id = id || 'x'": "tasks are of a workflow or job that is not there",
    "UPDATE events SET transitions = '[7]'": "event 1 can't be read",
    "UPDATE idempotency_keys SET task_ids = '[7]'": "idempotency key 1 can't be read",
    "UPDATE proplets SET metadata = ''": "proplet 1 can't be read",
    "INSERT INTO log_pieces (log_stream, start, written_at, text, is_cut) VALUES (-1, 0, 0, '', 0)": "pieces of logs are of no stream",
}


def test_damage_in_postgres_is_found_and_is_neither_backed_up_nor_copied(postgres, tmp_path):
    fill(postgres, 0)
    kept = tmp_path / "sound.db"
    run(moving.back_up(postgres.settings, kept))
    for text, words in DAMAGE.items():
        sql(postgres, text)
        found = run(moving.check(postgres.settings))
        assert words in found.damage, text
        assert found.held is None
        for broken in (
            moving.back_up(postgres.settings, tmp_path / "new.db"),
            moving.copy(postgres.settings, tmp_path / "new"),
        ):
            with pytest.raises(StoreUnusable, match=r"is damaged: .*put a backup in its place"):
                run(broken)
        assert not (tmp_path / "new.db").exists()
        assert not (tmp_path / "new" / "propeller.db").exists()
        run(moving.restore(postgres.settings, kept))
        assert run(moving.check(postgres.settings)).damage == "", text


def test_one_backup_file_restores_into_both(sqlite, postgres, other, place, tmp_path):
    expected = fill(sqlite)
    of_sqlite, of_postgres = tmp_path / "a.db", tmp_path / "b.db"
    backups.back_up(place, of_sqlite)
    fill(postgres, 2)
    before = tables_of(postgres)
    done = run(moving.restore(postgres.settings, of_sqlite))
    assert ask(postgres) == expected
    assert done.held.tasks > 0
    run(moving.back_up(postgres.settings, of_postgres))
    assert of_postgres.stat().st_mode & 0o777 == 0o600
    backups.restore(tmp_path / "new", of_postgres)
    assert ask(SqliteData(tmp_path / "new")) == expected
    # What was there before is a backup like any other.
    run(moving.restore(other.settings, moving.Path(done.before)))
    assert tables_of(other) == before


def test_a_backup_is_of_one_moment_while_a_manager_writes(postgres, tmp_path):
    async def work(store):
        await store.commit(Changes(created=[a_task(1)], transitions=[a_move("t1")], first_event_id=1))
        writing = asyncio.create_task(write(store))
        for n in range(4):
            await moving.back_up(postgres.settings, tmp_path / f"{n}.db")
        writing.cancel()
        await asyncio.wait({writing})

    async def write(store):
        for n in itertools.count(2):
            await store.commit(Changes(created=[a_task(n)], transitions=[a_move(f"t{n}")], first_event_id=n))

    postgres.with_store(work)
    for n in range(4):
        held = backups.held_by(tmp_path / f"{n}.db")
        assert held.tasks == held.last_event_id > 0
        with contextlib.closing(sqlite3.connect(tmp_path / f"{n}.db")) as db:
            assert db.execute("SELECT COUNT(*) FROM runs").fetchone()[0] == held.tasks


def test_what_does_not_verify_is_not_restored(sqlite, postgres, place, tmp_path):
    fill(sqlite)
    fill(postgres, 2)
    before = tables_of(postgres)
    made = tmp_path / "copy.db"
    backups.back_up(place, made)
    made.write_bytes(made.read_bytes()[:-5000])
    with pytest.raises(Invalid, match=r"copy.db .*; restore another backup. Nothing was changed"):
        run(moving.restore(postgres.settings, made))
    with pytest.raises(NotFound, match="there is no such file"):
        run(moving.restore(postgres.settings, tmp_path / "none.db"))
    assert tables_of(postgres) == before


def test_the_hash_of_a_table_sees_any_change():
    rows = [(1, "a", b"x", None), (2, "b", b"", 5)]
    whole = transfer.Content().with_rows(rows)
    assert transfer.Content().with_rows(rows[1:]).with_rows(rows[:1]) == whole, "in whatever order"
    for other in (
        [rows[0], rows[0]],
        [rows[0]],
        [(1, "a", "x", None), rows[1]],
        [(1, "a", b"x", 0), rows[1]],
    ):
        assert transfer.Content().with_rows(other) != whole


def test_a_database_without_a_store_is_told_and_left_as_it_is(stores, tmp_path):
    made = stores.fresh("postgres")
    sql(made, "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION propeller")
    for asked in (
        moving.check(made.settings),
        moving.back_up(made.settings, tmp_path / "new.db"),
        moving.copy(made.settings, tmp_path / "new"),
    ):
        with pytest.raises(NotFound, match="holds no store; name the database that a manager has used"):
            run(asked)
    assert made.rows() == {}
    assert not [*tmp_path.iterdir()]


def test_a_store_of_another_version_is_told(postgres, tmp_path):
    sql(postgres, "UPDATE schema_version SET version = 0, oldest = 0")
    with pytest.raises(NotFound):
        run(moving.check(postgres.settings))
    sql(postgres, "UPDATE schema_version SET version = 99, oldest = 99")
    with pytest.raises(StoreUnusable, match=r"newer version of Propeller \(schema 99"):
        run(moving.check(postgres.settings))
