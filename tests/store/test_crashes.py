"""A program that dies in the middle of each operation: afterwards all of the operation is there, or nothing."""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import warnings

import asyncpg
import pytest

from propeller.core.effects import Changes
from propeller.core.idempotency import Key, Remembered
from propeller.core.states import COMPLETED, RUNNING
from propeller.store import limits, moving
from propeller.store.port import Invocation, KeptAnswer, LogPiece, PaceStep, Sample, SampleOf
from propeller.store.postgres.store import PostgresStore
from propeller.store.secrets import SecretUse, StoredSecret
from propeller.store.sqlite.soundness import damage_inside
from propeller.store.sqlite.store import SqliteStore
from tests.builders import a_group, a_move, a_task, filled_execution, filled_proplet, module_of
from tests.store.conformance import answers
from tests.store.conformance.courses import MODULES
from tests.store.conformance.kinds import ALL, Stores
from tests.store.helpers import SqliteData

KEY = Key("k1", b"f")
#: How many moments of an operation are tried, the first and the last among them.
MOMENTS = 4
WASM = b"a new module"
LONG_AGO = 20_000_000


def a_commit():
    """A commit that writes to every table of the engine; nothing in it is there before."""
    task = a_task(1001, workflow_id="new", module=module_of(WASM), broadcast=True, metadata={"a": "b"})
    return Changes(
        created=[task, a_task(1002)],
        executions=[(task, filled_execution(proplet_id="new"))],
        attempts=[(task, filled_execution(proplet_id="new", attempt=1))],
        past_attempts={"gone": 3},
        groups=[a_group("new", seq=1001, of=[0])],
        proplets=[filled_proplet(id="new")],
        modules={module_of(WASM): WASM},
        transitions=[a_move("t1001")],
        first_event_id=4,
    )


async def forget(store):
    ended = await store.find_ended(LONG_AGO)
    while await store.forget(ended, LONG_AGO):
        pass


PIECES = [LogPiece("t1", "p-1", 1, "stdout", n, "said\n", False, 1) for n in range(3)]
SAMPLES = [Sample(SampleOf.TASK, "t1", f'{{"n":{n}}}') for n in range(3)]
SECRET = StoredSecret("default", "KEY", 1, 5, "ada", "k1", b"wrapped", b"box")
OPERATIONS = {
    "commit": lambda store: store.commit(a_commit()),
    "forget": forget,
    "forget_events": lambda store: store.forget_events(LONG_AGO),
    "forget_unused_modules": lambda store: store.forget_unused_modules(),
    "write_answer": lambda store: store.write_answer(KEY, KeptAnswer(201, "/t", b"{}")),
    "write_samples": lambda store: store.write_samples(SAMPLES, 1),
    "write_logs": lambda store: store.write_logs(PIECES),
    "write_invocations": lambda store: store.write_invocations(
        [Invocation("t1", "i1", "{}"), Invocation("t1", "i2", "{}")]
    ),
    "close_invocations": lambda store: store.close_invocations("it crashed"),
    "write_secret": lambda store: store.write_secret(SECRET._replace(version=2)),
    "delete_secret": lambda store: store.delete_secret("default", "KEY", 7),
    "rewrap_secrets": lambda store: store.rewrap_secrets([SECRET._replace(key_id="k2", wrapped=b"new")]),
    "write_secret_uses": lambda store: store.write_secret_uses(
        [SecretUse("default", "KEY", 1, "t1", attempt, "p-1", 5) for attempt in (1, 2)]
    ),
    "write_pace": lambda store: store.write_pace([PaceStep(n, 1, 2, 3, 4, 5, 6) for n in (1, 2)], 5),
}


async def play(store):
    """Make what the operations are about: ids are those that ``answers`` asks for."""
    over = {"state": COMPLETED, "attempt": 1, "started_at": 5, "finished_at": 10, "updated_at": 10}
    ended = [a_task(n, workflow_id="w1", module=module_of(MODULES[1]), **over) for n in (2, 3, 4)]
    running = a_task(1, state=RUNNING, attempt=1, proplet_id="p-1")
    await store.commit(
        Changes(
            created=[running, *ended],
            groups=[a_group("w1", of=[COMPLETED] * 3, started_at=5, finished_at=10)],
            modules={module_of(data): data for data in MODULES},
            transitions=[a_move("t2", at=5), a_move("t3", at=6)],
            first_event_id=1,
            remembered=[Remembered(KEY, 5)],
        )
    )
    await store.commit(Changes(transitions=[a_move("t1", at=2 * LONG_AGO)], first_event_id=3))
    open_ones = [Invocation("t1", f"o{n}", "{}", is_open=True) for n in range(3)]
    await store.write_invocations(open_ones)
    await store.write_secret(SECRET)


async def ask(store):
    await store.load()
    return await answers.all_of(store, ALL)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    made = Stores(tmp_path_factory.mktemp("crashes"))
    yield made
    made.remove()


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(limits, "SEARCH_S", 30)
    monkeypatch.setattr(limits, "HISTORY_PIECE_S", 30)


