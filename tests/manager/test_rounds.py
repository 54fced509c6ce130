"""Followers take turns, and while there is work all of them together take a share of the time."""

import asyncio
import time

import pytest

from propeller.manager import rounds as module
from propeller.manager.rounds import Allowance, Rounds, Turn


def test_a_share_of_the_time_is_earned_and_what_is_not_used_is_kept_up_to_a_bound():
    allowance = Allowance(share=0.1, at_once_s=0.01)
    assert allowance.pause_s(100.0) == 0
    allowance.spend(0.03)
    assert allowance.pause_s(100.0) == pytest.approx(0.2)
    assert allowance.pause_s(100.1) == pytest.approx(0.1)
    assert allowance.pause_s(100.2) == pytest.approx(0)
    assert allowance.pause_s(200.0) == 0
    allowance.spend(0.02)
    assert allowance.pause_s(200.0) == pytest.approx(0.1)


class Follower:
    def __init__(self, rounds, name, steps):
        self.rounds, self.name, self.steps, self.turn = rounds, name, steps, Turn()
        self.more = 0

    async def follow(self):
        while True:
            await self.rounds.next(self.turn, has_more=self.more > 0)
            self.more = max(self.more - 1, 0)
            self.steps.append(self.name)


def run(part, *, is_busy=False):
    async def scene():
        rounds, steps = Rounds(lambda: is_busy), []
        followers = [Follower(rounds, name, steps) for name in range(25)]
        going = [asyncio.create_task(follower.follow()) for follower in followers]
        await settle()
        await part(rounds, followers, steps)
        for one in going:
            one.cancel()
        await asyncio.gather(*going, return_exceptions=True)
        assert not rounds._idle
        assert not rounds._due

    asyncio.run(scene())


async def settle():
    for _ in range(30):
        await asyncio.sleep(0)


def test_all_hear_of_news_once_and_one_that_has_more_goes_on_behind_the_others():
    async def part(rounds, followers, steps):
        assert steps == []
        followers[0].more = 2  # the step that it takes now, and another
        rounds.news()
        await settle()
        assert sorted(steps[:25]) == list(range(25))
        assert steps[25:] == [0]
        rounds.news()
        await settle()
        assert steps.count(24) == 2

    run(part)


@pytest.mark.parametrize("is_busy", [True, False])
def test_while_there_is_work_they_pause_once_their_share_is_used_up(monkeypatch, is_busy):
    async def part(rounds, followers, steps):
        pauses = []

        async def closes_within(seconds):
            pauses.append(seconds)
            return False

        monkeypatch.setattr(rounds, "closes_within", closes_within)
        rounds._allowance.pause_s(time.perf_counter())
        rounds._allowance.spend(0.1)
        rounds.news()
        await settle()
        assert len(steps) == 25
        assert set(pauses) == ({module._PAUSE_S_MAX} if is_busy else set())

    run(part, is_busy=is_busy)


def test_at_the_end_all_go_on_at_once():
    async def part(rounds, followers, steps):
        rounds.close()
        assert await rounds.closes_within(60)
        async with asyncio.timeout(10):
            await rounds.next(Turn(), has_more=False)

    async def scene():
        await part(Rounds(lambda: True), [], [])

    asyncio.run(scene())


def test_a_pause_of_a_followers_own_costs_the_others_nothing():
    rounds, turn = Rounds(lambda: True), Turn()
    before = rounds._allowance.pause_s(1.0)
    rounds.over(turn)  # none is under way
    assert rounds._allowance.pause_s(1.0) == before == 0
