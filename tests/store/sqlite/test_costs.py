"""What a look costs, in steps of SQLite's machine: what it shows, whatever else there is."""

import contextlib
import sqlite3

from propeller.core.effects import Changes
from propeller.core.failures import Failure
from propeller.core.model import GroupKind
from propeller.core.states import COMPLETED, FAILED
from propeller.store.port import GroupFilter, TaskFilter
from propeller.store.sqlite import lists, overview, queries
from tests.builders import a_group, a_task
from tests.store.helpers import SqliteData

LOOKS = {
    "workflows": lambda db: queries.read_group_page(db, GroupKind.WORKFLOW, 0, 5, GroupFilter(), tasks_max=0),
    "jobs that completed": lambda db: queries.read_group_page(
        db, GroupKind.JOB, 0, 5, GroupFilter(COMPLETED), tasks_max=0
    ),
    "a job": lambda db: queries.read_group(db, GroupKind.JOB, "j0", 0),
    "tasks": lambda db: lists.read_task_page(db, 0, 5, TaskFilter()),
    "tasks of a job": lambda db: lists.read_task_page(db, 3, 5, TaskFilter(job_id="j0")),
    "tasks with some metadata": lambda db: lists.read_task_page(
        db, 0, 5, TaskFilter(metadata={"team": "ops"})
    ),
    "totals": overview.read_totals,
    "failures": lambda db: overview.read_failures(db, 0, 5),
    "a portion of a job": lambda db: queries.read_tasks_of_group(
        db, queries.read_groups(db, "WHERE g.id = ?", ("j0",))[0], 0, 5
    ),
}


def _costs(data, directory, size):
    """Count the steps of each look at two groups of this size, and at as many small ones."""
    tasks = [a_task(2 * n + 1, workflow_id="w", metadata={"team": "dev"}) for n in range(size)]
    tasks += [
        a_task(2 * n + 2, job_id="j0", metadata={"team": "ops" if n < 3 else "net"}) for n in range(size)
    ]
    for task in tasks[:7]:
        task.state, task.failure, task.finished_at = FAILED, Failure("it trapped"), task.seq
    groups = [a_group("w", of=[COMPLETED] * size), a_group("j0", GroupKind.JOB, 2, of=[COMPLETED] * size)]
    groups += [a_group(f"j{n}", GroupKind.JOB, 2 + n) for n in range(1, size)]

    async def fill(store):
        await store.commit(Changes(created=tasks, groups=groups))

    data.with_store(fill)
    costs = dict.fromkeys(LOOKS, 0)
    with contextlib.closing(sqlite3.connect(directory / "propeller.db", isolation_level=None)) as db:
        for name, look in LOOKS.items():

            def step(name=name):
                costs[name] += 1

            db.set_progress_handler(step, 1)
            look(db)
    return costs


def test_ten_times_as_many_tasks_and_groups_make_no_look_dearer(tmp_path):
    few, many = (
        _costs(SqliteData(_made(tmp_path / str(size))), tmp_path / str(size), size) for size in (50, 500)
    )
    assert min(few.values()) > 0
    dearer = {name: (few[name], many[name]) for name in LOOKS if many[name] > 1.2 * few[name]}
    assert not dearer


def _made(directory):
    directory.mkdir()
    return directory


def _cost_of_earlier(directory, size):
    """Count the steps of a page of five with earlier runs, where so many runs have each of three names."""
    groups = [
        a_group(f"g{n}", seq=n, name=("", "a", "b", "c")[n % 4], of=[COMPLETED]) for n in range(1, 4 * size)
    ]

    async def fill(store):
        await store.commit(Changes(groups=groups))

    SqliteData(_made(directory)).with_store(fill)
    steps = 0

    def step():
        nonlocal steps
        steps += 1

    with contextlib.closing(sqlite3.connect(directory / "propeller.db", isolation_level=None)) as db:
        db.set_progress_handler(step, 1)
        page = queries.read_group_page(db, GroupKind.WORKFLOW, 0, 5, GroupFilter(), tasks_max=0, earlier=20)
        assert len(page.earlier) == 5
    return steps


def test_ten_times_as_many_runs_of_a_name_make_the_earlier_ones_no_dearer(tmp_path):
    few, many = (_cost_of_earlier(tmp_path / str(size), size) for size in (50, 500))
    assert many <= 1.2 * few