def moments(count):
    """Choose moments among so many, spread over all of them."""
    return sorted({1 + (count - 1) * n // (MOMENTS - 1) for n in range(MOMENTS)})


# -- SQLite --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(stores):
    directory = stores.directory("filled")
    SqliteData(directory, durability="normal").with_store(play)
    return directory


def in_child(directory, work, last=0):
    """Do it in a process that dies before the statement with this number; give the number of statements."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child uses none of this process's threads
        pid = os.fork()
    if pid == 0:
        count = 0

        def statement(_):
            nonlocal count
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            work(directory, statement)
            os.write(writing, str(count).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    with os.fdopen(reading) as said:
        return int(said.read() or 0)


def operate(operation):
    def work(directory, statement):
        async def run():
            store = SqliteStore(directory, durability="normal")
            store._writer.set_trace_callback(statement)
            await operation(store)
            store._writer.set_trace_callback(None)

        asyncio.run(run())

    return work


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_program_that_is_killed_at_any_statement(filled, tmp_path, name):
    work = operate(OPERATIONS[name])
    before = SqliteData(shutil.copytree(filled, tmp_path / "before")).with_store(ask)
    whole = shutil.copytree(filled, tmp_path / "whole")
    count = in_child(whole, work)
    after = SqliteData(whole).with_store(ask)
    assert count > 1
    assert after != before, "it does something"
    for moment in moments(count):
        directory = shutil.copytree(filled, tmp_path / str(moment))
        done = in_child(directory, work, moment)
        assert done < moment, "it was killed, or had fewer statements this time"
        found = SqliteData(directory, durability="normal").with_store(ask)
        assert found in (before, after), f"killed before statement {moment} of {count}"
        with contextlib.closing(sqlite3.connect(directory / "propeller.db")) as db:
            assert damage_inside(db, with_records=True) == ""


def test_a_program_that_is_killed_while_it_migrates(tmp_path):
    """The next one goes on where it was."""

    def work(directory, statement):
        connect = sqlite3.connect

        def watched(*words, **options):
            made = connect(*words, **options)
            made.set_trace_callback(statement)
            return made

        sqlite3.connect = watched
        SqliteStore(directory, durability="normal")

    count = in_child(tmp_path / "whole", work)
    for moment in moments(count):
        directory = tmp_path / str(moment)
        assert in_child(directory, work, moment) == 0
        data = SqliteData(directory, durability="normal")
        data.with_store(lambda store: store.commit(a_commit()))
        assert data.with_store(lambda store: store.task("t1001")) is not None


# -- PostgreSQL ----------------------------------------------------------------------------------------------


class Died(BaseException):
    """The program has ended here."""


@pytest.fixture
def statements(monkeypatch):
    """Count the statements of all connections, and cut the connection at one of them as a crash does."""

    class Watch:
        count = 0
        last = 0

    def watched(method):
        async def run(db, *words, **options):
            Watch.count += 1
            if Watch.count == Watch.last:
                db.terminate()
                raise Died
            return await method(db, *words, **options)

        return run

    for name in ("execute", "_execute", "_executemany"):
        monkeypatch.setattr(asyncpg.Connection, name, watched(getattr(asyncpg.Connection, name)))
    return Watch


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_program_that_dies_at_any_statement_to_postgres(stores, statements, name):
    def after(operation, last=0):
        async def crash(store):
            await store.load()
            statements.count, statements.last = 0, last
            with contextlib.suppress(Died):
                await operation(store)
            statements.last = 0
            return statements.count

        data = stores.fresh("postgres")
        try:
            data.with_store(play)
            count = data.with_store(crash)
            found = data.with_store(ask)
            assert asyncio.run(moving.check(data.settings)).damage == ""
            return found, count
        finally:
            data.remove()

    async def nothing(_):
        pass

    before, _ = after(nothing)
    whole, count = after(OPERATIONS[name])
    assert whole != before, "it does something"
    for moment in moments(count):
        found, _ = after(OPERATIONS[name], moment)
        assert found in (before, whole), f"died before statement {moment} of {count}"


def test_a_program_that_dies_while_it_makes_the_tables_of_postgres(stores, statements):
    """All of them are there, or none; the next program makes them."""
    data = stores.fresh("postgres")

    async def emptied():
        async with moving.postgres.connected(data.settings) as db:
            await db.execute("DROP SCHEMA public CASCADE")
            await db.execute("CREATE SCHEMA public")

    async def nothing(_):
        pass

    async def die(last):
        await emptied()
        statements.count, statements.last = 0, last
        store = PostgresStore(data.settings)
        try:
            with contextlib.suppress(Died):
                await store.open(30)
        finally:
            statements.last = 0
            await store.close()
        return statements.count

    try:
        for moment in moments(asyncio.run(die(0))):
            asyncio.run(die(moment))
            assert data.rows() == {}
            data.with_store(lambda store: store.commit(a_commit()))
            assert data.with_store(lambda store: store.task("t1001")) is not None
    finally:
        data.with_store(nothing)
        data.remove()
