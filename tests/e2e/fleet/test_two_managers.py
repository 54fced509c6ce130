"""Two managers on one channel: the second refuses, and nothing happens to the tasks of the first."""

import json
import os
import signal
import subprocess

import pytest

from tests.e2e.fleet.harness import PROPELLER, Program
from tests.e2e.fleet.mischief import Stranger
from tests.e2e.fleet.test_identities import LOOP
from tests.waiting import until

RUNNING, INTERRUPTED = 2, 6


@pytest.fixture
def fleet(make_fleet):
    """A fleet with a task that runs until it is stopped."""
    fleet = make_fleet(proplets=2)
    fleet.drop_access_rules()
    fleet.sections = ["proplet1"]
    fleet.begin()
    fleet.endless = fleet.task(file=LOOP)
    fleet.post(f"/tasks/{fleet.endless}/start")
    fleet.wait_for_task(fleet.endless, RUNNING)
    return fleet


def second_manager(fleet, name="second"):
    """Name the command of a manager with data of its own."""
    command = [*PROPELLER, "manager", "--config", str(fleet.config), "--http-host", "127.0.0.1"]
    return [*command, "--http-port", "0", "--data-dir", str(fleet.directory / name)]


def identity(fleet, section):
    one = fleet.section(section)
    return {"MANAGER_ENTITY_ID": one["entity_id"], "MANAGER_API_KEY": one["api_key"]}


def check_untouched(fleet):
    """Look whether the task still runs where it did, by what the proplet says of it."""
    again = fleet.task()
    fleet.post(f"/tasks/{again}/start")
    assert fleet.wait_for_task(again)["results"] == "3\n"
    task = fleet.get(f"/tasks/{fleet.endless}")
    assert (task["state"], task.get("attempt", 1)) == (RUNNING, 1)
    fleet.post(f"/tasks/{fleet.endless}/stop")
    assert fleet.wait_for_task(fleet.endless)["state"] == INTERRUPTED


@pytest.mark.parametrize("section", ["manager", "proxy"])
def test_the_second_refuses_to_start_and_says_which_is_there(fleet, section):
    """Also with the identity of the first, where each throws the other out of the broker."""
    who = json.loads((fleet.directory / "manager" / "manager.json").read_text())["id"]
    done = subprocess.run(
        second_manager(fleet),
        env={**os.environ, **identity(fleet, section)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"another manager, {who} on " in done.stderr
    assert f"process {fleet.manager.process.pid}, is alive on channel" in done.stderr
    assert "stop that one, or give this one a channel of its own" in done.stderr
    check_untouched(fleet)


def test_what_somebody_else_says_to_proplets_is_ignored_while_the_manager_lives(fleet):
    proplet_id = fleet.ids["proplet1"]
    stranger = Stranger(fleet)
    stop = {"id": fleet.endless, "proplet_id": proplet_id, "broadcast": False}
    for more in ({}, {"attempt": 1}, {"attempt": 9, "by": ["somebody", 2**60]}):
        for topic in ("control/manager/stop", f"proplet/{proplet_id}/control/manager/stop"):
            stranger.publish(topic, json.dumps({**stop, **more}).encode())
    stranger.publish("control/manager/start", json.dumps({"id": "x", "name": "main", "file": LOOP}).encode())
    stranger.close()
    said = fleet.proplets["proplet1"]
    until(lambda: "control/manager/start: it is not signed" in said.said)
    assert f"proplet/{proplet_id}/control/manager/stop: it is not signed" in said.said
    check_untouched(fleet)


def test_the_same_manager_is_followed_when_it_is_started_anew(fleet):
    fleet.manager.kill()
    fleet.start_manager()
    fleet.wait_for_proplets(1)
    check_untouched(fleet)


def test_a_manager_that_stood_still_gives_way_to_the_one_that_took_its_place(fleet):
    """Its connection is gone when it goes on; the tasks of the other one are none of its business."""
    first = fleet.manager
    first.process.send_signal(signal.SIGSTOP)
    second = Program(second_manager(fleet), fleet.directory / "second.log", identity(fleet, "proxy"))
    fleet._others.append(second)
    until(lambda: fleet.proplets["proplet1"].said.count("follows manager") == 2)
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(30) == 1
    assert "another manager" in first.said
    assert second.process.poll() is None


def test_another_manager_takes_the_place_of_one_that_is_lost(fleet):
    fleet.manager.kill()
    fleet.manager = None
    fleet.directory.joinpath("manager").rename(fleet.directory / "lost")
    fleet.start_manager()
    fleet.wait_for_proplets(1, seconds=30)
    again = fleet.task()
    fleet.post(f"/tasks/{again}/start")
    assert fleet.wait_for_task(again)["results"] == "3\n"
