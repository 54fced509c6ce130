"""The store in memory goes with its program, however that ends, and holds up no other."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from propeller.core.effects import Changes
from propeller.errors import StoreUnusable
from propeller.store import memory
from propeller.store.memory import MemoryStore
from tests.builders import a_task


@pytest.fixture(autouse=True)
def base(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_SHARED_MEMORY", tmp_path)
    return tmp_path


def test_it_is_gone_when_it_is_closed(base):
    async def work():
        store = MemoryStore()
        assert store.directory.parent == base
        assert store.directory.stat().st_mode & 0o777 == 0o700
        await store.commit(Changes(created=[a_task(1)]))
        assert (await store.task("t1")).id == "t1"
        await store.close()
        return store.directory

    assert not asyncio.run(work()).exists()
    assert not list(base.iterdir())


def test_what_a_killed_program_left_is_deleted_and_what_runs_is_not(base):
    code = """if True:
        import os, signal, sys
        from pathlib import Path
        from propeller.store import memory
        memory._SHARED_MEMORY = Path(sys.argv[1])
        store = memory.MemoryStore()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", code, str(base)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = base.iterdir()

    async def work():
        first, second = MemoryStore(), MemoryStore()
        there = set(base.iterdir())
        assert there == {first.directory, second.directory}
        await first.close()
        await second.close()
        return there

    assert left not in asyncio.run(work())


def test_where_little_is_free_the_temporary_directory_is_used(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(memory, "_ROOM_BYTES_MIN", 2**80)
    monkeypatch.setattr(memory.tempfile, "tempdir", str(temporary))

    async def work():
        store = MemoryStore()
        assert store.directory.parent == temporary
        await store.close()

    asyncio.run(work())


def test_no_place_at_all_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_SHARED_MEMORY", Path("/none"))
    monkeypatch.setattr(memory.tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(
        StoreUnusable, match="no place to be: No such file or directory; make room in /none or"
    ):
        MemoryStore()
