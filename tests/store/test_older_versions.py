"""Stores that an earlier version wrote, and that no manager of this one has opened yet."""

import asyncio
import contextlib
import sqlite3

import pytest

from propeller.errors import StoreUnusable
from propeller.store import moving
from propeller.store.sqlite import backups
from propeller.store.sqlite.opening import lock_directory
from tests.store.helpers import EVERYTHING, SqliteData, ids, write_as_of

TASK = "INSERT INTO tasks VALUES (?,?,NULL,NULL,0,?)"
RUN = (
    "INSERT INTO runs (seq, state, attempt, losses, proplet_id, placed_at, started_at, finished_at, "
    "updated_at, error, reason) VALUES (?,3,1,0,'p',0,1,2,0,'','')"
)


@pytest.fixture(params=(9, 20, 24))
def version(request):
    return request.param


@pytest.fixture
def older(version, tmp_path):
    directory = tmp_path / "older"
    directory.mkdir()
    tasks = [(TASK, (seq, f"t{seq}", f'{{"id":"t{seq}","name":"f"}}')) for seq in (1, 2, 3)]
    write_as_of(version, directory / "propeller.db", [*tasks, *((RUN, (seq,)) for seq in (1, 2, 3))])
    return directory


def tasks_in(directory):
    async def work(store):
        return ids((await store.tasks(0, 9, EVERYTHING)).items)

    return SqliteData(directory).with_store(work)


def version_of(database):
    with contextlib.closing(sqlite3.connect(database)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.parametrize("is_in_use", [False, True])
def test_it_is_sound_and_is_backed_up_before_an_upgrade(older, version, tmp_path, is_in_use):
    with contextlib.closing(lock_directory(older)) if is_in_use else contextlib.nullcontext():
        found = backups.check(older)
        assert (found.damage, found.is_in_use) == ("", is_in_use)
        assert backups.back_up(older, tmp_path / "backup.db").tasks == 3
    assert version_of(older / "propeller.db") == version
    assert backups.restore(tmp_path / "new", tmp_path / "backup.db").held.tasks == 3
    assert tasks_in(tmp_path / "new") == ["t1", "t2", "t3"]


def test_damage_of_its_pages_is_found(older, tmp_path):
    database = older / "propeller.db"
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 4] = bytes(4096)
    database.write_bytes(content)
    assert "is damaged" in backups.check(older).damage
    with pytest.raises(StoreUnusable, match="is damaged"):
        backups.back_up(older, tmp_path / "backup.db")


def test_a_copy_of_it_is_of_this_version_and_it_stays_as_it_is(older, version, tmp_path):
    copied = asyncio.run(moving.copy(older, tmp_path / "new"))
    assert copied.rows["tasks"] == copied.rows["runs"] == 3
    assert tasks_in(tmp_path / "new") == ["t1", "t2", "t3"]
    assert version_of(older / "propeller.db") == version


def test_one_of_a_newer_version_is_not_copied(older, tmp_path):
    with contextlib.closing(sqlite3.connect(older / "propeller.db")) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(StoreUnusable, match=r"newer version of Propeller \(schema 99"):
        asyncio.run(moving.copy(older, tmp_path / "new"))
    assert not [*(tmp_path / "new").glob("propeller.db*")]
