"""Messages that are repeated, forged, damaged or too large: nothing happens but a word in the log."""

import json

import pytest

from tests.e2e.fleet.big_workflow import BigWorkflow
from tests.e2e.fleet.mischief import Parrot, Stranger
from tests.waiting import until

#: Runs until it is stopped.
LOOP = "AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoLAQkAA0AMAAtBAAs="
TO_MANAGER = [
    "control/proplet/create",
    "control/proplet/alive",
    "control/proplet/results",
    "control/proplet/handback",
    "control/proplet/logs",
    "control/proplet/module",
    "control/proplet/metrics",
    "control/proplet/task_metrics",
    "control/proplet/invoke_results",
    "registry/proplet",
]
TO_PROPLETS = ["control/manager/start", "control/manager/stop", "control/manager/hello", "registry/server"]
RUBBISH = [
    b"",
    b"\x00\xff\xfe",
    b"not JSON",
    b"[]",
    b"null",
    b"{",
    b'{"task_id":5}',
    b'{"proplet_id":"../#","id":7,"app_name":[]}',
    b'{"id":"","name":"","proplet_id":""}',
    b'{"task_id":"x","proplet_id":"y","attempt":-1,"results":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"proplet_id":"' + b"x" * 2_000_000 + b'"}',
]


@pytest.fixture
def fleet(make_fleet):
    """A fleet in which a password is enough to say anything."""
    fleet = make_fleet(proplets=3)
    fleet.drop_access_rules()
    fleet.begin()
    return fleet


def test_everything_is_said_twice_and_in_any_order(fleet):
    parrot = Parrot(fleet)
    big = BigWorkflow()
    workflow_id = big.start(fleet)
    fleet.wait_for_workflow(workflow_id)
    parrot.close()
    assert parrot.repeated > 300
    big.check(fleet, workflow_id)


def test_a_result_of_somebody_who_does_not_hold_the_task_is_refused(fleet):
    stranger = Stranger(fleet)
    task_id = fleet.task(file=LOOP)
    fleet.post(f"/tasks/{task_id}/start")
    holder = fleet.wait_for_task(task_id, 2)["proplet_id"]
    other = next(proplet_id for proplet_id in fleet.ids.values() if proplet_id != holder)
    for forged in (
        {"proplet_id": other, "attempt": 1},
        {"proplet_id": other},
        {"proplet_id": holder},
        {"proplet_id": holder, "attempt": 2},
        {"proplet_id": "nobody"},
        {},
    ):
        message = {"task_id": task_id, "results": "forged", "error": None, **forged}
        stranger.publish("control/proplet/results", json.dumps(message).encode())
    stranger.close()
    # One word for each that they are said to come from; the holder has a key, and these are not signed with it.
    until(lambda: fleet.manager.said.count(f"about task {task_id}") == 3)
    until(lambda: f"of {holder}: on a topic that all share, and not signed" in fleet.manager.said)
    assert fleet.get(f"/tasks/{task_id}")["state"] == 2
    assert "results" not in fleet.get(f"/tasks/{task_id}")
    fleet.post(f"/tasks/{task_id}/stop")


def test_rubbish_on_every_topic_is_ignored_and_logged_once_for_each_kind(fleet):
    stranger = Stranger(fleet)
    own = [f"proplet/{fleet.ids['proplet1']}/{topic}" for topic in (*TO_PROPLETS, "control/manager/ack", "x")]
    for _ in range(3):
        for topic in (*TO_MANAGER, *TO_PROPLETS, *own):
            for payload in RUBBISH:
                stranger.publish(topic, payload)
    stranger.close()
    for _ in range(6):
        task_id = fleet.task()
        fleet.post(f"/tasks/{task_id}/start")
        assert fleet.wait_for_task(task_id)["results"] == "3\n"
    known = {proplet["id"] for proplet in fleet.get("/proplets")["proplets"]}
    assert known == {fleet.ids[section] for section in fleet.sections}
    for said in (fleet.manager.said, fleet.proplets["proplet1"].said):
        complaints = [json.loads(line)["msg"] for line in said.splitlines() if "ignored" in line]
        assert complaints
        assert len(complaints) <= 40
        assert not [line for line in said.splitlines() if '"ERROR"' in line or "Traceback" in line]
