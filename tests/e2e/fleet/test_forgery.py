"""A broker without any access rules, and somebody who says what he likes there: signatures alone protect."""

import json

import pytest

from propeller.wire.fleet.from_manager import Start, Stop
from propeller.wire.fleet.from_proplet import Alive, Results
from tests.e2e.fleet.forger import Forger
from tests.e2e.fleet.harness import ADDITION
from tests.e2e.fleet.mischief import Stranger
from tests.waiting import until

#: Runs until it is stopped.
LOOP = "AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoLAQkAA0AMAAtBAAs="
RUNNING, COMPLETED = 2, 3


@pytest.fixture
def fleet(make_fleet):
    """A fleet of one proplet; the forger has all keys of the second, and every right at the broker."""
    fleet = make_fleet(proplets=2)
    fleet.sections = ["proplet1"]
    fleet.drop_access_rules()
    fleet.begin()
    return fleet


def proplet_says(fleet, words):
    until(lambda: words in fleet.proplets["proplet1"].said)


def manager_says(fleet, words):
    until(lambda: words in fleet.manager.said)


def is_untouched(fleet, task_id):
    """The task runs as before, and another one ends as it should, with its own result."""
    task = fleet.get(f"/tasks/{task_id}")
    assert (task["state"], task.get("attempt", 1)) == (RUNNING, 1)
    (proplet,) = (one for one in fleet.get("/proplets")["proplets"] if one["id"] == fleet.ids["proplet1"])
    assert proplet["alive"]
    assert proplet["signed"] is True
    other = fleet.task()
    fleet.post(f"/tasks/{other}/start")
    assert fleet.wait_for_task(other)["results"] == "3\n"


def test_forged_messages_change_nothing(fleet):
    task_id = fleet.task(daemon=True, file=LOOP)
    fleet.post(f"/tasks/{task_id}/start")
    fleet.wait_for_task(task_id, RUNNING)
    victim, mine = fleet.ids["proplet1"], fleet.ids["proplet2"]
    boot = 2**62
    forger = Forger(fleet, "proplet2")
    result = Results(task_id=task_id, proplet_id=victim, results="forged", attempt=1)
    offline = Alive(proplet_id=victim, status="offline", boot=boot)
    fields = {"task_id": task_id, "proplet_id": victim, "results": "forged", "attempt": 1}
    # In the name of the proplet: on its own topic and on those of all, unsigned and with another key.
    for topic in ("control/proplet", f"from/{victim}/control/proplet"):
        forger.plain(f"{topic}/results", **fields)
        forger.plain(f"{topic}/alive", proplet_id=victim, status="offline", boot=boot)
        forger.plain(f"{topic}/create", proplet_id=victim, boot=boot, running=[])
        forger.plain(f"{topic}/handback", **fields, reason="forged")
    forger.signed(f"from/{victim}/control/proplet/signed", result, offline, to=forger.epoch)
    forger.signed(f"from/{victim}/control/proplet/signed", offline, to=0)
    # In its own name, with its own key, about a task that is not its own.
    forger.signed(f"from/{mine}/control/proplet/signed", result, to=forger.epoch)
    manager_says(fleet, f"of {victim}: its signature is wrong")
    manager_says(fleet, f"of {victim}: it is not signed")
    manager_says(fleet, f"of {victim}: on a topic that all share")
    manager_says(fleet, f"refused a message of {mine} about task {task_id}")
    is_untouched(fleet, task_id)
    # In the name of the manager.
    forged = {"id": "forged", "name": "main", "file": ADDITION, "inputs": ["1", "2"], "proplet_id": victim}
    for topic in ("control/manager", f"proplet/{victim}/control/manager"):
        forger.plain(f"{topic}/start", **forged)
        forger.plain(f"{topic}/stop", id=task_id, proplet_id=victim)
    forger.plain("control/manager/announcement", manager_id="other", epoch=1, status="here", at=1)
    commands = Start(id="forged", name="main", file=ADDITION, proplet_id=victim), Stop(id=task_id)
    forger.signed(f"proplet/{victim}/control/manager/signed", *commands, to=boot)
    proplet_says(fleet, "control/manager/stop: it is not signed")
    proplet_says(fleet, "control/manager/announcement: the manager of PROPLET_MANAGER_KEY has not signed it")
    is_untouched(fleet, task_id)
    ran = [topic for topic, said in forger.heard if b'"task_id":"forged"' in said]
    assert not ran, "the task that nobody asked for has run"
    forger.close()


def test_what_was_recorded_counts_for_nothing_neither_before_a_restart_nor_after(fleet):
    forger = Forger(fleet, "proplet2")
    ended = fleet.task()
    fleet.post(f"/tasks/{ended}/start")
    fleet.wait_for_task(ended, COMPLETED)
    task_id = fleet.task(daemon=True, file=LOOP)
    fleet.post(f"/tasks/{task_id}/start")
    fleet.wait_for_task(task_id, RUNNING)
    victim = fleet.ids["proplet1"]
    recorded = [one for one in forger.heard if one[0].split("/")[0] in ("from", "proplet")]
    assert {topic.split("/")[0] for topic, _ in recorded} == {"from", "proplet"}
    forger.again(recorded)
    manager_says(fleet, f"of {victim}: it is a repetition")
    proplet_says(fleet, "control/manager/signed: it is a repetition")
    is_untouched(fleet, task_id)
    fleet.manager.kill()
    fleet.start_manager()
    fleet.wait_for_proplets(1)
    forger.again(recorded)
    manager_says(fleet, f"of {victim}: it is for another start")
    is_untouched(fleet, task_id)
    fleet.proplets["proplet1"].kill()
    fleet.start_proplet("proplet1")
    until(lambda: fleet.get(f"/tasks/{task_id}").get("attempt") == 2)
    fleet.wait_for_task(task_id, RUNNING)
    forger.again(recorded)
    proplet_says(fleet, "control/manager/signed: it is for another start")
    assert fleet.get(f"/tasks/{task_id}")["attempt"] == 2
    assert fleet.get(f"/tasks/{ended}")["state"] == COMPLETED
    forger.close()


def test_a_clock_that_is_wrong_by_ten_minutes_does_not_matter(make_fleet):
    fleet = make_fleet(proplets=2)
    fleet.broker.start()
    fleet.start_manager()
    for section, clock in zip(fleet.sections, ("-10m", "+10m"), strict=True):
        fleet.start_proplet(section, clock=clock)
    fleet.wait_for_proplets(2)
    ids = [fleet.task() for _ in range(4)]
    for task_id in ids:
        fleet.post(f"/tasks/{task_id}/start")
    ended = [fleet.wait_for_task(task_id) for task_id in ids]
    assert {task["state"] for task in ended} == {COMPLETED}
    assert {task["proplet_id"] for task in ended} == {fleet.ids[section] for section in fleet.sections}


def test_a_foreign_proplet_keeps_the_form_of_the_contract_and_is_listed_as_unsigned(make_fleet):
    fleet = make_fleet(proplets=1, foreign=["gate"])
    fleet.begin()
    gate = Stranger(fleet, "foreign1")
    word = {"proplet_id": "gate", "namespace": "default", "status": "alive"}
    for kind in ("create", "alive"):
        gate.publish(f"control/proplet/{kind}", json.dumps(word).encode())
    fleet.wait_for_proplets(2)
    assert {one["id"]: one["signed"] for one in fleet.get("/proplets")["proplets"]} == {
        "gate": False,
        fleet.ids["proplet"]: True,
    }
    gate.close()
