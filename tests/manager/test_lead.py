"""The lead of several managers over one played database: taken, renewed, late, lost and given back."""

import asyncio

import pytest

from propeller.errors import LeadershipLost
from propeller.manager.lead import SharedLead
from propeller.manager.leadership import Times
from propeller.store.lead import Held

#: Short, so that nothing here takes long.
TIMES = Times.of(0.6)


class PlayedLease:
    """The row of the database, with the event loop's clock as its own."""

    def __init__(self):
        self.token = 0
        self.holder = ""
        self.expires_at = 0.0
        self.is_away = False
        self.leads = []
        self.asked = 0

    @property
    def now(self):
        return asyncio.get_running_loop().time()

    async def _reach(self):
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise OSError("no route")

    async def take(self, holder, address):
        await self._reach()
        if self.now < self.expires_at:
            return None
        self.token += 1
        self.holder = holder
        self.expires_at = self.now + TIMES.lease
        return Held(self.token, 0, holder)

    async def renew(self, held):
        await self._reach()
        if (held.token, held.holder) != (self.token, self.holder):
            return False
        self.expires_at = self.now + TIMES.lease
        return True

    async def release(self, held):
        await self._reach()
        if (held.token, held.holder) == (self.token, self.holder):
            self.expires_at = 0.0
            for lead in self.leads:
                lead.freed()


def play(work):
    async def run():
        lease = PlayedLease()
        made = []

        async def join(name):
            lead = SharedLead(lease, TIMES, holder=name, address=f"http://{name}")
            lease.leads.append(lead)
            made.append(lead)
            await lead.start()
            return lead

        async with asyncio.timeout(30):
            try:
                await work(lease, join)
            finally:
                lease.is_away = False
                for lead in made:
                    await lead.stop()

    asyncio.run(run())


def test_the_first_leads_and_keeps_the_lead_for_longer_than_a_lease():
    async def work(lease, join):
        first = await join("first")
        term = await first.taken()
        second = await join("second")
        asked = lease.asked
        while lease.asked < asked + 12:
            assert term.may_act
            await second.changed()
        assert (lease.token, lease.holder, second.held) == (1, "first", None)

    play(work)


def test_one_that_stops_gives_the_lead_back_and_another_has_it_at_once():
    async def work(lease, join):
        first, second = await join("first"), await join("second")
        await first.taken()
        began = lease.now
        await first.stop()
        term = await second.taken()
        assert lease.now - began < TIMES.lease / 4
        assert term.held.token == 2

    play(work)


def test_a_leader_that_is_cut_off_is_silent_before_another_leads_and_loses_the_lead():
    async def work(lease, join):
        first = await join("first")
        term = await first.taken()
        lease.is_away = True
        await term.silent()
        assert lease.now <= lease.expires_at
        waiting = asyncio.create_task(term.acting())
        second = SharedLead(lease, TIMES, holder="second", address="")
        lease.expires_at = 0.0
        lease.is_away = False
        await lease.take("second", "")
        with pytest.raises(LeadershipLost, match="another manager"):
            await waiting
        await term.over()
        assert second.held is None
        assert not term.may_act

    play(work)


def test_a_leader_that_comes_back_before_anybody_took_the_lead_goes_on():
    async def work(lease, join):
        first = await join("first")
        term = await first.taken()
        lease.is_away = True
        await term.silent()
        waiting = asyncio.create_task(term.acting())
        await first.changed()
        assert not waiting.done()
        lease.is_away = False
        await waiting
        assert term.may_act
        assert lease.token == 1

    play(work)


def test_a_write_that_is_refused_ends_the_term_before_the_next_renewal():
    async def work(lease, join):
        first = await join("first")
        term = await first.taken()
        lease.token += 1
        lease.expires_at = lease.now + 60
        term.refused()
        assert not term.may_act
        with pytest.raises(LeadershipLost):
            await term.acting()
        await term.over()

    play(work)


def test_a_new_term_does_not_let_the_one_before_act_again():
    async def work(lease, join):
        first = await join("first")
        old = await first.taken()
        old.refused()
        lease.expires_at = 0.0
        new = await first.taken()
        assert new.held.token == 2
        assert new.may_act
        assert not old.may_act
        with pytest.raises(LeadershipLost):
            await old.acting()

    play(work)


def test_one_that_gives_way_takes_the_lead_again_only_after_a_rest():
    async def work(lease, join):
        first = await join("first")
        term = await first.taken()
        began = lease.now
        await term.give_way(0.4)
        await first.taken()
        assert lease.now - began >= 0.4

    play(work)


def test_an_answer_that_does_not_come_is_not_waited_for_longer_than_a_lease():
    async def work(lease, join):
        first = await join("first")
        term = await first.taken()
        real, hung = lease.renew, asyncio.Event()

        async def hangs(token):
            hung.set()
            await asyncio.Event().wait()

        lease.renew = hangs
        await hung.wait()
        lease.renew = real
        await term.silent()
        await term.acting()
        assert lease.token == 1

    play(work)
