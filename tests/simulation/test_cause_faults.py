"""The simulation sees causes that are not true."""

import pytest

from propeller.core import causes
from propeller.core.cluster import Cluster
from propeller.core.state import ClusterState

from .faults import assert_caught, spoil


def test_the_cause_of_the_event_before_is_kept():
    class Late(ClusterState):
        """Is told of a cause, and goes by the one that it was told of before."""

        _told = causes.UNKNOWN

        @property
        def cause(self):
            return self._before

        @cause.setter
        def cause(self, told):
            self._before, self._told = self._told, told

    assert_caught("causes", state_class=Late)


def test_what_is_placed_has_the_cause_of_the_last_event():
    class Forgetful(Cluster):
        def _place(self, now):
            self._ask(self._at_end, now)

    assert_caught("causes", cluster_class=Forgetful)


@pytest.mark.parametrize("named", ["by_parent", "by_task", "by_loss_of"])
def test_another_one_is_named(monkeypatch, named):
    spoil(monkeypatch, causes, named, lambda real, name: real(f"{name}-else"))
    assert_caught("causes")


def test_a_child_is_started_by_its_grandparent(monkeypatch):
    """The first parent that was told of in a turn stays the cause."""
    first = []

    def sticky(real, task_id):
        first.append(task_id)
        return real(first[0])

    spoil(monkeypatch, causes, "by_parent", sticky)
    assert_caught("causes")


def test_a_report_counts_as_placement(monkeypatch):
    monkeypatch.setattr(causes, "by_report", lambda *_, **__: causes.PLACEMENT)
    assert_caught("causes")


def test_a_timer_counts_as_a_user(monkeypatch):
    """Nobody asked for what a time makes happen."""
    spoil(monkeypatch, causes, "by_timer", lambda _real, _timer: causes.USER)
    spoil(monkeypatch, causes, "by_loss_of", lambda _real, _proplet_id: causes.USER)
    assert_caught("causes")
