"""A story that breaks a law is told again with little in it."""

from propeller.core import failfast
from propeller.proplet.machine import Machine

from .shrink import shrink
from .simulation import simulate

ACTIONS_MAX = 5
FAULTS_MAX = 2


class Deaf(Machine):
    """Does not stop what it is told to."""

    def _stop(self, stop, now):
        return []


def test_a_planted_fault_is_shown_in_a_short_story():
    first = next(outcome for seed in range(100) if (outcome := simulate(seed, machine_class=Deaf)).law)
    short = shrink(first, machine_class=Deaf)
    assert (short.seed, short.law) == (first.seed, first.law)
    assert 1 <= short.actions <= ACTIONS_MAX < first.actions
    assert sum(short.faults.values()) <= FAULTS_MAX < sum(first.faults.values())
    assert "asks: Create" in short.story


def test_the_short_story_can_be_told_again(monkeypatch):
    monkeypatch.setattr(failfast, "stop_others", lambda *_: None)
    first = next(outcome for seed in range(100) if (outcome := simulate(seed)).law)
    short = shrink(first)
    assert short.actions <= ACTIONS_MAX
    assert simulate(first.seed, plan=short.plan).transcript == short.transcript
