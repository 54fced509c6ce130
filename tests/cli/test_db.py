"""`propeller db`: check, backup and restore, of a store that is in use and of one that is damaged."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from propeller.core.effects import Changes
from propeller.core.model import GroupKind
from propeller.core.states import COMPLETED, RUNNING
from propeller.errors import StoreUnusable
from propeller.store.port import TaskFilter
from propeller.store.sqlite.backups import back_up, restore
from propeller.store.sqlite.soundness import damage_inside
from propeller.store.sqlite.store import SqliteStore
from tests.builders import a_group, a_move, a_task
from tests.parts.postgres import PASSWORD, USER, Postgres, running


def db(*words, data):
    done = subprocess.run(
        [sys.executable, "-m", "propeller", "db", *map(str, words), "--data-dir", str(data)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return done


@contextlib.asynccontextmanager
async def opened(directory):
    store = SqliteStore(directory)
    try:
        yield store
    finally:
        await store.close()


async def commit(store, *numbers):
    for n in numbers:
        await store.commit(Changes(created=[a_task(n)], transitions=[a_move(f"t{n}")], first_event_id=n))


def with_store(directory, work):
    async def run():
        async with opened(directory) as store:
            return await work(store)

    return asyncio.run(run())


def ids(directory):
    async def look(store):
        return [task.id for task in (await store.tasks(0, 100, TaskFilter())).items]

    return with_store(directory, look)


@pytest.fixture
def data(tmp_path):
    directory = tmp_path / "data"
    with_store(directory, lambda store: commit(store, 1, 2, 3))
    return directory


def test_a_sound_store(data):
    done = db("check", data=data)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"sound: {data}/propeller.db: 3 tasks, 0 workflows and jobs, 3 changes")


def test_a_directory_without_one(tmp_path):
    for words in (["check"], ["backup", tmp_path / "x.db"]):
        done = db(*words, data=tmp_path / "none")
        assert done.returncode == 1
        assert "holds no store; name its directory with --data-dir" in done.stderr
    assert not (tmp_path / "none").exists()


def test_a_store_in_use_is_copied_as_it_is_at_one_moment(tmp_path, data):
    async def work(store):
        await commit(store, 4)
        checked = await asyncio.to_thread(db, "check", "--json", data=data)
        made = await asyncio.to_thread(db, "backup", tmp_path / "copy.db", data=data)
        refused = await asyncio.to_thread(db, "restore", tmp_path / "copy.db", data=data)
        await commit(store, 5)
        return checked, made, refused

    checked, made, refused = with_store(data, work)
    assert json.loads(checked.stdout) | {"held": None} == {
        "path": str(data / "propeller.db"),
        "damage": "",
        "is_in_use": True,
        "held": None,
    }
    assert made.stdout.startswith(f"written: {tmp_path / 'copy.db'}: 4 tasks"), made.stderr
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert refused.returncode == 1
    assert "is in use by another manager" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "data"]
    assert ids(data) == ["t1", "t2", "t3", "t4", "t5"]

    done = db("restore", tmp_path / "copy.db", data=data)
    assert done.stdout.startswith(f"restored: {data / 'propeller.db'}: 4 tasks"), done.stderr
    assert ids(data) == ["t1", "t2", "t3", "t4"]
    before = Path(done.stdout.split("what was there before is in ")[1].strip())
    assert ids(before) == ["t1", "t2", "t3", "t4", "t5"]


def test_a_backup_replaces_no_file(tmp_path, data):
    (tmp_path / "mine").write_text("mine")
    done = db("backup", tmp_path / "mine", data=data)
    assert (done.returncode, (tmp_path / "mine").read_text()) == (1, "mine")
    assert "is there already; name a new file" in done.stderr


def test_a_restored_store_may_lack_what_came_after_the_backup(tmp_path, data):
    """Its mark went aside with it; put in its place by hand, the same file is refused."""
    assert db("backup", tmp_path / "copy.db", data=data).returncode == 0
    with_store(data, lambda store: commit(store, 4))
    shutil.copy(tmp_path / "copy.db", data / "propeller.db")
    with pytest.raises(StoreUnusable, match=r"holds less|is damaged"):
        SqliteStore(data)
    assert db("restore", tmp_path / "copy.db", data=data).returncode == 0
    assert ids(data) == ["t1", "t2", "t3"]


def survives_restore(data, source, moment):
    """Restore in a process that dies before its n-th step on the store's own files; say whether it came through."""
    child = os.fork()
    if not child:
        steps = itertools.count()

        def die(_, words):
            names = [Path(str(word)) for word in words]
            if any(data in (name, name.parent) for name in names) and next(steps) == moment:
                os._exit(9)

        try:
            sys.addaudithook(die)
            restore(data, source)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("end", ["in order", "killed"])
