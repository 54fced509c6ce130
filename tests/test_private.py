"""What is kept on disk is for its owner alone, and so is what earlier versions left open."""

import asyncio
import os

import pytest

from propeller import private
from propeller.core.effects import Changes
from propeller.proplet.module_store import ModuleStore
from propeller.proplet.outbox import Outbox
from propeller.store.sqlite.store import SqliteStore


@pytest.fixture(autouse=True)
def open_hearted_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(directory):
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir() if path.is_file()}


async def with_store(directory, look):
    store = SqliteStore(directory)
    try:
        await store.commit(Changes(past_attempts={"t1": 1}))
        look()
    finally:
        await store.close()


def check_store(directory):
    found = modes(directory)
    assert {"propeller.db", "propeller.db-wal", "propeller.db-shm", "lock"} <= found.keys()
    assert set(found.values()) == {0o600}, found


def test_the_files_of_a_store(tmp_path):
    asyncio.run(with_store(tmp_path, lambda: check_store(tmp_path)))
    assert set(modes(tmp_path).values()) == {0o600}


def test_those_of_an_earlier_version_are_mended(tmp_path):
    asyncio.run(with_store(tmp_path, lambda: None))
    for name in ("propeller.db", "lock"):
        (tmp_path / name).chmod(0o644)
    asyncio.run(with_store(tmp_path, lambda: check_store(tmp_path)))


def test_a_log_that_a_killed_manager_left_is_mended(tmp_path):
    for name in ("x.db", "x.db-wal", "x.db-shm"):
        (tmp_path / name).touch(0o644)
    private.database(tmp_path / "x.db")
    assert set(modes(tmp_path).values()) == {0o600}


def test_the_outbox_of_a_proplet(tmp_path):
    (tmp_path / "outbox.db").touch(0o644)

    async def work():
        outbox = Outbox(tmp_path)
        try:
            return modes(tmp_path)
        finally:
            outbox.close()

    assert set(asyncio.run(work()).values()) == {0o600}


def test_modules_lie_in_a_directory_that_only_the_owner_may_enter(tmp_path):
    ModuleStore(tmp_path / "data")
    assert (tmp_path / "data" / "modules").stat().st_mode & 0o777 == 0o700


def test_a_directory_that_was_there_keeps_its_mode(tmp_path):
    (tmp_path / "mine").mkdir(0o755)
    private.make_directory(tmp_path / "mine")
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o755


def test_a_new_one_is_closed_with_those_above_it(tmp_path):
    private.make_directory(tmp_path / "a" / "b")
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700, 0o700]
