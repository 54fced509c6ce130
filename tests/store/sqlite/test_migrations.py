"""Data of earlier versions: what a migration adds is filled in."""

import contextlib
import sqlite3

from propeller.core.failures import Failure
from propeller.core.model import GroupKind
from propeller.core.reasons import Note
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, SCHEDULED, SKIPPED
from propeller.store.port import GroupFilter, Label, TaskFilter
from propeller.store.sqlite.opening import _steps
from propeller.store.sqlite.store import SqliteStore
from propeller.store.tables import TABLES
from tests.store.conformance.test_totals import COUNT, filled
from tests.store.helpers import EVERYTHING, SqliteData, ids, write_as_of

FILTERS = (EVERYTHING, TaskFilter(workflow_id="w"), TaskFilter(metadata={"team": "ops"}))

#: Of the tasks; earlier versions did not have them.
NEW_COLUMNS = ("namespace", "created_by", "ran")


def test_reasons_and_errors_keep_their_words(tmp_path, data):
    reason, error = 'its parent "a" failed', "it trapped"
    lost = "attempt 1 was lost: proplet p went offline; run again (1 of 5)"
    task = "INSERT INTO tasks VALUES (?,?,NULL,NULL,0,?)"
    run = "INSERT INTO runs VALUES (?,?,1,0,'p',0,1,2,0,NULL,?,?,0,0,0)"
    write_as_of(
        13,
        tmp_path / "propeller.db",
        [
            *((task, (seq, f"t{seq}", f'{{"id":"t{seq}","name":"f"}}')) for seq in (1, 2, 3, 4, 5)),
            (run, (1, SKIPPED, "", reason)),
            (run, (2, FAILED, error, "")),
            (run, (3, COMPLETED, "", "")),
            # What it waits for is said anew at each look; why it runs again is not.
            (run, (4, SCHEDULED, "", "waits for a proplet: none is alive")),
            (run, (5, SCHEDULED, "", lost)),
            ("INSERT INTO executions VALUES (2,'p',1,4,NULL,?,1,2)", (error,)),
        ],
    )

    async def work(store):
        return (await store.tasks(0, 9, EVERYTHING)).items, await store.executions("t2")

    tasks, executions = data.with_store(work)
    assert [(task.failure, task.reason) for task in tasks] == [
        (None, Note(reason)),
        (Failure(error), None),
        (None, None),
        (None, None),
        (None, Note(lost)),
    ]
    assert [execution.failure for execution in executions] == [Failure(error)]


def test_groups_get_their_times_and_lists_their_totals(tmp_path, data):
    run = "INSERT INTO runs VALUES (?,?,1,0,'',0,?,?,0,NULL,'','',0,0,0)"
    task = "INSERT INTO tasks VALUES (?,?,?,?,0,?)"
    group = "INSERT INTO groups VALUES (?,?,?,'',NULL,?,?,?,1,0)"
    spec = '{"id":"%s","name":"f","workflow_id":"%s"}'
    write_as_of(
        9,
        tmp_path / "propeller.db",
        [
            (group, (1, "w", "workflow", 2, 1, "[1,0,0,2,0,0,0,0]")),
            (group, (2, "idle", "workflow", 0, 1, "[1,0,0,0,0,0,0,0]")),
            (group, (3, "j", "job", 3, 0, "[0,0,0,1,0,0,0,0]")),
            *((task, (seq, f"t{seq}", "w", None, spec % (f"t{seq}", "w"))) for seq in (1, 2, 3)),
            (task, (4, "t4", "idle", None, spec % ("t4", "idle"))),
            (task, (5, "t5", None, "j", '{"id":"t5","name":"f","job_id":"j","metadata":{"team":"ops"}}')),
            *((run, (seq, 3, began, began + 9)) for seq, began in ((1, 50), (2, 40), (5, 7))),
            *((run, (seq, 0, 0, 0)) for seq in (3, 4)),
        ],
    )

    async def work(store):
        pages = [await store.groups(kind, 0, 9, GroupFilter(), tasks_max=0) for kind in GroupKind]
        done = await store.groups(GroupKind.JOB, 0, 9, GroupFilter(COMPLETED), tasks_max=0)
        waiting = await store.groups(GroupKind.WORKFLOW, 0, 9, GroupFilter(PENDING), tasks_max=0)
        totals = [(await store.tasks(0, 1, only)).total for only in FILTERS]
        return pages, [page.total for page in (done, waiting)], totals

    pages, by_state, totals = data.with_store(work)
    assert [page.total for page in pages] == [2, 1]
    times = {
        group.id: (group.started_at, group.finished_at) for page in pages for group in page.records.groups
    }
    assert times == {"w": (40, 59), "idle": (0, 0), "j": (7, 16)}
    assert (by_state, totals) == ([1, 1], [5, 3, 1])