def test_whenever_a_restore_is_killed_the_store_is_refused_or_whole(tmp_path, data, end):
    copy, live, opened = (tmp_path / name for name in ("copy.db", "live", "opened"))
    back_up(data, copy)

    async def go_on(store):
        await commit(store, 4)
        shutil.copytree(data, live)

    with_store(data, go_on)
    seen, came_through = set(), False
    for moment in itertools.count():
        directory = shutil.copytree(data if end == "in order" else live, tmp_path / str(moment))
        came_through = survives_restore(directory, copy, moment)
        shutil.copytree(directory, opened)
        try:
            seen.add(" ".join(ids(opened)))
        except StoreUnusable:
            seen.add("refused")
        shutil.rmtree(opened)
        restore(directory, copy)
        assert ids(directory) == ["t1", "t2", "t3"], "it can be done again"
        if came_through:
            break
    assert seen == {"t1 t2 t3 t4", "refused", "t1 t2 t3"}


class Meddled(sqlite3.Connection):
    """Lets somebody write before each of its queries."""

    meddle = staticmethod(lambda: None)

    def execute(self, *words):
        self.meddle()
        return super().execute(*words)


def test_a_look_sees_one_moment_while_a_manager_works(data):
    """Each commit changes a task and the counts of its job, which are looked at one after the other."""

    async def work(store):
        loop = asyncio.get_running_loop()
        task = a_task(10, job_id="g")
        group = a_group("g", GroupKind.JOB, 1, of=[task.state])
        await store.commit(Changes(created=[task], groups=[group]))
        states = itertools.cycle([RUNNING, COMPLETED])

        async def move():
            group.counts[task.state] -= 1
            task.state = next(states)
            group.counts[task.state] += 1
            await store.commit(Changes(updated=[task], groups=[group]))

        def look():
            path = data / "propeller.db"
            with contextlib.closing(
                sqlite3.connect(path, factory=Meddled, isolation_level=None)
            ) as looked_at:
                looked_at.meddle = lambda: asyncio.run_coroutine_threadsafe(move(), loop).result(10)
                return damage_inside(looked_at, with_records=True)

        return await asyncio.to_thread(look)

    assert with_store(data, work) == ""


