"""Who leads: what one manager asks for and when, and that never two may act at once."""

import heapq
import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from propeller.manager.leadership import SPARE, Leadership, Times, Wish

S = 1_000_000_000
MS = S // 1000
TIMES = Times()


@pytest.fixture
def one():
    return Leadership(TIMES)


def leading(at=0):
    one = Leadership(TIMES)
    assert one.wish(at) is Wish.TAKE
    one.granted(7)
    return one


def test_who_comes_tries_at_once(one):
    assert one.due_in_s(5 * S) == 0
    assert one.wish(5 * S) is Wish.TAKE
    assert one.wish(6 * S) is None  # one is under way
    assert one.due_in_s(6 * S) is None


def test_a_leader_renews_each_second():
    one = leading()
    assert one.wish(S - 1) is None
    assert one.due_in_s(S // 4) == 0.75
    assert one.wish(S) is Wish.RENEW


def test_a_lease_counts_from_before_it_was_asked_for(one):
    assert one.wish(10 * S) is Wish.TAKE
    one.granted(1)  # whenever that arrives
    assert one.may_act(10 * S)
    assert one.may_act(12 * S)
    assert one.may_act(10 * S + int((1 - SPARE) * 3 * S) - 1)
    assert not one.may_act(10 * S + int((1 - SPARE) * 3 * S))


def test_a_leader_whose_renewal_is_late_stops_to_act_and_goes_on_when_nobody_took_the_lead():
    one = leading()
    assert one.wish(S) is Wish.RENEW
    one.unanswered(3 * S)
    assert not one.may_act(3 * S)
    assert one.token == 7
    assert one.wish(3 * S + S // 4) is Wish.RENEW
    one.granted(7)
    assert one.may_act(3 * S + S // 4)


def test_a_leader_that_has_lost_the_lead_does_not_act_and_tries_to_take_it():
    one = leading()
    one.lost(S)
    assert one.token is None
    assert not one.may_act(S)
    assert one.wish(S) is None
    assert one.wish(2 * S) is Wish.TAKE


def test_a_write_that_was_refused_counts_more_than_a_renewal_that_is_under_way():
    one = leading()
    assert one.wish(S) is Wish.RENEW
    one.lost(S)
    assert not one.may_act(S)
    assert one.wish(2 * S) is Wish.TAKE


def test_one_that_waits_tries_now_and_then(one):
    one.wish(0)
    one.not_free(S)
    assert one.due_in_s(S) == pytest.approx(TIMES.poll_every)


def test_one_that_waits_tries_at_once_when_the_lead_is_free(one):
    one.wish(0)
    one.not_free(S)
    one.freed(S + MS)
    assert one.wish(S + MS) is Wish.TAKE


def test_a_lead_that_is_free_while_the_answer_is_on_its_way_is_tried_for_at_once(one):
    one.wish(0)
    one.freed(MS)
    one.not_free(2 * MS)
    assert one.wish(2 * MS) is Wish.TAKE


def test_that_the_lead_is_free_does_not_hurry_its_leader():
    one = leading()
    one.freed(MS)
    assert one.wish(MS) is None


def test_one_that_gives_way_leaves_the_lead_to_others_for_a_time():
    one = leading()
    one.gives_way(S, 5.0)
    one.freed(S)  # by itself
    assert not one.may_act(S)
    assert one.wish(6 * S - 1) is None
    assert one.wish(6 * S) is Wish.TAKE


def test_one_that_leaves_acts_and_asks_no_more():
    one = leading()
    one.leaves()
    assert not one.may_act(0)
    assert one.wish(9 * S) is None
    assert one.due_in_s(9 * S) is None


# -- a model: a database and managers whose clocks go their own ways -----------------------------------------


class Database:
    """One row, by a clock that goes at a rate of its own."""

    def __init__(self, rate, lease_s):
        self._rate = rate
        self._lease_s = lease_s
        self.token = 0
        self.expires_at = 0.0

    def time(self, now):
        return now * self._rate

    def take(self, now):
        if self.expires_at >= self.time(now):
            return None
        self.token += 1
        return self.renew(now, self.token)

    def renew(self, now, token):
        if token != self.token:
            return None
        self.expires_at = self.time(now) + self._lease_s
        return token


class Machine:
    """A manager with a clock that began somewhere and goes at a rate of its own."""

    def __init__(self, leadership, rate, began):
        self.leadership = leadership
        self._rate = rate
        self._began = began

    def ticks(self, now):
        return int((now * self._rate + self._began) * S)

    def acts_until(self):
        """Tell when, in real time, it stops to act by itself."""
        return (self.leadership._acts_until / S - self._began) / self._rate


class Play:
    """Messages that are late or lost, and programs that stand still; times are real ones, s."""

    def __init__(self, random, spread, kind=Leadership):
        self._random = random
        times = Times.of(random.choice((0.5, 3.0, 30.0)))
        self._lease_s = times.lease
        self._database = Database(1 + random.uniform(-spread, spread), times.lease)
        self._machines = [
            Machine(kind(times), 1 + random.uniform(-spread, spread), random.uniform(0, 1000))
            for _ in range(random.randint(2, 4))
        ]
        self._events = []
        self._numbers = itertools.count()
        #: Who may act and until when: the end is the real time at which its own clock says so.
        self._acting = {}
        self.takes = 0

    def run(self, steps):
        for machine in self._machines:
            self._later(self._random.uniform(0, 1), machine, self._look)
        for _ in range(steps):
            now, _, machine, action = heapq.heappop(self._events)
            action(now, machine)
            self._check(now)

    def _check(self, now):
        acting = [one for one in self._machines if one.leadership.may_act(one.ticks(now))]
        assert len(acting) <= 1, "two may act at once"
        for one in acting:
            self._acting[one] = one.acts_until()

    def _granted(self, now, machine):
        """See that all others have stopped by now, and by their own clocks, whether or not one looked."""
        for other, until in self._acting.items():
            if other is not machine and other.leadership.token is not None:
                assert until <= now + 1e-6, f"one may act for {until - now} s while another takes the lead"

    def _later(self, at, machine, action):
        heapq.heappush(self._events, (at, next(self._numbers), machine, action))

    def _delay(self):
        kind = self._random.random()
        if kind < 0.7:
            return self._random.uniform(0, 0.02)
        return self._random.uniform(0, self._lease_s * (0.5 if kind < 0.9 else 2.5))

    def _look(self, now, machine):
        wish = machine.leadership.wish(machine.ticks(now))
        if wish is None:
            due = machine.leadership.due_in_s(machine.ticks(now))
            if due is not None:
                self._later(
                    now + max(due, 0.001) + (self._random.random() < 0.05) * self._delay(),
                    machine,
                    self._look,
                )
            return
        token = machine.leadership.token
        is_lost = self._random.random()

        def arrives(at, machine):
            answer = self._database.take(at) if wish is Wish.TAKE else self._database.renew(at, token)
            if answer is not None and wish is Wish.TAKE:
                self.takes += 1
                self._granted(at, machine)
            if is_lost < 0.1:
                self._later(at + self._lease_s, machine, nothing)
            else:
                self._later(at + self._delay(), machine, lambda at, machine: answered(at, machine, answer))

        def nothing(at, machine):
            machine.leadership.unanswered(machine.ticks(at))
            self._look(at, machine)

        def answered(at, machine, answer):
            if answer is not None:
                machine.leadership.granted(answer)
            elif wish is Wish.TAKE:
                machine.leadership.not_free(machine.ticks(at))
            else:
                machine.leadership.lost(machine.ticks(at))
            self._look(at, machine)

        if is_lost < 0.05:
            self._later(now + self._lease_s, machine, nothing)
        else:
            self._later(now + self._delay(), machine, arrives)


#: Clocks that are wrong by so much, each in the way that is worst, use up what of a lease is not used.
SPREAD = SPARE / 2


@given(st.integers(0, 2**64))
@settings(max_examples=200, deadline=None)
def test_never_two_act_at_once(seed):
    play = Play(Random(seed), SPREAD)
    play.run(400)


def test_the_lead_goes_from_hand_to_hand_in_the_model():
    plays = [Play(Random(seed), SPREAD) for seed in range(20)]
    for play in plays:
        play.run(400)
    assert sum(play.takes for play in plays) > 100


def assert_caught(kind, spread):
    def play_all():
        for seed in range(500):
            kind(Random(seed), spread).run(400)

    with pytest.raises(AssertionError, match="may act"):
        play_all()


def test_the_model_sees_clocks_that_go_too_far_apart():
    assert_caught(Play, 0.3)


def test_the_model_sees_a_lease_that_is_counted_from_its_answer():
    class FromTheAnswer(Play):
        def _look(self, now, machine):
            super()._look(now, machine)
            leadership = machine.leadership
            if leadership._asked_at is not None:  # as if no time had passed since
                leadership._asked_at += int(0.5 * self._lease_s * S)

    assert_caught(FromTheAnswer, SPREAD)
