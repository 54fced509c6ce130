"""`propeller up` with a store in memory: all works, and nothing stays."""

from pathlib import Path

import psutil
import pytest

from tests.e2e.local.harness import ADDITION, ENDED, System
from tests.waiting import until

IN_MEMORY = ("--storage-type", "memory")


def store_of(system):
    opened = {Path(file.path) for file in psutil.Process(system.process.pid).open_files()}
    (database,) = (path for path in opened if path.name == "propeller.db")
    return database.parent


@pytest.fixture
def system(tmp_path):
    made = System(tmp_path / "data")
    yield made
    made.clean_up()


def test_a_store_in_memory_leaves_nothing(system, tmp_path):
    system.flags = IN_MEMORY
    system.up()
    task = {"name": "main", "file": ADDITION, "inputs": [10, 20]}
    name = system.call("POST", "/tasks", task)["id"]
    system.call("POST", f"/tasks/{name}/start")
    until(lambda: system.call("GET", f"/tasks/{name}")["state"] == ENDED)
    first = store_of(system)
    assert tmp_path not in first.parents
    system.kill()
    assert first.exists()
    system.up()
    assert system.call("GET", "/tasks")["total"] == 0
    assert not first.exists(), "who starts deletes what one that was killed has left"
    second = store_of(system)
    assert system.stop() == 0
    assert not second.exists()
    assert not list((tmp_path / "data").rglob("propeller.db*"))
