"""The graph of a workflow in SQLite: what it costs."""

import contextlib
import json
import sqlite3

from propeller.core.effects import Changes
from propeller.core.model import GroupKind
from propeller.core.states import PENDING
from propeller.store.sqlite.graphs import read_graph
from tests.builders import a_group, a_task
from tests.store.helpers import SqliteData


def _steps(directory, size):
    """Count the steps of SQLite for a fan of so many tasks, beside as many tasks of another workflow."""
    directory.mkdir()
    middle = tuple(f"t{2 * n + 1}" for n in range(1, size))
    tasks = [a_task(2 * n + 1, workflow_id="w", depends_on=("t1",) if n else ()) for n in range(size)]
    tasks += [a_task(2 * n + 2, workflow_id="other") for n in range(size)]
    tasks.append(a_task(2 * size + 1, workflow_id="w", depends_on=middle))
    groups = [a_group("w", of=[PENDING] * (size + 1)), a_group("other", seq=2, of=[PENDING] * size)]

    async def fill(store):
        await store.commit(Changes(created=tasks, groups=groups))

    SqliteData(directory).with_store(fill)
    steps = 0

    def step():
        nonlocal steps
        steps += 1

    with contextlib.closing(sqlite3.connect(directory / "propeller.db", isolation_level=None)) as db:
        db.set_progress_handler(step, 1)
        assert len(json.loads(read_graph(db, GroupKind.WORKFLOW, "w").edges)) == 4 * (size - 1)
    return steps


def test_the_cost_grows_no_faster_than_the_tasks(tmp_path):
    few, many = (_steps(tmp_path / str(size), size) for size in (200, 2000))
    assert many < 11 * few
