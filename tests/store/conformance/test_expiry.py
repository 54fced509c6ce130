"""What ended long ago goes, whole and a little at a time, and nothing else does."""

import asyncio
import time

import pytest

from propeller.core.calendar import ScheduleState
from propeller.core.effects import Changes
from propeller.core.model import GroupKind, GroupTiming, SubWorkflow, Timing
from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING, SKIPPED
from propeller.store import limits
from propeller.store.port import GroupFilter, Invocation, LogFilter, LogPiece, Sample, SampleOf, TaskFilter
from tests.builders import a_group, a_spec, a_task, module_of
from tests.store.helpers import EVERYTHING, ids

THEN = 1000
LONG_AGO = {"state": COMPLETED, "attempt": 2, "started_at": 5, "finished_at": 10, "updated_at": 10}


async def forget_all(store, before=THEN):
    """Forget in pieces; return how many it took."""
    ended, pieces = await store.find_ended(before), 1
    while await store.forget(ended, before):
        pieces += 1
    await store.forget_unused_modules()
    return pieces


def ended_group(name, seq, finished_at=10, **fields):
    return a_group(name, GroupKind.JOB, seq, created_at=1, started_at=5, finished_at=finished_at, **fields)


async def belongings(store, task_id):
    await store.write_logs([LogPiece(task_id, "p", 1, "stdout", 0, "said\n", False, 1)])
    await store.write_samples([Sample(SampleOf.TASK, task_id, "{}")], now=1)
    await store.write_invocations([Invocation(task_id, "i" + task_id, "{}")])


def test_all_that_belongs_to_it_goes(data):
    module = module_of(b"wasm")

    async def work(store):
        tasks = [a_task(n, job_id="g", module=module, **LONG_AGO) for n in (1, 2)]
        single = a_task(3, module=module, **LONG_AGO)
        group = ended_group("g", 1, of=[COMPLETED] * 2)
        await store.commit(Changes(created=[*tasks, single], groups=[group], modules={module: b"wasm"}))
        for task_id in ("t1", "t3"):
            await belongings(store, task_id)
        await forget_all(store)
        page = await store.tasks(0, 10, EVERYTHING)
        again = await store.find(["t1", "t3"], ["g"])
        return page, again

    page, again = data.with_store(work)
    assert (page.total, page.items) == (0, [])
    assert (again.groups, again.tasks) == ([], [])
    assert again.past_attempts == {"t1": 2, "t3": 2}, "a task of the same id goes on from there"
    assert data.rows() == {}


def test_what_is_young_or_runs_or_was_started_again_stays(data):
    async def work(store):
        await store.commit(
            Changes(
                created=[
                    a_task(1, **LONG_AGO),
                    a_task(2, **LONG_AGO | {"finished_at": THEN, "updated_at": THEN}),
                    a_task(3, **LONG_AGO | {"state": RUNNING, "finished_at": 0}),
                    a_task(4, state=PENDING),
                    a_task(5, job_id="old", **LONG_AGO),
                    a_task(6, job_id="half", **LONG_AGO),
                    a_task(7, job_id="half", state=PENDING),
                    a_task(8, job_id="young", **LONG_AGO | {"finished_at": THEN + 1, "updated_at": THEN + 1}),
                    a_task(9, job_id="again", **LONG_AGO),
                    a_task(10, job_id="skipped", state=SKIPPED, updated_at=10),
                    again := a_task(11, **LONG_AGO),
                ],
                groups=[
                    ended_group("old", 1),
                    ended_group("half", 2, of=[COMPLETED, PENDING]),
                    ended_group("young", 3, THEN + 1),
                    restarted := ended_group("again", 4),
                    ended_group("skipped", 5, 0, of=[SKIPPED]),
                    ended_group("failed", 6, of=[FAILED]),
                ],
            )
        )
        ended = await store.find_ended(THEN)
        restarted.counts[COMPLETED], restarted.counts[PENDING] = 0, 1
        again.state = PENDING
        await store.commit(Changes(updated=[again], groups=[restarted]))
        while await store.forget(ended, THEN):
            pass
        groups = await store.groups(GroupKind.JOB, 0, 10, GroupFilter(), tasks_max=0)
        return ids((await store.tasks(0, 20, EVERYTHING)).items), sorted(ids(groups.records.groups))

    tasks, groups = data.with_store(work)
    assert tasks == ["t2", "t3", "t4", "t6", "t7", "t8", "t9", "t11"]
    assert groups == ["again", "half", "young"]


