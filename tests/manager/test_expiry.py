"""What has ended is forgotten between two turns: whatever is asked for meanwhile finds it whole, or not at all."""

import asyncio
import time

import pytest
from tests.builders import a_spec
from tests.manager.helpers import MODULE, at_site

from propeller.core.events import CreateTasks, NewGroup, StartGroup, StartTask
from propeller.core.model import GroupKind
from propeller.core.states import COMPLETED, RUNNING
from propeller.errors import Conflict, NotFound, Unavailable
from propeller.manager import expiry
from propeller.store import limits
from propeller.store.port import TaskFilter

JOB = GroupKind.JOB


@pytest.fixture(autouse=True)
def without_rest(monkeypatch):
    monkeypatch.setattr(expiry, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(expiry, "_BREATH_S", 0.001)


def a_job(name, count):
    specs = tuple(a_spec(f"{name}-{n}", module=MODULE, job_id=name, inputs=(n,)) for n in range(count))
    return CreateTasks(specs=specs, group=NewGroup(id=name, kind=JOB))


async def run_job(site, name, count):
    await site.manager.ask(a_job(name, count), {MODULE: b"m"})
    await site.manager.ask(StartGroup(JOB, name))
    await site.reached(COMPLETED, *(f"{name}-{n}" for n in range(count)))


async def until_gone(site, group_id):
    while await site.store.group(JOB, group_id, tasks_max=0):  # noqa: ASYNC110  the store tells nobody
        await asyncio.sleep(0.005)


def test_what_ended_goes_and_what_runs_stays(tmp_path):
    async def work(site):
        site.bring_proplet()
        await run_job(site, "old", 50)
        site.fleet.is_quick = False
        running = CreateTasks(specs=(a_spec("runs", module=MODULE),))
        await site.manager.ask(running, {MODULE: b"m"})
        await site.manager.ask(StartTask("runs"))
        await until_gone(site, "old")
        page = await site.store.tasks(0, 10, TaskFilter())
        assert (page.total, page.items[0].id, page.items[0].state) == (1, "runs", RUNNING)
        with pytest.raises(NotFound):
            await site.manager.ask(StartGroup(JOB, "old"))
        assert await site.store.modules([MODULE.digest]), "a task has it"
        site.fleet.end(site.fleet.starts[-1])
        await site.reached(COMPLETED, "runs")
        while await site.store.modules([MODULE.digest]):  # noqa: ASYNC110  the store tells nobody
            await asyncio.sleep(0.005)

    at_site(tmp_path, work, keep_ended_s=0.2)


@pytest.mark.parametrize("look", ["find_ended", "forget_unused_modules"])
def test_it_goes_on_when_the_database_is_back(tmp_path, monkeypatch, look):
    async def work(site):
        known, failures = getattr(site.store, look), []

        async def away(*given):
            if len(failures) < 2:
                failures.append(1)
                raise Unavailable("the database can't be used now")
            return await known(*given)

        monkeypatch.setattr(site.store, look, away)
        site.bring_proplet()
        await run_job(site, "old", 1)
        await until_gone(site, "old")
        while await site.store.modules([MODULE.digest]):  # noqa: ASYNC110  the store tells nobody
            await asyncio.sleep(0.005)
        assert len(failures) == 2

    at_site(tmp_path, work, keep_ended_s=0.001)


def test_without_it_all_is_kept(tmp_path):
    async def work(site):
        site.bring_proplet()
        await run_job(site, "old", 5)
        return site.manager._expiry, (await site.store.tasks(0, 10, TaskFilter())).total

    assert at_site(tmp_path, work) == (None, 5)


def test_names_are_used_again_while_their_owner_is_deleted(tmp_path, monkeypatch):
    """The same job again and again: what is left of the last one never mixes with the next."""
    monkeypatch.setattr(limits, "FORGET_PIECE_S", 0.0002)

    async def work(site):
        site.bring_proplet()
        for _ in range(5):
            await run_job(site, "again", 100)
            await until_gone(site, "again")
        await run_job(site, "again", 3)
        records = await site.store.group(JOB, "again", tasks_max=1000)
        assert records is None or len(records.tasks) == 3

    at_site(tmp_path, work, keep_ended_s=0.05)


def test_a_job_that_is_started_again_and_again_is_whole_or_gone(tmp_path):
    async def work(site):
        site.bring_proplet()
        await run_job(site, "g", 20)
        for _ in range(200):
            try:
                await site.manager.ask(StartGroup(JOB, "g"))
            except NotFound:
                assert (await site.store.tasks(0, 1, TaskFilter())).total == 0
                return
            except Conflict:
                pass  # it runs
            records = await site.store.group(JOB, "g", tasks_max=1000)
            assert records is None or len(records.tasks) == 20
            await asyncio.sleep(0.002)

    at_site(tmp_path, work, keep_ended_s=0.02)


def test_after_a_crash_in_the_middle_the_names_are_free_though_all_is_kept_from_now_on(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "FORGET_PIECE_S", 0.0002)

    async def is_cut_off(site):
        site.bring_proplet()
        await run_job(site, "g", 300)
        await site.manager.stop()
        now = time.time_ns()
        assert await site.store.forget(await site.store.find_ended(now), now), "there is more"

    async def work(site):
        site.bring_proplet()
        await run_job(site, "g", 3)
        return (await site.store.tasks(0, 10, TaskFilter())).total

    at_site(tmp_path, is_cut_off)
    assert at_site(tmp_path, work) == 3


# -- the log of changes --------------------------------------------------------------------------------------


def test_what_happened_long_ago_goes_from_the_log(tmp_path):
    async def work(site):
        site.bring_proplet()
        await run_job(site, "old", 50)
        await asyncio.sleep(0.06)
        await run_job(site, "new", 1)
        while (await site.store.events(0, 1))[0][1].job_id == "old":  # noqa: ASYNC110  the store tells nobody
            await asyncio.sleep(0.005)
        assert (await site.store.group(JOB, "old", tasks_max=50)) is not None, "the job itself stays"
        await run_job(site, "newest", 1)
        assert site.manager.feed.last_id == 156

    at_site(tmp_path, work, history_s=0.05)


def test_without_a_time_the_log_is_kept(tmp_path):
    async def work(site):
        site.bring_proplet()
        await run_job(site, "old", 5)
        await asyncio.sleep(0.03)
        return len(await site.store.events(0, 100))

    assert at_site(tmp_path, work) == 15
