"""How many records there are, and which tasks failed last."""

from propeller.core.effects import Changes
from propeller.core.failures import Failure
from propeller.core.model import GroupKind
from propeller.core.states import COMPLETED, FAILED, PENDING
from propeller.store.port import Ended
from tests.builders import a_group, a_task
from tests.store.helpers import ids


def _failed(seq, at, **fields):
    task = a_task(seq, **fields)
    task.state, task.failure, task.finished_at = FAILED, Failure("it trapped"), at
    return task


def test_records_are_counted_by_state(data):
    async def work(store):
        before = await store.totals()
        groups = [
            a_group("w", of=[PENDING]),
            a_group("v", seq=2, of=[FAILED]),
            a_group("j", GroupKind.JOB, 3, of=[PENDING]),
        ]
        tasks = [a_task(1, workflow_id="w"), a_task(2, workflow_id="v"), a_task(3, job_id="j"), a_task(4)]
        await store.commit(Changes(created=tasks, groups=groups))
        return before, await store.totals()

    before, after = data.with_store(work)
    assert before.tasks == 0
    assert {count for counts in before.groups.values() for count in counts.values()} == {0}
    assert after.tasks == 4
    counts = {kind: {state: n for state, n in of.items() if n} for kind, of in after.groups.items()}
    assert counts == {GroupKind.WORKFLOW: {PENDING: 1, FAILED: 1}, GroupKind.JOB: {PENDING: 1}}


def test_failed_tasks_come_by_their_end_and_leave_when_they_run_again(data):
    async def work(store):
        tasks = [_failed(1, 30), _failed(2, 10), _failed(3, 20), _failed(4, 20), a_task(5)]
        tasks[4].state, tasks[4].finished_at = COMPLETED, 40
        await store.commit(Changes(created=tasks))
        pages = [await store.failures(0, 9), await store.failures(20, 2), await store.failures(31, 9)]
        tasks[0].state, tasks[0].failure, tasks[0].finished_at = PENDING, None, 0
        await store.commit(Changes(updated=[tasks[0]]))
        await store.commit(Changes(deleted=[tasks[1]]))
        return [*pages, await store.failures(0, 9)]

    pages = data.with_store(work)
    assert [(page.total, ids(page.items)) for page in pages] == [
        (4, ["t1", "t4", "t3", "t2"]),
        (3, ["t1", "t4"]),
        (0, []),
        (2, ["t4", "t3"]),
    ]


def test_failed_tasks_that_are_being_deleted_are_not_shown(data):
    async def work(store):
        tasks = [_failed(seq, seq, workflow_id="w") for seq in range(1, 2000)]
        groups = [a_group("w", of=[FAILED] * len(tasks), finished_at=1)]
        await store.commit(Changes(created=[*tasks, _failed(3000, 1)], groups=groups))
        assert (await store.failures(0, 0)).total == 2000
        ended = await store.find_ended(10**18)
        assert await store.forget(Ended(ended.groups, [], is_full=False), 10**18), "there is more"
        return await store.failures(0, 9)

    found = data.with_store(work)
    assert (found.total, ids(found.items)) == (1, ["t3000"])
