"""Data of earlier versions: what a migration adds is filled in."""

from propeller.core.failures import Failure
from propeller.core.model import GroupKind
from propeller.core.reasons import Note
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, PENDING, SCHEDULED, SKIPPED
from propeller.store.port import GroupFilter, TaskFilter
from tests.store.helpers import EVERYTHING, write_as_of

FILTERS = (EVERYTHING, TaskFilter(workflow_id="w"), TaskFilter(metadata={"team": "ops"}))


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
