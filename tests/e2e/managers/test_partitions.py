"""A leader that is cut from the database but not from the broker, and the other way round."""

import time

import pytest

from propeller.assembly.deafness import DEAF_S
from tests.e2e.managers.harness import works_within
from tests.parts.netns import Island
from tests.waiting import until


@pytest.fixture(scope="module")
def island():
    with Island() as one:
        yield one


@pytest.fixture(scope="module")
def both(make_several, island, tmp_path_factory):
    with make_several(tmp_path_factory.mktemp("several")) as several:
        several.fleet.broker.start()
        several.start("a", island=island)
        several.start("b", seen_from=island)
        several.fleet.http = several.managers["a"].http
        several.fleet.start_proplet("proplet", PROPLET_DIRS=str(several.logs))
        several.fleet.wait_for_proplets(1)
        yield several


@pytest.fixture
def several(both):
    """Two managers; the one that leads is on a machine of its own."""
    both.let_lead(both.managers["a"])
    return both


def test_a_leader_that_is_cut_from_the_database_acts_no_more_and_leaves_the_broker(several, island):
    leader, (other,) = several.leader(), several.others()
    lost = leader.said.count("does not lead any more")
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
    until(lambda: leader.said.count("does not lead any more") > lost)
    works_within(leader, 20.0, time.monotonic())
    assert several.leader() is other
    assert "never" not in [task["name"] for task in other.http.get("/tasks?limit=100").json()["tasks"]]


def test_a_cut_that_is_shorter_than_anybody_needs_to_take_the_lead_changes_nothing(several, island):
    """Nobody else is there to take it: the leader acts again once it reaches the database."""
    (other,) = several.others()
    other.program.kill()
    leader, token = several.leader(), several.token()
    silent, again = leader.said.count("may not act"), leader.said.count("may act again")
    with island.cut_from(several.server.port):
        until(lambda: leader.said.count("may not act") > silent, seconds=20)
    until(lambda: leader.said.count("may act again") > again, seconds=20)
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


def test_a_request_at_one_that_is_cut_from_the_database_and_from_the_leader_is_answered(both, island):
    """It knows of no other leader, and its connections to the one that it knows do not break."""
    far, near = both.managers["a"], both.managers["b"]
    both.let_lead(near)
    until(lambda: far.http.get("/proplets").is_success, seconds=20)  # so there is a connection
    with island.cut_from(both.server.port), island.cut_from(near.port):
        began = time.monotonic()
        answer = far.http.post("/tasks", json={"name": "unheard"}, timeout=60)
        took_s = time.monotonic() - began
        print(f"cut from the leader: {answer.status_code} after {took_s:.1f} s")
        assert (answer.status_code, took_s <= 15) == (502, True), answer.text
        assert far.http.get("/proplets", timeout=60).status_code == 503
