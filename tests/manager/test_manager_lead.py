"""A manager among several: it acts only while it leads, and what it could not answer it says honestly."""

import asyncio

import pytest
from tests.builders import a_spec
from tests.manager.helpers import MODULE, at_site, until

from propeller.core.events import CreateTasks, StartTask
from propeller.core.states import COMPLETED
from propeller.errors import LeadershipLost, NotFound, OutcomeUnknown
from propeller.manager import patience, service


class PlayedLead:
    """A lead that holds, is late or lost, as the test says."""

    def __init__(self):
        self.may_act = True
        self.is_lost = False
        self.waiting = 0
        self._news = asyncio.Event()

    async def acting(self):
        self.waiting += 1
        while not self.may_act:
            await self._news.wait()
            self._news.clear()
            if self.is_lost:
                raise LeadershipLost("another has it")

    def comes_back(self):
        self.may_act = True
        self._news.set()

    def is_taken(self):
        self.is_lost = True
        self._news.set()


def create(task_id):
    return CreateTasks(specs=(a_spec(task_id, module=MODULE, inputs=(1,)),))


async def rest():
    """Let whatever could run meanwhile do so."""
    for _ in range(50):
        await asyncio.sleep(0)


async def ready(site):
    site.bring_proplet()
    await site.manager.ask(create("a"), {MODULE: b"m"})


def test_what_is_committed_is_neither_sent_nor_answered_nor_told_until_the_lease_is_renewed(tmp_path):
    lead = PlayedLead()

    async def work(site):
        await ready(site)
        commits = len(site.store.commits)
        told = asyncio.create_task(anext(site.manager.feed.follow()))
        lead.may_act = False
        answer = asyncio.create_task(site.manager.ask(StartTask("a")))
        await rest()
        await until(lambda: lead.waiting)
        assert len(site.store.commits) == commits + 1
        assert (answer.done(), told.done(), site.fleet.starts) == (False, False, [])
        lead.comes_back()
        await answer
        await told
        await site.reached(COMPLETED, "a")

    at_site(tmp_path, work, lead=lead)


def test_a_refusal_waits_as_well_for_it_tells_of_a_state_that_may_be_old(tmp_path):
    lead = PlayedLead()

    async def work(site):
        lead.may_act = False
        refused = asyncio.create_task(site.manager.ask(StartTask("nobody")))
        await until(lambda: lead.waiting)
        assert not refused.done()
        lead.comes_back()
        with pytest.raises(NotFound):
            await refused

    at_site(tmp_path, work, lead=lead)


def test_who_waits_when_the_lead_is_lost_hears_that_it_may_have_been_done(tmp_path):
    lead = PlayedLead()

    async def work(site):
        await ready(site)
        lead.may_act = False
        first = asyncio.create_task(site.manager.ask(StartTask("a")))
        await until(lambda: lead.waiting)
        second = asyncio.create_task(site.manager.ask(create("b"), {MODULE: b"m"}))
        await rest()
        lead.is_taken()
        with pytest.raises(OutcomeUnknown, match="may have been done or not"):
            await first
        with pytest.raises(LeadershipLost, match="has done nothing of that"):
            await second
        assert site.fleet.starts == []
        with pytest.raises(LeadershipLost, match="has done nothing of that"):
            await site.manager.ask(create("c"), {MODULE: b"m"})
        with pytest.raises(LeadershipLost):
            await site.manager.present.counts()
        with pytest.raises(LeadershipLost):
            await site.manager.running

    at_site(tmp_path, work, lead=lead)


def test_one_that_is_abandoned_ends_in_the_middle_of_a_commit_and_writes_nothing_more(tmp_path):
    async def work(site):
        await ready(site)
        site.store.gate.clear()
        answer = asyncio.create_task(site.manager.ask(StartTask("a")))
        await site.held_up()
        await site.manager.abandon()
        with pytest.raises(OutcomeUnknown, match="may have been done or not"):
            await answer
        site.store.gate.set()
        commits = len(site.store.commits)
        await site.manager.stop()
        assert len(site.store.commits) == commits
        assert site.fleet.starts == []

    at_site(tmp_path, work, lead=PlayedLead())


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_S", 0.05)
    monkeypatch.setattr(service, "LOOK_EVERY_S", 0.01)


@pytest.mark.parametrize("is_away", [False, True], ids=["may not act", "store is out"])
def test_who_waits_for_a_turn_that_stands_still_is_told_soon_and_it_goes_on_later(
    tmp_path, monkeypatch, impatient, is_away
):
    lead = PlayedLead()

    async def work(site):
        await ready(site)
        site.store.gate.clear()
        if is_away:
            monkeypatch.setattr(site.store, "outage", "it does not answer")
        else:
            lead.may_act = False
        under_way = asyncio.create_task(site.manager.ask(StartTask("a")))
        await site.held_up()
        behind = asyncio.create_task(site.manager.ask(create("b"), {MODULE: b"m"}))
        looks = asyncio.create_task(site.manager.present.counts())
        patient = asyncio.create_task(site.manager.present.counts(is_patient=True))
        with pytest.raises(OutcomeUnknown, match="may have been done or not, or be done yet"):
            await under_way
        for waiting in (behind, looks):
            with pytest.raises(LeadershipLost, match="nothing was done: ask again") as refused:
                await waiting
            assert type(refused.value) is LeadershipLost
        monkeypatch.setattr(site.store, "outage", "")
        lead.comes_back()
        site.store.gate.set()
        await site.reached(COMPLETED, "a")
        assert (await patient).pending == 0
        assert await site.store.task("b") is None

    at_site(tmp_path, work, lead=lead)


def test_a_turn_that_is_long_is_waited_for(tmp_path, impatient):
    async def work(site):
        await ready(site)
        site.store.gate.clear()
        answer = asyncio.create_task(site.manager.ask(StartTask("a")))
        await site.held_up()
        began = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() - began > 0.2)
        assert not answer.done()
        site.store.gate.set()
        await answer

    at_site(tmp_path, work, lead=PlayedLead())


def test_one_that_waits_for_its_lease_can_be_abandoned(tmp_path):
    lead = PlayedLead()

    async def work(site):
        lead.may_act = False
        refused = asyncio.create_task(site.manager.ask(StartTask("nobody")))
        await until(lambda: lead.waiting)
        await site.manager.abandon()
        with pytest.raises(LeadershipLost):
            await refused

    at_site(tmp_path, work, lead=lead)
