"""Silence that means nothing: of a broker that is away, of a manager that stands still or has another clock."""

import base64
import contextlib
import shutil
import signal
import sqlite3
import time

import pytest
import wasmtime

from tests.builders import SLEEP
from tests.waiting import until

LIVENESS_S = 3
FLAGS = ("--liveness", f"{LIVENESS_S}s")
SLEEPING = base64.b64encode(wasmtime.wat2wasm(SLEEP)).decode()
HOUR_NS = 3600 * 10**9


@pytest.fixture
def fleet(make_fleet):
    return make_fleet(proplets=2)


@pytest.fixture
def tasks(fleet):
    """Two tasks that run for longer than the test."""
    fleet.begin(*FLAGS)
    made = [fleet.task(name="sleep", file=SLEEPING, inputs=[HOUR_NS]) for _ in range(2)]
    for task in made:
        fleet.post(f"/tasks/{task}/start")
        fleet.wait_for_task(task, 2)
    return made


def alive(fleet):
    return fleet.get("/proplets?status=active")["total"] == 2


def still_run(fleet, tasks):
    """See the first attempts go on, past the time at which a lease could have ended."""
    until(lambda: alive(fleet))
    lease_over = time.monotonic() + 1.5 * LIVENESS_S

    def is_over():
        for task in tasks:
            found = fleet.get(f"/tasks/{task}")
            assert (found["state"], found.get("attempt", 1)) == (2, 1), found
        return time.monotonic() > lease_over

    until(is_over)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_that_is_away_for_longer_than_a_lease_ends_none(fleet, tasks, how):
    getattr(fleet.broker, how)()
    until(lambda: not alive(fleet) or how == "kill")
    away_until = time.monotonic() + 3 * LIVENESS_S
    until(lambda: time.monotonic() > away_until)
    fleet.broker.start()
    still_run(fleet, tasks)


def test_a_manager_that_stands_still_for_longer_than_a_lease_ends_none(fleet, tasks):
    process = fleet.manager.process
    process.send_signal(signal.SIGSTOP)
    stopped_until = time.monotonic() + 3 * LIVENESS_S
    until(lambda: time.monotonic() > stopped_until)
    process.send_signal(signal.SIGCONT)
    still_run(fleet, tasks)


def test_a_proplet_that_dies_while_the_manager_stands_still_is_missed_afterwards(fleet, tasks):
    fleet.manager.process.send_signal(signal.SIGSTOP)
    fleet.proplets["proplet1"].kill()
    stopped_until = time.monotonic() + 2 * LIVENESS_S
    until(lambda: time.monotonic() > stopped_until)
    fleet.manager.process.send_signal(signal.SIGCONT)
    until(lambda: {fleet.get(f"/tasks/{task}").get("attempt", 1) for task in tasks} == {1, 2})


def test_a_manager_that_went_back_to_a_backup_settles_what_its_proplets_are_past(fleet):
    """What ended after the backup was made runs once more; before, its start was repeated for ever."""
    fleet.begin(*FLAGS)
    task = fleet.task(name="sleep", file=SLEEPING, inputs=[2 * 10**9])
    fleet.post(f"/tasks/{task}/start")
    fleet.wait_for_task(task, 2)
    data = fleet.directory / "manager"
    with contextlib.closing(sqlite3.connect(data / "propeller.db")) as db:
        db.execute("VACUUM INTO ?", (str(fleet.directory / "backup.db"),))
    assert fleet.wait_for_task(task)["state"] == 3
    fleet.manager.stop()
    for kept in data.glob("propeller.db*"):
        kept.unlink()
    shutil.copy(fleet.directory / "backup.db", data / "propeller.db")
    fleet.start_manager(*FLAGS)
    assert fleet.get(f"/tasks/{task}")["state"] == 2
    ended = fleet.wait_for_task(task)
    assert (ended["state"], ended["attempt"]) == (3, 2)
