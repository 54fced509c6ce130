"""The SQLite store: its file, its lock, its versions, and disks that say no."""

import asyncio
import contextlib
import errno
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
import threading

import pytest

from propeller.core.effects import Changes
from propeller.errors import StoreUnusable
from propeller.store.port import TaskFilter
from propeller.store.sqlite import opening
from propeller.store.sqlite.store import SqliteStore
from tests.builders import a_task, filled_task, module_of, stored
from tests.store.helpers import SqliteData


@contextlib.contextmanager
def database(directory):
    with contextlib.closing(sqlite3.connect(directory / "propeller.db")) as db:
        yield db
        db.commit()


def ask(directory, sql):
    with database(directory) as db:
        return db.execute(sql).fetchall()


# -- one module, one row -------------------------------------------------------------------------------------


def test_a_thousand_tasks_share_one_row_that_is_never_rewritten(tmp_path, data):
    content = os.urandom(100_000)
    module = module_of(content)

    async def upload(store):
        await store.commit(Changes(created=[a_task(1, module=module)], modules={module: content}))

    data.with_store(upload)
    with database(tmp_path) as db:
        db.execute(
            "CREATE TRIGGER no_rewrite BEFORE UPDATE ON modules BEGIN SELECT RAISE(FAIL, 'rewritten'); END"
        )
        db.execute("CREATE TRIGGER no_delete BEFORE DELETE ON modules BEGIN SELECT RAISE(FAIL, 'gone'); END")
    size_bytes = (tmp_path / "propeller.db").stat().st_size

    async def more(store):
        for n in range(2, 1001):
            await store.commit(Changes(created=[a_task(n, module=module)], modules={module: content}))
        return await store.modules([module.digest])

    assert data.with_store(more) == {module.digest: content}
    assert ask(tmp_path, "SELECT digest, length(bytes) FROM modules") == [(module.digest, 100_000)]
    assert (tmp_path / "propeller.db").stat().st_size < size_bytes + 1_000_000


# -- versions ------------------------------------------------------------------------------------------------


