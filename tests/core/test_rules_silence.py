"""Silence: what counts as such, and what does not."""

import pytest

from propeller.core.events import (
    ConnectionLost,
    ConnectionRestored,
    PropletLost,
    PropletOffline,
    PropletSeen,
    TimePassed,
)
from propeller.core.policy import Policy
from tests.core.helpers import Rules, Turn, a_task

LIVENESS = Policy(liveness_s=10, offline_s=3)


def running_on(proplet_id: str = "p", *, is_local: bool = False) -> Rules:
    rules = Rules(LIVENESS)
    rules.now = 10**13
    rules.proplet(proplet_id, is_local=is_local)
    rules.create(a_task("a"))
    rules.start("a")
    return rules


def shows_itself(rules: Rules, **fields) -> Turn:
    return rules.turn(PropletSeen(proplet_id="p", boot=1, slots=10, running=(("a", 1),), **fields))


def test_a_silent_proplet_loses_its_work():
    rules = running_on()
    assert rules.turn(TimePassed(), after_s=9.9).moves == []
    assert rules.turn(TimePassed(), after_s=0.2).moves == ["a SCHEDULED"]
    assert "was silent for 10 s" in str(rules.task("a").reason)


# -- the broker ----------------------------------------------------------------------------------------------


def test_while_the_manager_has_no_connection_nobody_is_judged():
    rules = running_on()
    rules.turn(ConnectionLost())
    for _ in range(10):
        assert rules.turn(TimePassed(), after_s=60).moves == []
    rules.turn(ConnectionRestored())
    assert rules.turn(TimePassed(), after_s=29).moves == [], "its next try to connect may take as long"
    assert shows_itself(rules).moves == []
    assert rules.task("a").attempt == 1


def test_a_proplet_that_does_not_come_back_with_the_broker_is_lost():
    rules = running_on()
    rules.turn(ConnectionLost(), after_s=5)
    rules.turn(ConnectionRestored(), after_s=600)
    assert rules.turn(TimePassed(), after_s=29.9).moves == []
    assert rules.turn(TimePassed(), after_s=0.2).moves == ["a SCHEDULED"]


def test_a_short_loss_of_the_connection_costs_no_more_than_it_took():
    rules = running_on()
    rules.turn(ConnectionLost(), after_s=8)
    rules.turn(ConnectionRestored(), after_s=1)
    assert rules.turn(TimePassed(), after_s=1.9).moves == []
    assert rules.turn(TimePassed(), after_s=0.2).moves == ["a SCHEDULED"]


def test_a_connection_that_was_dead_before_that_was_noticed():
    rules = running_on()
    rules.turn(ConnectionLost(unheard_ns=8_000_000_000), after_s=9)
    rules.turn(ConnectionRestored(), after_s=1)
    assert rules.turn(TimePassed(), after_s=8.9).moves == [], (
        "it was silent for one second, as far as we know"
    )
    assert rules.turn(TimePassed(), after_s=0.2).moves == ["a SCHEDULED"]


def test_local_proplets_are_heard_without_a_broker():
    rules = running_on(is_local=True)
    rules.turn(ConnectionLost())
    assert rules.turn(TimePassed(), after_s=10.1).moves == ["a SCHEDULED"]


def test_a_manager_that_starts_without_a_broker_waits_for_it():
    rules = running_on()
    rules.restart()
    rules.turn(ConnectionLost())
    assert rules.turn(TimePassed(), after_s=3600).moves == []
    rules.turn(ConnectionRestored())
    assert shows_itself(rules).moves == []


# -- the last will -------------------------------------------------------------------------------------------


def test_what_a_broker_says_of_a_proplet_when_it_ends_itself_is_not_believed_at_once():
    rules = running_on()
    assert rules.turn(PropletOffline("p", 1)).moves == []
    rules.turn(ConnectionLost())
    rules.turn(TimePassed(), after_s=300)
    rules.turn(ConnectionRestored())
    assert shows_itself(rules).moves == []
    assert rules.turn(TimePassed(), after_s=9).moves == []


def test_a_proplet_that_is_said_to_be_offline_gets_nothing_new_and_soon_loses_what_it_has():
    rules = running_on()
    rules.turn(PropletOffline("p", 1))
    rules.create(a_task("b"))
    assert rules.start("b").moves == ["b SCHEDULED"]
    assert rules.turn(TimePassed(), after_s=2.9).moves == []
    assert rules.turn(TimePassed(), after_s=0.2).moves == ["a SCHEDULED"]
    assert "went offline" in str(rules.task("a").reason)


def test_a_proplet_that_comes_back_as_another_program_has_lost_its_work():
    rules = running_on()
    rules.turn(PropletOffline("p", 1))
    rules.turn(PropletSeen(proplet_id="p", boot=2, slots=10, running=()))
    assert rules.task("a").attempt == 2


def test_a_late_word_of_the_program_before_does_not_displace_the_one_that_is_said_to_be_offline():
    rules = running_on()
    rules.turn(PropletSeen(proplet_id="p", boot=2, slots=10, running=()))
    rules.turn(PropletOffline("p", 2))
    assert rules.turn(PropletSeen(proplet_id="p", boot=1, slots=10, running=())).moves == []
    assert rules.state.proplets["p"].boot == 2


def test_the_will_of_the_program_before_means_nothing():
    rules = running_on()
    rules.turn(PropletOffline("p", 7))
    assert rules.state.proplets["p"].is_alive


def test_a_program_that_has_ended_for_sure_loses_its_work_at_once():
    rules = running_on(is_local=True)
    assert rules.turn(PropletLost("p", "its process ended")).moves == ["a SCHEDULED"]


# -- the manager's own clock ---------------------------------------------------------------------------------


def test_a_manager_that_stood_still_judges_nobody_by_that():
    rules = running_on()
    rules.turn(after_s=8)
    assert rules.turn(TimePassed(), after_s=15, paused_s=15).moves == []
    assert rules.turn(TimePassed(), after_s=14.9).moves == [], "what came meanwhile may still have to be read"
    assert shows_itself(rules).moves == []


def test_a_proplet_that_died_while_the_manager_stood_still_is_lost_soon_after():
    rules = running_on()
    rules.turn(TimePassed(), after_s=15, paused_s=15)
    assert rules.turn(TimePassed(), after_s=15.1).moves == ["a SCHEDULED"]


def test_a_manager_that_stands_still_again_and_again_still_finds_the_dead():
    rules = running_on()
    moves = []
    for _ in range(4):
        moves += rules.turn(TimePassed(), after_s=3, paused_s=3).moves
        moves += rules.turn(TimePassed(), after_s=3.5).moves
    assert moves == ["a SCHEDULED"]


@pytest.mark.parametrize("moved_s", [3600, -7200])
def test_a_clock_that_is_moved_changes_no_lease(moved_s):
    rules = running_on()
    assert rules.turn(TimePassed(), after_s=1, clock_moved_s=moved_s).moves == []
    assert rules.turn(TimePassed(), after_s=8).moves == []
    assert rules.turn(TimePassed(), after_s=1.1).moves == ["a SCHEDULED"]
