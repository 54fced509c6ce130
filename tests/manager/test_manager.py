"""The manager at work: nothing is answered, sent or told before it is durable, and nothing is lost after."""

import asyncio

import pytest
from tests.builders import a_spec
from tests.manager.helpers import MODULE, at_site, until

from propeller.core.effects import SendAck
from propeller.core.events import (
    CreateTasks,
    DeleteTask,
    NewGroup,
    StartGroup,
    StartTask,
    StopTask,
    UpdateTask,
)
from propeller.core.model import GroupKind, JobMode
from propeller.core.policy import Policy
from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING, SCHEDULED
from propeller.errors import Conflict, Invalid, NotFound, StoreUnusable
from propeller.store.port import TaskFilter


def create(*task_ids, **fields):
    return CreateTasks(specs=tuple(a_spec(task_id, module=MODULE, **fields) for task_id in task_ids))


def workflow(group_id, *task_ids):
    specs = tuple(a_spec(task_id, module=MODULE, workflow_id=group_id) for task_id in task_ids)
    return CreateTasks(specs=specs, group=NewGroup(id=group_id, kind=GroupKind.WORKFLOW))


# -- commit first --------------------------------------------------------------------------------------------


def test_nothing_is_answered_sent_or_told_before_the_commit(tmp_path):
    async def work(site):
        site.bring_proplet()
        await site.manager.ask(create("a", inputs=(1,)), {MODULE: b"m"})
        follower = site.manager.feed.follow()
        told = asyncio.create_task(anext(follower))
        site.store.gate.clear()
        answer = asyncio.create_task(site.manager.ask(StartTask("a")))
        await site.held_up()
        # Whatever could run meanwhile does.
        for _ in range(20):
            await asyncio.sleep(0)
        assert not answer.done()
        assert not told.done()
        assert site.fleet.starts == []
        assert site.manager.feed.last_id == 0
        assert (await site.store.task("a")).state is PENDING, "reads show what is committed"
        site.store.gate.set()
        await answer
        number, move = await told
        assert (number, move.task_id, move.state) == (1, "a", SCHEDULED)
        assert [start.spec.id for start in site.fleet.starts] == ["a"]
        await site.reached(COMPLETED, "a")
        await follower.aclose()

    at_site(tmp_path, work)


def test_the_end_of_a_run_is_acknowledged_only_when_it_is_durable(tmp_path):
    async def work(site):
        site.fleet.is_quick = False
        site.bring_proplet()
        await site.manager.ask(create("a"))
        await site.manager.ask(StartTask("a"))
        await until(lambda: site.fleet.starts)
        site.store.gate.clear()
        site.fleet.end(site.fleet.starts[0])
        await site.held_up()
        assert not [effect for effect in site.fleet.sent if isinstance(effect, SendAck)]
        assert (await site.store.task("a")).state is RUNNING
        site.store.gate.set()
        await site.reached(COMPLETED, "a")
        assert [effect for effect in site.fleet.sent if isinstance(effect, SendAck)] == [SendAck("p", "a", 1)]

    at_site(tmp_path, work)


def test_an_answer_can_be_read_back_at_once(tmp_path):
    async def work(site):
        for n in range(20):
            (answered,) = await site.manager.ask(create(f"t{n}"))
            found = await site.store.task(f"t{n}")
            assert (found.spec, found.created_at) == (answered.spec, answered.created_at)

    at_site(tmp_path, work)


def test_an_answer_is_a_copy(tmp_path):
    """What happens to the task later does not show in an answer that was given before."""

    async def work(site):
        (answered,) = await site.manager.ask(create("a"))
        site.bring_proplet()
        await site.manager.ask(StartTask("a"))
        await site.reached(COMPLETED, "a")
        assert (answered.state, answered.attempt) == (PENDING, 0)

    at_site(tmp_path, work)


def test_a_refused_command_changes_nothing_and_stores_no_module(tmp_path):
    async def work(site):
        commits = len(site.store.commits)
        with pytest.raises(Invalid):
            await site.manager.ask(create("a", "a"), {MODULE: b"m"})
        with pytest.raises(NotFound):
            await site.manager.ask(StartTask("a"))
        assert await site.store.modules([MODULE.digest]) == {}
        assert [changes for changes in site.store.commits[commits:] if changes.created] == []
        assert await site.store.task("a") is None

    at_site(tmp_path, work)