def test_an_empty_database_of_version_0_is_migrated(tmp_path, data):
    with database(tmp_path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (0,)
        db.execute("PRAGMA journal_mode=WAL")
    task = filled_task()
    data.with_store(lambda store: store.commit(Changes(created=[task])))
    assert ask(tmp_path, "PRAGMA user_version") > [(0,)]
    assert stored(data.with_store(lambda store: store.task(task.id))) == stored(task)


def test_a_migration_that_fails_changes_nothing(tmp_path, data, monkeypatch):
    data.with_store(lambda store: store.commit(Changes(created=[a_task(1)])))
    known = ask(tmp_path, "PRAGMA user_version")[0][0]
    folder = tmp_path / "package" / "migrations"
    folder.mkdir(parents=True)
    for number in range(known):
        (folder / f"{number:04}.sql").write_text("SELECT 'done before';")
    step = folder / f"{known:04}_next.sql"
    step.write_text("ALTER TABLE tasks ADD COLUMN more TEXT; CREATE TABLE tasks (id TEXT);")
    monkeypatch.setattr(opening.resources, "files", lambda _: folder.parent)
    with pytest.raises(StoreUnusable, match="tasks already exists"):
        SqliteStore(tmp_path)
    assert ask(tmp_path, "PRAGMA user_version") == [(known,)]
    assert "more" not in str(ask(tmp_path, "SELECT sql FROM sqlite_master"))
    step.write_text("ALTER TABLE tasks ADD COLUMN more TEXT;")
    assert data.with_store(lambda store: store.task("t1")) is not None
    assert ask(tmp_path, "PRAGMA user_version") == [(known + 1,)]


def test_data_of_a_newer_version_is_refused(tmp_path, data):
    data.with_store(lambda store: store.load())
    known = ask(tmp_path, "PRAGMA user_version")[0][0]
    with database(tmp_path) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(StoreUnusable, match=r"newer version of Propeller \(schema 99"):
        SqliteStore(tmp_path)
    with database(tmp_path) as db:
        db.execute(f"PRAGMA user_version={known}")
    data.with_store(lambda store: store.load())


def test_the_work_does_not_wait_behind_those_who_look(data):
    """Two looks are under way, and others wait: what the engine needs is there at once."""

    async def work(store):
        await store.commit(Changes(created=[a_task(1)]))
        are_over = threading.Event()
        looks = [asyncio.create_task(store._read(lambda _: are_over.wait(30))) for _ in range(4)]
        async with asyncio.timeout(10):
            found = await store.find(["t1"], [])
        assert not any(look.done() for look in looks)
        are_over.set()
        await asyncio.gather(*looks)
        return found.tasks

    assert [task.id for task in data.with_store(work)] == ["t1"]


# -- who may open it -----------------------------------------------------------------------------------------


def test_a_second_opening_is_refused_with_the_process_that_has_it(tmp_path, data):
    async def while_open(store):
        with pytest.raises(StoreUnusable, match=rf"in use by another manager \(process {os.getpid()}\)"):
            SqliteStore(tmp_path)
        await store.commit(Changes(created=[a_task(1)]))

    data.with_store(while_open)
    assert data.with_store(lambda store: store.task("t1")) is not None, "open again once it is closed"


def test_a_file_system_without_locks_is_not_taken_for_another_manager(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(opening.fcntl, "flock", no_locks)
    with pytest.raises(StoreUnusable, match=r"can't be locked: No locks available; .* has no locks") as error:
        SqliteStore(tmp_path)
    assert not isinstance(error.value, opening.StoreInUse)


def test_the_lock_ends_with_its_process(tmp_path, data):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                """
                import pathlib, sys
                from propeller.store.sqlite.store import SqliteStore

                store = SqliteStore(pathlib.Path(sys.argv[1]))
                print("open", flush=True)
                sys.stdin.read()
                """
            ),
            str(tmp_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        try:
            assert holder.stdout.readline() == "open\n"
            with pytest.raises(StoreUnusable, match=rf"process {holder.pid}\)"):
                SqliteStore(tmp_path)
        finally:
            holder.kill()
    data.with_store(lambda store: store.load())


def test_a_directory_is_made_with_its_parents(tmp_path):
    SqliteData(tmp_path / "a" / "b").with_store(lambda store: store.load())
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0, "for its owner alone"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_can_be_no_directory_is_refused_with_a_way_out(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable, match=rf"{place} can't be used: .*--data-dir"):
        SqliteStore(tmp_path / place)
    assert (tmp_path / "file").read_text() == ""


def test_a_directory_without_the_right_to_write_is_refused(tmp_path):
    """Checked in a process that gives up root's right to ignore modes."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o500)
    tmp_path.chmod(0o755)
    done = in_process(
        f"""
        import os
        if os.getuid() == 0:
            import ctypes
            PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
            libc = ctypes.CDLL(None, use_errno=True)
            header = (ctypes.c_uint32 * 2)(0x20080522, 0)
            none = (ctypes.c_uint32 * 6)()
            assert libc.capset(header, none) == 0, ctypes.get_errno()
        try:
            SqliteStore(Path({str(tmp_path / "data")!r}))
        except StoreUnusable as error:
            print(error)
        """
    )
    assert "can't be used: Permission denied" in done
    assert "--data-dir" in done


def test_what_is_no_database_is_refused_and_left_alone(tmp_path):
    garbage = b"this is no database" * 100
    (tmp_path / "propeller.db").write_bytes(garbage)
    with pytest.raises(
        StoreUnusable,
        match=r"propeller\.db can't be read: file is not a database\..* propeller db restore FILE",
    ):
        SqliteStore(tmp_path)
    assert (tmp_path / "propeller.db").read_bytes() == garbage


# -- disks ---------------------------------------------------------------------------------------------------


def in_process(code, **options):
    head = """
        import asyncio, resource, sys
        from pathlib import Path
        from propeller.core.effects import Changes
        from propeller.errors import StoreUnusable
        from propeller.store.sqlite.store import SqliteStore
        from tests.builders import a_task
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk_is_said_clearly_and_costs_nothing_that_was_answered(tmp_path, data):
    """A limit on the size of files stands for the disk: writing fails at some byte of some commit."""
    out = in_process(
        f"""
        async def main():
            store = SqliteStore(Path({str(tmp_path)!r}))
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
            failures = []
            for n in range(1, 200):
                try:
                    await store.commit(Changes(created=[a_task(n, metadata={{"pad": "x" * 5000}})]))
                except StoreUnusable as error:
                    failures.append(n)
                    print(error)
                    if len(failures) == 3:
                        break
                else:
                    assert not failures, "nothing fits any more"
            print(failures[0])
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            await store.commit(Changes(created=[a_task(500)]))
            await store.close()

        asyncio.run(main())
        """,
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        ),
    )
    *messages, first_failed = out.splitlines()
    assert len(messages) == 3
    for message in messages:
        assert "propeller.db can't be read or written" in message
        assert "free space" in message
    assert ask(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    page = data.with_store(lambda store: store.tasks(0, 1000, TaskFilter()))
    assert [task.seq for task in page.items] == [*range(1, int(first_failed)), 500]


def test_a_disk_that_is_full_from_the_start_is_refused(tmp_path, data):
    out = in_process(
        f"""
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        try:
            SqliteStore(Path({str(tmp_path)!r}))
        except StoreUnusable as error:
            print(error)
        """
    )
    assert "can't be read or written" in out
    data.with_store(lambda store: store.load())


def test_killed_while_it_writes_nothing_is_damaged(tmp_path, data):
    """A process that is killed at any moment of its commits leaves all that it said it had committed."""
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                """
                import asyncio, sys
                from pathlib import Path
                from propeller.core.effects import Changes
                from propeller.store.sqlite.store import SqliteStore
                from tests.builders import a_task

                async def main():
                    store = SqliteStore(Path(sys.argv[1]))
                    n = (await store.load()).last_task_seq
                    while True:
                        n += 1
                        await store.commit(Changes(created=[a_task(n, metadata={"pad": "x" * 3000})]))
                        print(n, flush=True)

                asyncio.run(main())
                """
            ),
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with writer:
        for _ in range(100):
            said = int(writer.stdout.readline())
        writer.kill()
        said = int(([str(said), *writer.stdout.read().split("\n")[:-1]])[-1])
    page = data.with_store(lambda store: store.tasks(0, 100_000, TaskFilter()))
    assert len(page.items) in (said, said + 1)
    assert ask(tmp_path, "PRAGMA integrity_check") == [("ok",)]


# -- upkeep --------------------------------------------------------------------------------------------------


def test_a_commit_whose_caller_went_away_is_carried_out(data):
    async def work(store):
        writing = asyncio.create_task(store.commit(Changes(created=[a_task(1)])))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait({writing})
        await store.commit(Changes(created=[a_task(2)]))
        return (await store.tasks(0, 10, TaskFilter())).total

    assert data.with_store(work) == 2
