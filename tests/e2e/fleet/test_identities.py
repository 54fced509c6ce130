"""Somebody has the key of one proplet, and wants the work of the others."""

import json
import re
import signal

import pytest

from propeller.wire.fleet.from_proplet import Alive, Create, Results
from tests.e2e.fleet.forger import Forger
from tests.e2e.fleet.mischief import Listener, Stranger
from tests.waiting import until

INVENTED = 20_000
SECRET = "only for the proplet that runs it"
RUNNING, COMPLETED = 2, 3


def invent(stranger, count, *, topic="control/proplet/{}"):
    """Say hello and live as that many proplets that there are not."""
    for number in range(count):
        name = f"invented-{number}"
        word = json.dumps(
            {"proplet_id": name, "namespace": "default", "metadata": {}, "status": "alive"}
        ).encode()
        for kind in ("create", "alive"):
            stranger.pour(topic.format(kind).replace("ID", name), word)
    stranger.publish("control/proplet/alive", b"{}")  # all before has been looked at


def run_all(fleet, count=20):
    ids = [fleet.task(inputs=[n, 1], env={"SECRET": SECRET}) for n in range(count)]
    for task_id in ids:
        fleet.post(f"/tasks/{task_id}/start")
    return [fleet.wait_for_task(task_id) for task_id in ids]


def check(fleet, listener):
    """Let tasks run, of which nobody else hears."""
    assert [task["results"] for task in run_all(fleet)] == [f"{n + 1}\n" for n in range(20)]
    assert not [said for said in listener.heard if SECRET.encode() in said]
    (only,) = fleet.get("/proplets")["proplets"]
    assert only["id"] == fleet.ids["proplet1"]


@pytest.fixture
def fleet(make_fleet):
    """A fleet of one proplet; the key of the second is in the wrong hands."""
    fleet = make_fleet(proplets=2)
    fleet.sections = ["proplet1"]
    return fleet


