"""Followers take turns, and while there is work all of them together take a share of the time."""

import asyncio
import time

import pytest

from propeller.manager import rounds as module
from propeller.manager.rounds import Allowance, Interest, Rounds, Turn


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


class Clock:
    """A clock that goes on only where somebody takes time."""

    def __init__(self, monkeypatch):
        self.now = 1.0
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)


class Scene:
    """Followers of one thing, and the log that they are to read."""

    def __init__(self, *, is_busy=False):
        self.rounds = Rounds(lambda: is_busy)
        self.interest = Interest(0)
        self.last_id = 0
        self.steps = []
        self.going = []
        self.turns = []

    def follow(self, count, interest=None, *, rest_s=0.0, step=lambda: None):
        for _ in range(count):
            turn = Turn(interest or self.interest, self.last_id)
            self.turns.append(turn)
            self.going.append(asyncio.create_task(self._follow(turn, len(self.going), rest_s, step)))

    async def _follow(self, turn, name, rest_s, step):
        rests_s = 0.0
        while not self.rounds._closed.is_set():
            await self.rounds.next(turn, rests_s)
            self.steps.append((name, turn.position))
            step()
            turn.position = min(turn.position + 2, self.last_id)
            rests_s = rest_s

    def happens(self, count, *concerned):
        first, self.last_id = self.last_id + 1, self.last_id + count
        self.rounds.news(first, self.last_id, concerned or [self.interest])

    @property
    def names(self):
        return [name for name, _ in self.steps]


def play(part, **more):
    async def scene():
        it = Scene(**more)
        async with asyncio.timeout(60):
            await part(it)
        for one in it.going:
            one.cancel()
        await asyncio.gather(*it.going, return_exceptions=True)
        assert not it.rounds._waiting
        assert not it.rounds._due
        assert not any(it.rounds._resting.values())
        assert not it.interest.idle

    asyncio.run(scene())


async def settle():
    for _ in range(30):
        await asyncio.sleep(0)


async def until(look):
    while not look():  # noqa: ASYNC110  only its time tells that a rest is over
        await asyncio.sleep(0)


def test_all_hear_of_news_once_and_those_who_have_more_go_on_behind_the_others():
    async def part(it):
        it.follow(25)
        await settle()
        assert it.steps == []
        it.happens(1)
        await settle()
        assert it.steps == [(name, 0) for name in range(25)]
        it.happens(3)
        await settle()
        assert it.steps[25:] == [(name, position) for position in (1, 3) for name in range(25)]

    play(part)


def test_those_whom_nothing_concerns_take_no_step_and_need_not_see_what_was_meanwhile():
    async def part(it):
        others = Interest(0)
        it.follow(20)
        it.follow(20, others)
        await settle()
        it.happens(5)
        await settle()
        assert set(it.names) == set(range(20))
        assert len(others.idle) == 20
        it.steps.clear()
        it.happens(1, others)
        await settle()
        assert it.steps == [(name, 5) for name in range(20, 40)]

    play(part)


def test_one_that_is_called_goes_on_though_nothing_concerns_it():
    async def part(it):
        it.follow(3)
        await settle()
        it.rounds.call(it.turns[1])
        await settle()
        assert it.names == [1]

    play(part)


def test_who_rests_goes_on_when_that_is_over_if_there_is_something():
    async def part(it):
        it.follow(25, rest_s=0.05)
        clock = asyncio.get_running_loop().time
        it.happens(1)
        await settle()
        assert it.names == list(range(25))
        began = clock()
        it.happens(1)
        it.rounds.call(it.turns[0])
        await settle()
        assert len(it.steps) == 25
        await until(lambda: len(it.steps) == 50)
        assert clock() - began >= 0.05 - 0.005
        assert it.names[25:] == list(range(25))
        await until(lambda: len(it.interest.idle) == 25)
        assert len(it.steps) == 50, "nothing has happened since"

    play(part)


@pytest.mark.parametrize("is_busy", [True, False])
def test_while_there_is_work_they_pause_once_their_share_is_used_up(monkeypatch, is_busy):
    async def part(it):
        pauses = []

        async def closes_within(seconds):
            pauses.append(seconds)
            return False

        monkeypatch.setattr(it.rounds, "closes_within", closes_within)
        it.rounds._allowance.pause_s(time.perf_counter())
        it.rounds._allowance.spend(100)
        it.follow(25)
        await settle()
        it.happens(1)
        await settle()
        assert len(it.steps) == 25
        assert set(pauses) == ({module._PAUSE_S_MAX} if is_busy else set())

    play(part, is_busy=is_busy)


def test_what_all_their_steps_take_counts_and_nothing_that_others_do_in_between(monkeypatch):
    spent = []
    monkeypatch.setattr(Allowance, "spend", lambda _, seconds: spent.append(seconds))
    clock = Clock(monkeypatch)

    def takes(seconds):
        clock.now += seconds

    async def work():
        while True:
            takes(10)
            await asyncio.sleep(0)

    async def part(it):
        it.going += [asyncio.create_task(work()) for _ in range(2)]
        it.follow(25, step=lambda: takes(0.002))
        await settle()
        it.happens(1)
        await settle()
        assert sum(spent) == pytest.approx(25 * 0.002)

    play(part)


def test_a_step_that_waits_counts_before_that_and_for_a_moment_after(monkeypatch):
    spent = []
    monkeypatch.setattr(Allowance, "spend", lambda _, seconds: spent.append(seconds))
    clock = Clock(monkeypatch)

    async def part(it):
        readable = asyncio.Event()

        async def follow(turn):
            await it.rounds.next(turn)
            clock.now += 0.3
            await readable.wait()
            clock.now += 7
            turn.position = it.last_id
            await it.rounds.next(turn)

        it.going.append(asyncio.create_task(follow(Turn(it.interest, 0))))
        it.happens(1)
        await settle()
        assert sum(spent) == pytest.approx(0.3)
        readable.set()
        await settle()
        assert sum(spent) == pytest.approx(0.3 + module._STEP_S_MAX)

    play(part)


def test_at_the_end_all_go_on_at_once_whatever_they_wait_for():
    async def part(it):
        it.follow(10)
        it.follow(10, rest_s=1000)
        await settle()
        it.happens(1)
        await settle()
        it.steps.clear()
        it.rounds.close()
        await asyncio.gather(*it.going)
        assert len(it.steps) == 20
        assert await it.rounds.closes_within(60)
        await it.rounds.next(Turn(it.interest, 0))

    play(part, is_busy=True)