@pytest.mark.parametrize(
    ("course", "stays"),
    [
        (ScheduleState(next_run=5), True),
        (ScheduleState(waiting=[5]), True),
        (ScheduleState(last_run=5, runs=["a"], is_over=True), False),
        (ScheduleState(last_run=5, error='"next_run": 5, "waiting": [5], "is_paused":true'), False),
        (None, False),
    ],
)
def test_what_runs_again_by_itself_stays_and_is_loaded(data, course, stays):
    async def work(store):
        task = a_task(1, timing=Timing(schedule=course), **LONG_AGO)
        group = a_group("g", seq=1, of=[], timing=GroupTiming(schedule=course))
        await store.commit(Changes(created=[task], groups=[group]))
        live = (await store.load()).live
        await forget_all(store)
        found = await store.find(["t1"], ["g"])
        return ids([*live.tasks, *live.groups]), ids([*found.tasks, *found.groups])

    expected = ["t1", "g"] if stays else []
    assert data.with_store(work) == (expected, expected)


@pytest.mark.parametrize(
    ("course", "stays"),
    [
        (ScheduleState(is_paused=True, done_until=5, last_run=4), True),
        (ScheduleState(is_paused=True, done_until=5, error="timezone: there is no zone"), True),
        (ScheduleState(is_paused=True, done_until=5, last_run=4, is_over=True), False),
    ],
)
def test_what_a_user_may_let_run_again_stays_and_is_not_loaded(data, course, stays):
    async def work(store):
        task = a_task(1, timing=Timing(schedule=course), **LONG_AGO)
        group = a_group("g", seq=1, of=[], timing=GroupTiming(schedule=course))
        await store.commit(Changes(created=[task], groups=[group]))
        assert not (await store.load()).live.tasks
        await forget_all(store)
        found = await store.find(["t1"], ["g"])
        return ids([*found.tasks, *found.groups])

    assert data.with_store(work) == (["t1", "g"] if stays else [])


def test_a_large_job_is_gone_at_once_and_deleted_in_small_pieces(data, monkeypatch):
    monkeypatch.setattr(limits, "FORGET_PIECE_S", 0.0005)

    async def work(store):
        tasks = [a_task(n, job_id="g", **LONG_AGO) for n in range(1, 1001)]
        group = ended_group("g", 1, of=[COMPLETED] * 1000)
        await store.commit(Changes(created=[*tasks, a_task(1001)], groups=[group]))
        ended = await store.find_ended(THEN)
        began = time.perf_counter()
        assert await store.forget(ended, THEN), "there is more"
        took = time.perf_counter() - began
        assert await store.group(GroupKind.JOB, "g", tasks_max=1000) is None
        assert await store.task("t500") is None
        page = await store.tasks(0, 10, EVERYTHING)
        of_group = await store.tasks(0, 10, TaskFilter(job_id="g"))
        assert (page.total, ids(page.items), of_group.total, of_group.items) == (1, ["t1001"], 0, [])
        return took

    took = data.with_store(work)
    assert took < 0.5
    assert data.rows()["tasks"] > 500, "most are still to be deleted"

    async def go_on(store):
        """After a crash, say: it is found again, and nobody takes it for damage."""
        return await forget_all(store)

    assert data.with_store(go_on) > 3
    assert set(data.rows()) == {"tasks", "runs"}


def test_a_name_that_is_going_can_be_used_again(data, monkeypatch):
    monkeypatch.setattr(limits, "FORGET_PIECE_S", 0.0005)

    async def work(store):
        tasks = [a_task(n, job_id="g", **LONG_AGO) for n in range(1, 1001)]
        await store.commit(Changes(created=tasks, groups=[ended_group("g", 1, of=[COMPLETED] * 1000)]))
        await store.forget(await store.find_ended(THEN), THEN)
        assert (await store.find(["t900"], ["g"])).past_attempts == {"t900": 2}
        new = a_task(2000, task_id="t900", job_id="g")
        await store.commit(Changes(created=[new], groups=[ended_group("g", 2, of=[PENDING])]))
        await forget_all(store)
        return await store.tasks(0, 10, EVERYTHING)

    page = data.with_store(work)
    assert (page.total, ids(page.items)) == (1, ["t900"])


def cut_off(data, monkeypatch):
    """Let a manager end while it deletes a job of 1000 tasks; more than half of them are still to go."""

    async def work(store):
        tasks = [a_task(n, job_id="g", **LONG_AGO) for n in range(1, 1001)]
        await store.commit(Changes(created=tasks, groups=[ended_group("g", 1, of=[COMPLETED] * 1000)]))
        assert await store.forget(await store.find_ended(THEN), THEN), "there is more"

    with monkeypatch.context() as patch:
        patch.setattr(limits, "FORGET_PIECE_S", 0.0005)
        data.with_store(work)


