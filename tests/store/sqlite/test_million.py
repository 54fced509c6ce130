"""A store of many tasks that have ended: what is asked of it looks at no more than it shows.

``script/bench --only million`` asks the same of 1,100,000 tasks over HTTP.
"""

import asyncio
import contextlib
import sqlite3
import tracemalloc

import pytest
from bench.large_store import fill

from propeller.core.model import GroupKind
from propeller.core.policy import Policy
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, RUNNING, SCHEDULED
from propeller.manager.service import Manager
from propeller.store.port import EventFilter, GroupFilter, Label, Sought, TaskFilter
from propeller.store.sqlite import expiry, lists, overview, queries, search
from propeller.store.sqlite.events import Search
from propeller.store.sqlite.search import TaskSearch
from propeller.store.sqlite.store import SqliteStore
from tests.store.helpers import rows_of

SIZES = (6_000, 60_000)
LIVE = 6_000
#: The time of the end of all that has ended.
NOW = 1_800_000_000 * 10**9


class Large:
    """A store of a size, with what is in it."""

    def __init__(self, directory, size):
        self.directory = directory
        self.filled = asyncio.run(self._fill(size))

    async def _fill(self, size):
        store = SqliteStore(self.directory, durability="none")
        try:
            return await fill(store, ended=size, live=LIVE, now=NOW)
        finally:
            await store.close()

    def looks(self):
        """Everything that is asked of a store, by name."""
        filled, single = self.filled, self.filled.tasks[0]
        count = filled.ended + filled.live
        pages = {
            "first page": (0, TaskFilter()),
            "deep": (count // 2, TaskFilter()),
            "almost all": (count - 110, TaskFilter()),
            **{f"{state.name}": (0, TaskFilter(state=state)) for state in (PENDING, SCHEDULED, RUNNING)},
            **{f"{state.name}": (0, TaskFilter(state=state)) for state in (COMPLETED, FAILED, INTERRUPTED)},
            "completed, deep": (filled.ended // 2, TaskFilter(state=COMPLETED)),
            "since": (0, TaskFilter(since=filled.middle)),
            "since, failed": (10, TaskFilter(since=filled.middle, state=FAILED)),
            "workflow": (0, TaskFilter(workflow_id=filled.workflow)),
            "workflow, failed": (0, TaskFilter(workflow_id=filled.workflow, state=FAILED)),
            "job": (0, TaskFilter(job_id=filled.job)),
            "few of some metadata": (0, TaskFilter(metadata={"batch": "3", "team": "team-3"})),
            "id": (0, TaskFilter(id_prefix=single[:8])),
            "unknown name": (0, TaskFilter(name="nothing")),
            "name": (0, TaskFilter(name="infer-7")),
            "name, failed": (0, TaskFilter(name="infer-7", state=FAILED)),
            "metadata": (0, TaskFilter(metadata={"team": "team-3"})),
        }
        found = {
            f"{name}, {'newest' if newest else 'oldest'}": (
                lambda db, offset=offset, only=only, newest=newest: lists.read_task_page(
                    db, offset, 100, only, newest_first=newest
                )
            )
            for name, (offset, only) in pages.items()
            for newest in (False, True)
        }
        searches = {
            "search for a name": Sought(text="infer-7"),
            "search for an id": Sought(text=single[:8]),
            "search for nothing": Sought(text="nothing"),
            "search by a proplet": Sought(proplet_id=filled.proplet),
            "search by a state": Sought(TaskFilter(state=FAILED)),
        }
        found |= {
            name: (lambda db, sought=sought: _first_piece(db, sought)) for name, sought in searches.items()
        }
        for kind, of in (
            (GroupKind.WORKFLOW, GroupFilter()),
            (GroupKind.JOB, GroupFilter(state=COMPLETED)),
            (GroupKind.WORKFLOW, GroupFilter(labels=(Label("run", "7"),))),
        ):
            found[f"{kind} {of.state} {of.labels}"] = lambda db, kind=kind, of=of: queries.read_group_page(
                db, kind, 0, 50, of, tasks_max=0
            )
        old = NOW - 10**18
        return found | {
            "a task": lambda db: queries.read_tasks(db, "WHERE t.id = ?", (single,)),
            "totals": overview.read_totals,
            "failures": lambda db: overview.read_failures(db, NOW, 20),
            "nothing is too old": lambda db: expiry.find_ended(db, old),
            "unused modules": lambda db: expiry.ModuleSearch().piece(db),
            "events": lambda db: Search(EventFilter(task_id=filled.recent), 0, 100).piece(db, 100),
        }


def _first_piece(db, sought):
    search.prepare(db)
    one = TaskSearch(sought, 20)
    one.piece(db)
    return one.page(db)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    return [Large(tmp_path_factory.mktemp(f"of-{size}"), size) for size in SIZES]


def _connected(store):
    return contextlib.closing(sqlite3.connect(store.directory / "propeller.db", isolation_level=None))


#: Indices of a few tasks with schedules, and the one of which only the first name is read.
IN_PART = ("INDEX runs_awaited", "INDEX runs_paused", "INDEX tasks_by_name")


def test_nothing_that_is_asked_scans_all_tasks(stores):
    store = stores[-1]
    asked: dict[str, set[str]] = {}
    with _connected(store) as db:
        for name, look in store.looks().items():
            statements = asked[name] = set()
            db.set_trace_callback(statements.add)
            look(db)
            db.set_trace_callback(None)
        scans = [
            f"{name}: {step}: {statement}"
            for name, statements in asked.items()
            for statement in statements
            if statement.startswith(("SELECT", "WITH", "\nWITH", "\nSELECT"))
            for (_, _, _, step) in db.execute(f"EXPLAIN QUERY PLAN {statement}")
            if step.startswith(("SCAN tasks", "SCAN runs", "SCAN t ", "SCAN s ", "SCAN r "))
            and not step.endswith(IN_PART)
        ]
    assert len(asked) > 40
    assert not scans


#: What is counted along an index costs what there is of it, up to a bound; what is rare, a block for each.
COUNTED = ("name, ", "metadata, ", "since, failed", "search by a state")


def test_ten_times_as_many_tasks_make_nothing_dearer(stores):
    costs = []
    for store in stores:
        costs.append({})
        with _connected(store) as db:
            for name, look in store.looks().items():
                if not name.startswith(COUNTED):
                    costs[-1][name] = _cost(db, look)
    few, many = costs
    # Blocks of 256 tasks are counted: to look at the tasks themselves would take more than five steps for each.
    for_blocks = 100 * (SIZES[1] - SIZES[0]) // 256
    dearer = {name: (few[name], many[name]) for name in many if many[name] > 1.3 * few[name] + for_blocks}
    assert not dearer


def _cost(db, look):
    """Count the steps of SQLite's machine, in tens."""
    steps = 0

    def step():
        nonlocal steps
        steps += 1

    db.set_progress_handler(step, 10)
    look(db)
    db.set_progress_handler(None, 10)
    return steps * 10


def test_a_start_takes_memory_for_what_waits_and_none_for_what_has_ended(stores):
    held = []
    for store in stores:

        async def start(directory=store.directory):
            opened = SqliteStore(directory, durability="none")
            try:
                tracemalloc.start()
                manager = Manager(opened, policy=Policy())
                await manager.load()
                return tracemalloc.get_traced_memory()[0]
            finally:
                tracemalloc.stop()
                await opened.close()

        held.append(asyncio.run(start()))
    assert held[1] < 1.1 * held[0]
    assert held[1] / LIVE < 3_000, "bytes for a task that waits"


def test_what_is_too_old_is_found_and_deleted_piece_by_piece_and_its_room_used_again(stores):
    store = stores[0]
    before = NOW + 10**18

    async def forget():
        opened = SqliteStore(store.directory, durability="none")
        try:
            while True:
                ended = await opened.find_ended(before)
                while await opened.forget(ended, before):
                    pass
                if not ended.is_full:
                    return
        finally:
            await opened.close()

    asyncio.run(forget())
    left = rows_of(store.directory)
    assert left["tasks"] == LIVE
    with _connected(store) as db:
        assert db.execute("SELECT COUNT(*) FROM task_blocks").fetchone()[0] <= LIVE // 256 + 2
        assert db.execute("PRAGMA freelist_count").fetchone()[0] > 0
        assert db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
