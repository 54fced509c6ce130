"""The simulation sees planted faults of retries and times."""

import pytest

from propeller.core import attempts, due, reports, retries
from propeller.core.state import ClusterState
from propeller.core.timers import TimerOf, Timers

from .faults import assert_caught, spoil
from .simulation import simulate


def test_attempts_that_are_not_counted(monkeypatch):
    def lenient(real, state, task, *args):
        is_tried_again = real(state, task, *args)
        if is_tried_again:
            task.timing.tries = 0
        return is_tried_again

    spoil(monkeypatch, retries, "attempt_failed", lenient)
    assert_caught("tries", "delay", "ends", "invariants")  # without them no wait grows


def test_a_task_that_gives_up_too_early(monkeypatch):
    monkeypatch.setattr(retries, "attempt_failed", lambda *_: False)
    assert_caught("tries")


@pytest.mark.parametrize(
    ("spoiled", "law"), [(TimerOf.RETRY, "delay"), (TimerOf.DEADLINE, "deadline")], ids=str
)
def test_a_timer_that_comes_too_early(monkeypatch, spoiled, law):
    real = Timers.set

    def hasty(timers, kind, owner_id, at):
        real(timers, kind, owner_id, at - 10**12 if kind is spoiled else at)

    monkeypatch.setattr(Timers, "set", hasty)
    assert_caught(law)


def test_timers_that_a_restart_forgets(monkeypatch):
    monkeypatch.setattr(due, "manager_started", lambda *_: None)
    assert_caught("ends", "deadline", "group-time")


def test_a_deadline_that_is_not_held(monkeypatch):
    monkeypatch.setattr(due, "_miss_deadline", lambda *_: None)
    assert_caught("deadline")


def test_a_queue_timeout_that_is_not_held(monkeypatch):
    monkeypatch.setattr(due, "_leave_queue", lambda *_: None)
    assert_caught("deadline")


def test_a_turn_may_end_a_group_and_begin_it_anew():
    """Its time counts from then on; and so it does from a task that began and was stopped in one turn."""
    for seed in (1796034482, 1796034560, 1796035340):
        assert not simulate(seed).law


def test_a_group_that_goes_on_when_its_time_is_over(monkeypatch):
    monkeypatch.setattr(due, "_end_group", lambda *_: None)
    assert_caught("group-time")


def test_an_attempt_that_is_forgotten(monkeypatch):
    class Forgetful(ClusterState):
        def past(self, task, attempt):
            pass

    assert_caught("attempts-kept", state_class=Forgetful)


def test_a_failed_attempt_whose_next_one_is_begun_beside_it(monkeypatch):
    def doubling(real, state, task, *args):
        is_tried_again = real(state, task, *args)
        if is_tried_again:
            attempts.try_again(state, task, state.wall)
        return is_tried_again

    spoil(monkeypatch, retries, "attempt_failed", doubling)
    monkeypatch.setattr(reports.retries, "attempt_failed", retries.attempt_failed)
    assert_caught("delay", "invariants", "no-defect")