def test_a_refusal_among_others_is_for_its_sender_alone(tmp_path):
    async def work(site):
        asks = [create("a"), StartTask("none"), create("b"), StopTask("a"), DeleteTask("a"), create("c")]
        answers = await asyncio.gather(*map(site.manager.ask, asks), return_exceptions=True)
        kinds = [type(answer) for answer in answers]
        assert kinds == [list, NotFound, list, list, list, list]
        page = await site.store.tasks(0, 10, TaskFilter())
        assert [task.id for task in page.items] == ["b", "c"]

    at_site(tmp_path, work)


# -- together ------------------------------------------------------------------------------------------------


def test_what_arrives_together_is_committed_together(tmp_path):
    async def work(site):
        await site.manager.ask(create("first"))
        before = len(site.store.commits)
        await asyncio.gather(*(site.manager.ask(create(f"t{n}")) for n in range(100)))
        assert len(site.store.commits) - before <= 2
        assert (await site.store.tasks(0, 1, TaskFilter())).total == 101

    at_site(tmp_path, work)


def test_what_arrives_during_a_commit_is_committed_together_with_the_next(tmp_path):
    async def work(site):
        site.store.gate.clear()
        asks = [asyncio.create_task(site.manager.ask(create("t0")))]
        await site.held_up()
        asks += [asyncio.create_task(site.manager.ask(create(f"t{n}"))) for n in range(1, 100)]
        await asyncio.sleep(0)
        site.store.gate.set()
        await asyncio.gather(*asks)
        assert [len(changes.created) for changes in site.store.commits if changes.created] == [1, 99]

    at_site(tmp_path, work)


def test_a_fan_out_that_ends_together_is_few_commits(tmp_path):
    async def work(site):
        site.bring_proplet(slots=500)
        tasks = [f"t{n}" for n in range(500)]
        await site.manager.ask(workflow("w", *tasks))
        before = len(site.store.commits)
        await site.manager.ask(StartGroup(GroupKind.WORKFLOW, "w"))
        await site.reached(COMPLETED, *tasks)
        assert len(site.store.commits) - before <= 5

    at_site(tmp_path, work)


def test_nothing_is_committed_while_nothing_happens(tmp_path):
    async def work(site):
        await site.manager.ask(create("a"))
        commits = len(site.store.commits)
        for _ in range(3):
            with pytest.raises(NotFound):
                await site.manager.ask(StartTask("none"))
        assert len(site.store.commits) == commits

    at_site(tmp_path, work)


# -- what has ended is let go, and found again ---------------------------------------------------------------


def test_commands_reach_what_is_no_longer_in_memory(tmp_path):
    async def work(site):
        site.bring_proplet()
        await site.manager.ask(workflow("w", "a", "b"))
        await site.manager.ask(StartGroup(GroupKind.WORKFLOW, "w"))
        await site.manager.ask(create("single"))
        await site.manager.ask(StartTask("single"))
        await site.reached(COMPLETED, "a", "b", "single")
        state = site.manager._state
        assert (state.groups, state.tasks) == ({}, {}), "what has ended costs no memory"
        finds = site.store.finds
        await site.manager.ask(StartTask("single"))
        await site.manager.ask(UpdateTask("a", {"priority": 90}))
        await site.manager.ask(StartGroup(GroupKind.WORKFLOW, "w"))
        assert site.store.finds > finds
        await until(lambda: len(site.fleet.starts) == 6)
        with pytest.raises(Conflict):
            await site.manager.ask(CreateTasks(specs=(a_spec("a"),), chosen_ids=("a",)))
        await until(lambda: (state.groups, state.tasks) == ({}, {}))
        found = await site.store.group(GroupKind.WORKFLOW, "w", tasks_max=9)
        assert [(task.attempt, task.state, task.spec.priority) for task in found.tasks] == [
            (2, COMPLETED, 90),
            (2, COMPLETED, 0),
        ]
        assert found.groups[0].counts == [0, 0, 0, 2, 0, 0, 0, 0]

    at_site(tmp_path, work)


