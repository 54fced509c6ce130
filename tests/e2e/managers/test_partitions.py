"""A leader that is cut from the database but not from the broker, and the other way round."""

import time

import pytest

from propeller.assembly.deafness import DEAF_S
from tests.e2e.managers.harness import works_within
from tests.parts.netns import Island
from tests.waiting import until


@pytest.fixture
def island():
    with Island() as one:
        yield one


@pytest.fixture
def several(make_several, island):
    """Two managers; the one that leads is on a machine of its own."""
    several = make_several()
    several.fleet.broker.start()
    several.start("a", island=island)
    several.leader()
    several.start("b", seen_from=island)
    several.fleet.http = several.managers["a"].http
    several.fleet.start_proplet("proplet", PROPLET_DIRS=str(several.logs))
    several.fleet.wait_for_proplets(1)
    return several


def test_a_leader_that_is_cut_from_the_database_acts_no_more_and_leaves_the_broker(several, island):
    leader, (other,) = several.leader(), several.others()
    began = time.monotonic()
    with island.cut_from(several.server.port):
        until(lambda: several.leader() is other, seconds=20)
        led_s = time.monotonic() - began
        worked_s = works_within(other, 5.0, began)
        print(
            f"cut from the database: another leads after {led_s:.2f} s, a task has run after {worked_s:.2f} s"
        )
        assert led_s <= 5.0
        assert "may not act" in leader.said
        answer = leader.http.post("/tasks", json={"name": "never"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert leader.http.get("/health").is_success
    until(lambda: "does not lead any more" in leader.said)
    works_within(leader, 20.0, time.monotonic())
    assert several.leader() is other
    tasks = other.http.get("/tasks").json()["tasks"]
    assert [task["name"] for task in tasks] == ["log", "log"]


def test_a_cut_that_is_shorter_than_anybody_needs_to_take_the_lead_changes_nothing(several, island):
    """Nobody else is there to take it: the leader acts again once it reaches the database."""
    (other,) = several.others()
    other.program.kill()
    leader, token = several.leader(), several.token()
    with island.cut_from(several.server.port):
        until(lambda: "may not act" in leader.said, seconds=20)
    until(lambda: "may act again" in leader.said, seconds=20)
    works_within(leader, 10.0, time.monotonic())
    assert several.token() == token


def test_a_leader_that_is_cut_from_the_broker_leaves_the_lead_to_one_that_is_not(several, island):
    leader, (other,) = several.leader(), several.others()
    began = time.monotonic()
    with island.cut_from(several.fleet.port):
        until(lambda: several.leader() is other, seconds=40)
        led_s = time.monotonic() - began
        worked_s = works_within(other, 20.0, began)
        print(
            f"cut from the broker: another leads after {led_s:.2f} s, a task has run after {worked_s:.2f} s"
        )
        works_within(leader, 20.0, time.monotonic())
    assert "does not hear the broker" in leader.said
    assert several.leader() is other


def test_a_leader_that_does_not_hear_the_broker_keeps_the_lead_where_nobody_does(several):
    leader = several.leader()
    several.fleet.broker.kill()
    until(lambda: leader.http.get("/ready").status_code == 503, seconds=40)
    asked_until = time.monotonic() + DEAF_S + 3
    until(lambda: time.monotonic() > asked_until)
    assert several.leader() is leader
    several.fleet.broker.start()
    works_within(leader, 20.0, time.monotonic())
