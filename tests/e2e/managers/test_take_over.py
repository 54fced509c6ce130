"""Another manager leads: soon after a crash, at once after a stop, and after one that stood still."""

import signal
import time

import pytest

from tests.e2e.managers.harness import works_within
from tests.waiting import until

#: What the README promises, s.
AFTER_CRASH_S, AFTER_STOP_S = 5.0, 1.0


@pytest.fixture
def several(both):
    """Two managers, of which the test may end one."""
    for one in both.managers.values():
        both.revive(one)
    return both


def lead_passes(several, leader, began):
    """Give how long after ``began`` another leads by the database, s."""
    until(lambda: several.leader() is not leader)
    return time.monotonic() - began


def test_another_leads_within_five_seconds_of_a_crash_and_work_goes_on(several):
    leader, (other,) = several.leader(), several.others()
    began = time.monotonic()
    leader.program.kill()
    led_s = lead_passes(several, leader, began)
    worked_s = works_within(other, AFTER_CRASH_S, began)
    print(f"after kill -9: another leads after {led_s:.2f} s, a task has run after {worked_s:.2f} s")
    assert led_s <= AFTER_CRASH_S
    assert worked_s <= AFTER_CRASH_S + 1


def test_another_leads_within_a_second_of_a_stop_and_work_goes_on(several):
    leader, (other,) = several.leader(), several.others()
    began = time.monotonic()
    leader.send(signal.SIGTERM)
    led_s = lead_passes(several, leader, began)
    worked_s = works_within(other, AFTER_STOP_S, began)
    print(f"after a stop: another leads after {led_s:.2f} s, a task has run after {worked_s:.2f} s")
    assert leader.program.process.wait(20) == 0
    leader.program.process = None
    assert led_s <= AFTER_STOP_S
    assert worked_s <= AFTER_STOP_S + 1


def test_a_leader_that_stood_still_for_longer_than_its_lease_writes_nothing_and_follows(several):
    leader, (other,) = several.leader(), several.others()
    token = several.token()
    leader.send(signal.SIGSTOP)
    until(lambda: several.leader() is other)
    works_within(other, AFTER_CRASH_S, time.monotonic())
    commits = several.server.sql("SELECT commits FROM leader", several.database)
    leader.send(signal.SIGCONT)
    until(lambda: "does not lead any more" in leader.said)
    works_within(leader, AFTER_CRASH_S, time.monotonic())
    assert several.leader() is other
    assert several.token() == token + 1
    assert leader.program.process.poll() is None
    assert int(commits) > 0