def test_groups_that_were_interrupted_are_told_from_those_that_failed(tmp_path, data):
    group = "INSERT INTO groups (seq, id, kind, name, state, live, counts, created_at) VALUES (?,?,'job','',4,0,?,1)"
    counts = {"both": "[0,0,0,1,1,0,1,0]", "interrupted": "[0,0,0,1,0,0,1,0]", "failed": "[0,0,0,0,2,0,0,0]"}
    rows = [(group, (seq, *item)) for seq, item in enumerate(counts.items(), 1)]
    write_as_of(17, tmp_path / "propeller.db", rows)

    async def work(store):
        found = {}
        for state in (FAILED, INTERRUPTED):
            page = await store.groups(GroupKind.JOB, 0, 9, GroupFilter(state), tasks_max=0)
            found[state] = (page.total, [group.id for group in page.records.groups])
        return found

    assert data.with_store(work) == {FAILED: (2, ["both", "failed"]), INTERRUPTED: (1, ["interrupted"])}


def test_tasks_are_counted_by_blocks(tmp_path, data):
    SqliteData(tmp_path / "new").with_store(filled)
    names = [[name for name in table.columns if name not in NEW_COLUMNS] for table in TABLES[:2]]
    moved = [
        f"INSERT INTO {table.name} ({', '.join(known)}) SELECT {', '.join(known)} FROM new.{table.name}"
        for table, known in zip(TABLES, names, strict=False)
    ]
    write_as_of(
        24,
        tmp_path / "propeller.db",
        [
            ("ATTACH ? AS new", (str(tmp_path / "new/propeller.db"),)),
            *((sql, ()) for sql in moved),
        ],
    )
    data.with_store(SqliteStore.load)

    def blocks(path):
        with contextlib.closing(sqlite3.connect(path / "propeller.db")) as db:
            return db.execute("SELECT * FROM task_blocks ORDER BY block").fetchall()

    assert sum(sum(row[3:]) for row in blocks(tmp_path)) == COUNT
    assert blocks(tmp_path) == blocks(tmp_path / "new")


def test_what_is_behind_a_nul_is_read_anew(tmp_path, data):
    task = "INSERT INTO tasks VALUES (?,?,NULL,NULL,0,?)"
    run = (
        "INSERT INTO runs (seq, state, attempt, losses, proplet_id, placed_at, started_at, finished_at, updated_at, "
        "error, reason) VALUES (?,0,0,0,'',0,0,0,0,'','')"
    )
    group = (
        "INSERT INTO groups (seq, id, kind, name, state, live, counts, created_at, definition) "
        "VALUES (?,?,'workflow','',0,0,'[1,0,0,0,0,0,0,0]',1,?)"
    )
    write_as_of(
        26,
        tmp_path / "propeller.db",
        [
            (task, (1, "t1", r'{"id":"t1","name":"a\u0000b","metadata":{"team":"a\u0000b"}}')),
            (task, (2, "t2", '{"id":"t2","name":"a","metadata":{"team":"a"}}')),
            (run, (1,)),
            (run, (2,)),
            (group, (1, "w1", r'{"labels":{"team":"a\u0000b"}}')),
            (group, (2, "w2", '{"labels":{"team":"a"}}')),
        ],
    )

    async def work(store):
        for seq, text in ((2, "a"), (1, "a\0b")):
            for only in (TaskFilter(name=text), TaskFilter(metadata={"team": text})):
                assert ids((await store.tasks(0, 9, only)).items) == [f"t{seq}"], only
            only = GroupFilter(labels=(Label("team", text),))
            page = await store.groups(GroupKind.WORKFLOW, 0, 9, only, tasks_max=0)
            assert ids(page.records.groups) == [f"w{seq}"], only

    data.with_store(work)


def test_no_two_have_the_same_number():
    names = sorted(step.name for step in _steps())
    numbers = [name.partition("_")[0] for name in names]
    assert len({*numbers}) == len(numbers), names[-4:]