def test_a_damaged_store_is_named_so_and_gone_on_with_on_demand(tmp_path, data):
    """Part of the log is lost: the rest can be had, by the words of the message."""

    async def kill(store):
        await commit(store, 4, 5, 6, 7, 8)
        for part in ("", "-wal", "-mark"):
            shutil.copy(data / f"propeller.db{part}", tmp_path / f"propeller.db{part}")

    with_store(data, kill)
    database = tmp_path / "propeller.db"
    log = bytearray(Path(f"{database}-wal").read_bytes())
    log[len(log) // 2] ^= 4
    Path(f"{database}-wal").write_bytes(log)
    done = db("check", data=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{database} can't be read in full: of ")
    assert "write-ahead log" in done.stdout
    refused = db("backup", tmp_path / "copy.db", data=tmp_path)
    assert f"propeller db restore {database}" in refused.stderr
    assert not (tmp_path / "copy.db").exists()
    done = db("restore", database, data=tmp_path)
    assert done.returncode == 0, done.stderr
    left = ids(tmp_path)
    assert left[:3] == ["t1", "t2", "t3"]
    assert len(left) < 8
    assert db("check", data=tmp_path).returncode == 0


@pytest.mark.parametrize("what", ["garbage", "another", "missing", "damaged"])
def test_what_is_no_sound_store_is_not_restored(tmp_path, data, what):
    source = tmp_path / "source"
    if what == "garbage":
        source.write_bytes(b"no database" * 1000)
    elif what == "another":
        with contextlib.closing(sqlite3.connect(source)) as other:
            other.execute("CREATE TABLE x (y)")
    elif what == "damaged":
        shutil.copy(data / "propeller.db", source)
        with source.open("r+b") as file:
            file.truncate(source.stat().st_size // 2)
    done = db("restore", source, data=data)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {source}")
    assert sorted(path.name for path in data.iterdir()) == ["lock", "propeller.db", "propeller.db-mark"]
    assert ids(data) == ["t1", "t2", "t3"]


# -- PostgreSQL ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    with running(Postgres()) as made:
        yield made


@pytest.fixture
def url(server):
    name = server.database()
    yield f"postgresql://{USER}@{server.host}:{server.port}/{name}"
    server.drop(name)


def run_db(*words, **environ):
    """Run a command as a user does; the password is a variable."""
    done = subprocess.run(
        [sys.executable, "-m", "propeller", "db", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"MANAGER_POSTGRES_PASS": PASSWORD} | environ,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_from_sqlite_to_postgres_and_back(data, url, tmp_path):
    done = run_db("copy", data, url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"copied: {data}/propeller.db to PostgreSQL (database test_"), done.stdout
    assert done.stdout.endswith("3 tasks, 3 runs, 3 events\n")
    again = run_db("copy", data, url)
    assert again.returncode == 1
    assert "is not empty: there are rows in tasks, runs, events; name an empty database" in again.stderr
    checked = run_db("check", "--database", url)
    assert checked.stdout.startswith("sound: PostgreSQL (database test_"), checked.stderr
    assert "3 tasks, 0 workflows and jobs, 3 changes" in checked.stdout
    made = run_db("backup", tmp_path / "copy.db", "--database", url, "--json")
    assert json.loads(made.stdout)["tasks"] == 3
    with_store(data, lambda store: commit(store, 4))
    assert db("backup", tmp_path / "more.db", data=data).returncode == 0
    restored = run_db("restore", tmp_path / "more.db", "--database", url)
    assert restored.stdout.startswith("restored: PostgreSQL (database test_"), restored.stderr
    assert f"what was there before is in {tmp_path}/before-restore-" in restored.stdout
    back = run_db("copy", url, tmp_path / "back" / "propeller.db", "--json")
    assert json.loads(back.stdout)["rows"]["tasks"] == 4, back.stderr
    assert ids(tmp_path / "back") == ["t1", "t2", "t3", "t4"]


def test_damage_in_postgres_is_told(data, url, server):
    assert run_db("copy", data, url).returncode == 0
    server.sql("UPDATE events SET transitions = '[7]'", url.rpartition("/")[2])
    found = run_db("check", "--database", url)
    assert found.returncode == 1
    assert "is damaged: event 1 can't be read" in found.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["check", "--database", "mysql://u@h/d"],
            "mysql://…: there are no such databases; write postgresql://",
        ),
        (
            ["check", "--database", "postgresql://u:secret@h/d"],
            "has a password, which everybody on this machine",
        ),
        (["check", "--database", "postgresql://u@h:x/d"], "the database's URL is none"),
        (["check", "--database", "postgresql://u@h/d?sslmode=maybe"], "sslmode=maybe: is none of: disable"),
        (["check", "--database", "postgresql://u@h/d?x=1"], "has x; only sslmode and sslrootcert"),
        (["check", "--database", "postgresql://u@h/d", "--data-dir", "d"], "a store is in one of both"),
        (["check", "--database", "postgresql://u@127.0.0.1:1/d"], "can't be reached"),
        (["copy", __file__, "new"], "is a file, and no propeller.db in a data directory"),
        (["copy", "none", "new"], "none holds no store"),
    ],
)
def test_places_that_are_none_are_told(words, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run_db(*words)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "secret" not in done.stderr


def test_a_wrong_password_is_told_and_not_shown(url):
    done = run_db("check", "--database", url, MANAGER_POSTGRES_PASS="mistaken")
    assert done.returncode == 1
    assert "does not let the user propeller in" in done.stderr
    assert "mistaken" not in done.stderr


def test_an_empty_variable_gives_no_password(url):
    done = run_db("check", "--database", url, MANAGER_POSTGRES_PASS="", PGPASSWORD="mistaken")
    assert "does not let the user propeller in" in done.stderr
    done = run_db("check", "--database", url, MANAGER_POSTGRES_PASS="", PGPASSWORD=PASSWORD)
    assert "holds no store" in done.stderr
