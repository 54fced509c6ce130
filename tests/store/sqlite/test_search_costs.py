"""A search among tasks in SQLite: what its first page costs, and where it stops."""

import contextlib
import sqlite3

from propeller.core.effects import Changes
from propeller.core.states import FAILED, RUNNING
from propeller.store import limits
from propeller.store.port import Sought, TaskFilter
from propeller.store.sqlite import search
from propeller.store.sqlite.search import TaskSearch
from tests.builders import a_task
from tests.store.conformance.test_search import all_pages
from tests.store.helpers import SqliteData


def test_a_search_that_takes_long_gives_what_it_has_and_goes_on(data, monkeypatch):
    monkeypatch.setattr(limits, "SEARCH_S", 0)
    monkeypatch.setattr(limits, "SEARCH_FIRST_PIECE", 4)
    monkeypatch.setattr(limits, "NAMES_LOOKED_AT_MAX", 1)

    async def work(store):
        await store.commit(
            Changes(created=[a_task(seq, name="rare" if seq == 11 else "f") for seq in range(1, 18)])
        )
        return [await all_pages(store, Sought(text="rare"), newest_first=is_) for is_ in (False, True)]

    assert data.with_store(work) == [[[], [], ["t11"], [], []], [[], ["t11"], [], [], []]]


def _steps(path, sought):
    """Count the steps of SQLite's machine that the first page of a search takes."""
    steps = 0
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        search.prepare(db)

        def step():
            nonlocal steps
            steps += 1

        db.set_progress_handler(step, 1)
        one = TaskSearch(sought, 5)
        one.piece(db)
        one.page(db)
    return steps


RARE = [
    Sought(text="nowhere"),
    Sought(proplet_id="nowhere"),
    Sought(TaskFilter(state=RUNNING), "nowhere"),
    Sought(TaskFilter(state=FAILED)),
    Sought(TaskFilter(job_id="j"), "nowhere"),
    Sought(TaskFilter(metadata={"team": "none"}), "nowhere"),
    Sought(TaskFilter(name="nowhere")),
]


def test_a_piece_costs_the_same_however_many_tasks_there_are(tmp_path):
    costs = []
    for size in (500, 3000):
        directory = tmp_path / str(size)
        directory.mkdir()

        async def fill(store, size=size):
            tasks = [a_task(seq, metadata={"team": "ops"}, proplet_id="p") for seq in range(1, size)]
            await store.commit(Changes(created=tasks))

        SqliteData(directory).with_store(fill)
        costs.append([_steps(directory / "propeller.db", sought) for sought in RARE])
    dearer = {
        sought: pair for sought, *pair in zip(map(str, RARE), *costs, strict=True) if pair[1] > 1.2 * pair[0]
    }
    assert min(costs[0]) > 0
    assert not dearer