def test_restart_goes_on_where_the_last_manager_stopped(tmp_path):
    async def first(site):
        site.fleet.is_quick = False
        site.bring_proplet(slots=1)
        specs = tuple(a_spec(f"j{n}", module=MODULE, job_id="j", inputs=(n,)) for n in range(3))
        group = NewGroup(id="j", kind=GroupKind.JOB, mode=JobMode.SEQUENTIAL)
        await site.manager.ask(CreateTasks(specs=specs, group=group))
        await site.manager.ask(StartGroup(GroupKind.JOB, "j"))
        await until(lambda: site.fleet.starts)
        site.fleet.end(site.fleet.starts[0])
        await site.reached(RUNNING, "j1")

    async def second(site):
        site.bring_proplet(slots=1)  # the same boot: it runs j1 still, and reports its end now
        assert (await site.store.task("j1")).state is RUNNING
        site.manager.tell(run_ended("j1", attempt=1))
        await site.reached(COMPLETED, "j0", "j1", "j2")
        page = await site.store.tasks(0, 9, TaskFilter(job_id="j"))
        return [(task.results, task.attempt) for task in page.items]

    at_site(tmp_path, first)
    assert at_site(tmp_path, second) == [("0", 1), ("late", 1), ("2", 1)]


def run_ended(task_id, attempt):
    from propeller.core.events import RunEnded

    return RunEnded(proplet_id="p", task_id=task_id, attempt=attempt, results="late")


def test_failures_of_runs_are_told_with_their_reason(tmp_path):
    async def work(site):
        site.fleet.is_quick = False
        site.bring_proplet()
        await site.manager.ask(create("a"))
        await site.manager.ask(StartTask("a"))
        await until(lambda: site.fleet.starts)
        site.fleet.end(site.fleet.starts[0], error="it trapped")
        await site.reached(FAILED, "a")
        found = await site.store.task("a")
        assert (found.state, found.error) == (FAILED, "it trapped")

    at_site(tmp_path, work, policy=Policy(losses_max=0))


# -- askers and stores that go away --------------------------------------------------------------------------


def test_an_asker_that_goes_away_harms_nobody(tmp_path):
    async def work(site):
        site.store.gate.clear()
        going = asyncio.create_task(site.manager.ask(create("a")))
        staying = asyncio.create_task(site.manager.ask(create("b")))
        await site.held_up()
        refused = asyncio.create_task(site.manager.ask(StartTask("none")))
        await asyncio.sleep(0)
        going.cancel()
        refused.cancel()
        await asyncio.wait({going, refused})
        site.store.gate.set()
        assert [task.id for task in await staying] == ["b"]
        assert await site.manager.ask(create("c"))
        assert await site.store.task("a") is not None, "accepted is accepted"

    at_site(tmp_path, work)


def test_a_store_that_fails_ends_the_manager_and_nothing_is_answered_by_mistake(tmp_path):
    async def work(site):
        site.bring_proplet()
        await site.manager.ask(create("a"))
        site.store.gate.clear()
        caught = asyncio.create_task(site.manager.ask(StartTask("a")))
        await site.held_up()
        waiting = asyncio.create_task(site.manager.ask(create("b")))
        await asyncio.sleep(0)
        site.store.is_broken = True
        site.store.gate.set()
        for ask in (caught, waiting):
            with pytest.raises(StoreUnusable):
                await ask
        with pytest.raises(StoreUnusable, match="disk is full"):
            await site.manager.running
        with pytest.raises(StoreUnusable, match="stopping because its store failed"):
            await site.manager.ask(create("c"))
        assert site.fleet.starts == []
        assert site.manager.feed.last_id == 0
        assert (await site.store.task("a")).state is PENDING

    at_site(tmp_path, work)


def test_what_arrived_before_the_stop_is_answered_and_what_comes_after_is_refused(tmp_path):
    async def work(site):
        asks = [asyncio.create_task(site.manager.ask(create(f"t{n}"))) for n in range(3)]
        await asyncio.sleep(0)
        await site.manager.stop()
        assert [[task.id for task in ask.result()] for ask in asks] == [["t0"], ["t1"], ["t2"]]
        with pytest.raises(StoreUnusable, match="stopped"):
            await site.manager.ask(create("late"))

    at_site(tmp_path, work)