def test_with_a_key_one_makes_up_no_proplets(fleet):
    fleet.begin()
    thief = Listener(fleet, "#", "proplet2")
    for topic in ("control/proplet/{}", "from/ID/control/proplet/{}"):
        invent(thief, INVENTED // 4, topic=topic)
    check(fleet, thief)
    thief.close()


def test_a_manager_hears_only_those_that_it_was_told_of(fleet):
    """Also where the broker has no rules: the manager of a provisioned fleet is told who there is."""
    fleet.drop_access_rules(is_heard=False)
    fleet.begin()
    thief = Listener(fleet, "control/manager/#", "proplet2")
    invent(thief, INVENTED)
    check(fleet, thief)
    thief.close()
    told = [line for line in fleet.manager.said.splitlines() if "gets no work and is not heard" in line]
    assert "proplet invented-0 " in told[0]
    assert len(told) <= 50


def test_with_a_key_one_says_nothing_for_others(fleet):
    fleet.begin()
    task_id = fleet.task(daemon=True, file=LOOP, env={"SECRET": SECRET})
    fleet.post(f"/tasks/{task_id}/start")
    assert fleet.wait_for_task(task_id, RUNNING)["proplet_id"] == fleet.ids["proplet1"]
    thief = Stranger(fleet, "proplet2")
    victim = fleet.ids["proplet1"]
    forged = {"task_id": task_id, "proplet_id": victim, "results": "forged", "error": None}
    for topic in ("control/proplet/results", f"from/{victim}/control/proplet/results"):
        for attempt in ({}, {"attempt": 1}):
            thief.publish(topic, json.dumps({**forged, **attempt}).encode())
    thief.close()
    # On its own topic it speaks for itself, whatever name it gives.
    mine = fleet.ids["proplet2"]
    signer = Forger(fleet, "proplet2")
    signer.signed(
        f"from/{mine}/control/proplet/signed",
        Results(**forged, attempt=1),
        Create(proplet_id=mine),
        Alive(proplet_id=mine),
        to=signer.epoch,
        session=1,
    )
    signer.close()
    until(lambda: f"refused a message of {mine} about task {task_id}" in fleet.manager.said)
    assert fleet.get(f"/tasks/{task_id}")["state"] == RUNNING
    listener = Listener(fleet, "#", "proplet2")
    check(fleet, listener)
    listener.close()


def test_with_the_key_of_a_foreign_one_one_reports_for_none_of_ours(make_fleet):
    """Neither by the name in a message, nor by one within its results, nor by none."""
    fleet = make_fleet(proplets=1, foreign=["gate"])
    fleet.begin()
    task_id = fleet.task(daemon=True, file=LOOP)
    fleet.post(f"/tasks/{task_id}/start")
    victim = fleet.wait_for_task(task_id, RUNNING)["proplet_id"]
    assert victim == fleet.ids["proplet"]
    thief = Stranger(fleet, "foreign1")
    for forged in (
        {"proplet_id": victim, "results": "forged"},
        {"results": {"proplet_id": victim, "task_id": task_id, "update": "forged"}},
        {"results": "forged"},
    ):
        for attempt in ({}, {"attempt": 1}):
            word = {"task_id": task_id, "error": "forged", **forged, **attempt}
            thief.publish("control/proplet/results", json.dumps(word).encode())
    thief.close()
    until(lambda: f"refused a message of a proplet that does not say which about task {task_id}" in
         fleet.manager.said)  # fmt: skip
    assert f"of {victim}: on a topic that all share" in fleet.manager.said
    task = fleet.get(f"/tasks/{task_id}")
    assert (task["state"], task.get("attempt", 1)) == (RUNNING, 1)
    assert run_all(fleet, 1)[0]["state"] == COMPLETED


#: Runs until it is stopped.
LOOP = "AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoLAQkAA0AMAAtBAAs="

#: The access rules as they were before proplets had topics of their own.
EARLIER = {
    "manager": """write control/manager/#
write proplet/#
write registry/server
read control/proplet/#
read registry/proplet
read fl/#""",
    "proplet": """write control/proplet/#
write registry/proplet
write fl/#
read control/manager/start
read control/manager/stop
read control/manager/invoke
read control/manager/hello
read registry/server
read proplet/ID/#""",
}


def write_earlier_files(fleet):
    acl = fleet.directory / "acl"
    blocks = []
    for section in ("manager", "proplet1", "proplet2"):
        one = fleet.section(section)
        base = f"m/{one['tenant_id']}/c/{one['channel_id']}"
        rules = EARLIER[section.rstrip("12")].replace("ID", one["entity_id"])
        lines = re.sub(r"(?m)^(\w+) ", rf"topic \1 {base}/", rules)
        blocks.append(f"# {section}\nuser {one['entity_id']}\n{lines}\n")
    acl.write_text("# mine\ntopic read news\n\n" + "\n".join(blocks))
    conf = fleet.directory / "mosquitto.conf"
    conf.write_text(conf.read_text().replace("use_username_as_clientid true\n", ""))
    of_later = r"(?m)^(allow_foreign|signing_key|manager_key|proxy_key|proplet_keys) .*\n"
    fleet.config.write_text(re.sub(of_later, "", fleet.config.read_text()))


def test_a_fleet_with_files_of_an_earlier_version_goes_on_and_is_renewed(fleet):
    write_earlier_files(fleet)
    fleet.begin()
    assert run_all(fleet, 1)[0]["state"] == COMPLETED
    assert "renew the broker's access rules with `propeller provision renew`" in fleet.manager.said
    fleet.run("provision", "renew", "-f", str(fleet.config))
    assert "topic read news\n" in (fleet.directory / "acl").read_text()
    fleet.broker._process.send_signal(signal.SIGHUP)
    thief = Stranger(fleet, "proplet2")
    fleet.proplets["proplet1"].stop()
    fleet.manager.stop()
    fleet.start_manager()
    fleet.start_proplet("proplet1")
    fleet.wait_for_proplets(1)
    invent(thief, 10)
    assert run_all(fleet, 1)[0]["state"] == COMPLETED
    assert len(fleet.get("/proplets")["proplets"]) == 1
    thief.close()