def test_the_next_start_finishes_what_is_going_though_nothing_is_forgotten_any_more(data, monkeypatch):
    cut_off(data, monkeypatch)
    assert data.rows()["tasks"] > 500

    async def load(store):
        return await store.load()

    assert data.with_store(load).last_task_seq == 0
    assert data.rows() == {}


@pytest.mark.parametrize("names", [(["t900"], []), ([], ["g"])])
def test_whoever_looks_for_a_name_to_use_it_finds_nothing_half_gone(data, monkeypatch, names):
    cut_off(data, monkeypatch)

    async def find(store):
        return await store.find(*names)

    found = data.with_store(find)
    assert (found.groups, found.tasks) == ([], [])
    assert found.past_attempts == dict.fromkeys(names[0], 2)
    assert data.rows() == {}


def test_long_logs_go_in_pieces_too(data, monkeypatch):
    monkeypatch.setattr(limits, "FORGET_PIECE_S", 0.0)
    monkeypatch.setattr(limits, "FORGET_LOG_PIECES", 10)

    async def work(store):
        await store.commit(Changes(created=[a_task(1, **LONG_AGO)]))
        pieces = [LogPiece("t1", "p", 2, "stdout", 10 * n, "0123456789", False, 1) for n in range(100)]
        await store.write_logs(pieces)
        monkeypatch.setattr(limits, "FORGET_PIECE_S", 1e-9)
        ended = await store.find_ended(THEN)
        count = 0
        while await store.forget(ended, THEN):
            count += 1
            monkeypatch.setattr(limits, "FORGET_PIECE_S", 0.0005)
        return count, (await store.logs(LogFilter("t1"), 0, 10)).total

    _, total = data.with_store(work)
    assert total == 0
    assert data.rows() == {}


def test_a_module_stays_while_a_task_has_it_or_gets_it(data):
    shared, lonely, late = (module_of(data) for data in (b"shared", b"lonely", b"late"))

    async def work(store):
        young = a_task(2, module=shared)
        await store.commit(
            Changes(
                created=[a_task(1, module=lonely, **LONG_AGO), young],
                modules={shared: b"shared", lonely: b"lonely", late: b"late"},
            )
        )
        looking = asyncio.create_task(store.forget_unused_modules())
        await asyncio.sleep(0)
        await store.commit(Changes(created=[a_task(3, module=late)], modules={late: b"late"}))
        await looking
        assert set(await store.modules([shared.digest, lonely.digest, late.digest])) == {
            shared.digest,
            lonely.digest,
            late.digest,
        }
        await forget_all(store)
        return set(await store.modules([shared.digest, lonely.digest, late.digest]))

    assert data.with_store(work) == {shared.digest, late.digest}


def test_modules_of_workflows_inside_of_tasks_are_in_use(data):
    inside, deep, alone = module_of(b"inside"), module_of(b"deep"), module_of(b"alone")
    specs = (a_spec("x", module=inside), a_spec("y", workflow=SubWorkflow(specs=(a_spec("z", module=deep),))))
    task = a_task(1, workflow=SubWorkflow(specs=specs))

    async def work(store):
        modules = dict.fromkeys((inside, deep, alone), b"wasm")
        await store.commit(Changes(created=[task], modules=modules))
        await store.forget_unused_modules()
        kept = await store.modules([module.digest for module in modules])
        found = await store.task("t1")
        await store.commit(Changes(deleted=[task]))
        await store.forget_unused_modules()
        return kept.keys(), found.spec, await store.modules([inside.digest, deep.digest])

    assert data.with_store(work) == ({inside.digest, deep.digest}, task.spec, {})


def test_modules_inside_that_come_during_a_search_are_in_use(data):
    inside = module_of(b"inside")
    task = a_task(1, workflow=SubWorkflow(specs=(a_spec("x", module=inside),)))
    assert list(task.spec.modules) == [inside]

    async def work(store):
        await store.commit(Changes(modules={inside: b"wasm"}))
        looking = asyncio.create_task(store.forget_unused_modules())
        await asyncio.sleep(0)
        await store.commit(Changes(created=[task]))
        await looking
        return await store.modules([inside.digest])

    assert data.with_store(work) == {inside.digest: b"wasm"}
