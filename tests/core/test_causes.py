"""Each change of state names what made it."""

import pytest
from msgspec.structs import replace

from propeller.core import causes
from propeller.core.causes import CauseKind
from propeller.core.effects import Transition
from propeller.core.events import (
    DrainProplet,
    PropletLost,
    PropletSeen,
    RunCompiles,
    RunHandedBack,
    RunUp,
    StopGroup,
    StopTask,
    TimePassed,
)
from propeller.core.model import FromParent, GroupKind, JobMode
from propeller.core.policy import Policy
from propeller.core.states import FAILED, TaskState
from propeller.core.timers import TimerOf
from propeller.store import rows
from tests.core.helpers import Rules, Turn, a_task, job


def caused(turn: Turn) -> list[str]:
    """Tell each move with its cause, as it comes back from the store."""
    stored = rows.to_events([rows.event_row(1, turn.changes.transitions, 0)[1:]])
    return [f"{move.task_id} {move.state.name}: {move.whole_cause}" for _, move in stored]


def running(*, policy: Policy | None = None, **fields) -> Rules:
    """Run one task on the first of two proplets."""
    rules = Rules(policy)
    rules.proplet("p")
    rules.create(a_task("a", **fields))
    rules.start("a")
    rules.proplet("q")
    return rules


# -- users, proplets, placement ------------------------------------------------------------------------------


def test_a_user_starts_a_task_the_scheduler_places_it_and_its_proplet_ends_it():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a"))
    assert caused(rules.start("a")) == ["a SCHEDULED: user", "a RUNNING: placement"]
    turn = rules.completes("a")
    assert caused(turn) == ["a COMPLETED: proplet p"]
    assert caused(rules.start("a")) == ["a SCHEDULED: user", "a RUNNING: placement"]
    assert caused(rules.fails("a")) == ["a FAILED: proplet p"]


def test_what_is_usual_takes_no_room():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a"))
    moves = [*rules.start("a").changes.transitions, *rules.completes("a").changes.transitions]
    assert [move.cause for move in moves] == [None] * 3


def test_a_user_stops_a_task_or_its_group():
    rules = running()
    assert caused(rules.turn(StopTask("a"))) == ["a INTERRUPTED: user"]
    rules.workflow(a_task("b"), a_task("c", "b"))
    assert caused(rules.start_workflow())[0] == "b SCHEDULED: user"
    stopped = rules.turn(StopGroup(GroupKind.WORKFLOW, "w"))
    assert caused(stopped) == ["c INTERRUPTED: user", "b INTERRUPTED: user"]
    assert "b PENDING: user" in caused(rules.start_workflow())


def test_a_task_that_fails_before_it_is_placed_does_so_by_what_made_it_ready():
    rules = Rules()
    rules.proplet()
    rules.workflow(a_task("a"), a_task("b", "a", inputs=(FromParent("a"),)))
    rules.start_workflow()
    told = caused(rules.completes("a"))
    assert told == ["a COMPLETED: proplet p", "b SCHEDULED: parent a", "b FAILED: parent a"]


def test_each_event_of_a_turn_has_its_own():
    rules = Rules()
    rules.proplet()
    rules.create(a_task("a"), a_task("b"))
    rules.start("a")
    rules.start("b")
    turn = rules.turn(StopTask("a"), rules.end_of("b"))
    assert caused(turn) == ["a INTERRUPTED: user", "b COMPLETED: proplet p"]


def test_a_report_that_changes_no_state_is_a_cause_too():
    rules = running()
    assert caused(rules.turn(RunCompiles("p", "a", 1, 65 * 2**20))) == ["a RUNNING: proplet p"]
    handed_back = RunHandedBack(proplet_id="p", task_id="a", attempt=1, reason="it is busy")
    assert caused(rules.turn(handed_back)) == ["a SCHEDULED: proplet p", "a RUNNING: placement"]
    resident = running(daemon=True)
    assert caused(resident.turn(RunUp("p", "a", 1))) == ["a RUNNING: proplet p"]


def test_of_a_broadcast_the_proplet_that_reports_last_is_the_cause():
    rules = Rules()
    rules.proplet("p")
    rules.proplet("q")
    rules.create(a_task("a", broadcast=True))
    assert caused(rules.start("a")) == ["a SCHEDULED: user", "a RUNNING: placement"]
    end = rules.end_of("a")
    assert caused(rules.turn(replace(end, proplet_id="q"))) == []
    assert caused(rules.turn(replace(end, proplet_id="p"))) == ["a COMPLETED: proplet p"]


# -- other tasks ---------------------------------------------------------------------------------------------


def test_the_parent_that_was_waited_for_last_is_the_cause_and_a_skipped_one_of_the_next_skip():
    rules = Rules()
    rules.proplet()
    rules.workflow(a_task("a"), a_task("b"), a_task("c", "a", "b"), a_task("d", "c"))
    rules.start_workflow()
    assert caused(rules.completes("b")) == ["b COMPLETED: proplet p"]
    told = caused(rules.fails("a"))
    assert told == ["a FAILED: proplet p", "c SKIPPED: parent a", "d SKIPPED: parent c"]


def test_the_task_before_in_a_sequential_job_counts_as_a_parent():
    rules = Rules()
    rules.proplet()
    rules.turn(job(JobMode.SEQUENTIAL, a_task("a"), a_task("b")))
    rules.start_job()
    told = caused(rules.completes("a"))
    assert told == ["a COMPLETED: proplet p", "b SCHEDULED: parent a", "b RUNNING: placement"]


def test_a_failure_in_a_fail_fast_job_is_the_cause_for_the_others():
    rules = Rules()
    rules.proplet(slots=2)
    rules.turn(job(JobMode.CONFIGURABLE, a_task("a"), a_task("b"), a_task("c", "b")))
    rules.start_job()
    told = caused(rules.fails("a"))
    assert told == ["a FAILED: proplet p", "c SKIPPED: task a", "b INTERRUPTED: task a"]


# -- proplets that are gone ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "after_s"),
    [
        ([PropletLost("p", "its program has ended")], 0.0),
        ([PropletSeen(proplet_id="p", boot=2, slots=1, running=())], 0.0),
        ([PropletSeen(proplet_id="q", boot=1), TimePassed()], 1e4),
    ],
)
def test_a_proplet_that_is_lost_started_anew_or_silent_is_named(events, after_s):
    rules = running()
    told = caused(rules.turn(*events, after_s=after_s))
    assert told == ["a SCHEDULED: proplet lost p", "a RUNNING: placement"]


def test_a_proplet_that_is_drained_is_named():
    rules = running()
    assert caused(rules.turn(DrainProplet("p", 1.0))) == []
    told = caused(rules.turn(TimePassed(), after_s=2))
    assert told == ["a SCHEDULED: proplet lost p", "a RUNNING: placement"]


def test_a_proplet_that_says_nothing_of_a_task_is_named():
    rules = running(policy=Policy(resend_s=1.0))
    told: list[str] = []
    while not told:
        rules.turn(PropletSeen(proplet_id="q", boot=1))
        seen = PropletSeen(proplet_id="p", boot=1, slots=1, running=())
        told = caused(rules.turn(seen, after_s=2))
    assert told[0] == "a SCHEDULED: proplet lost p"


def test_a_foreign_proplet_whose_lease_is_over_is_named():
    rules = Rules(Policy(foreign_lease_s=5.0))
    rules.turn(PropletSeen(proplet_id="p", boot=0))
    rules.create(a_task("a"))
    rules.start("a")
    told: list[str] = []
    while not told:
        told = caused(rules.turn(PropletSeen(proplet_id="p", boot=0), TimePassed(), after_s=2))
    assert told[0] == "a SCHEDULED: proplet lost p"


def test_a_loss_too_many_is_the_cause_of_the_failure():
    rules = running(policy=Policy(losses_max=0))
    assert caused(rules.turn(PropletLost("p", "it is gone"))) == ["a FAILED: proplet lost p"]


def test_the_start_of_a_manager_takes_the_work_of_its_local_proplets_back():
    rules = Rules()
    rules.proplet("p", is_local=True)
    rules.create(a_task("a"))
    rules.start("a")
    assert caused(rules.restart()) == ["a SCHEDULED: manager"]


# -- what is stored ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", TaskState)
def test_a_change_without_a_cause_has_the_usual_one(state):
    words = ["user", "user", "placement", "proplet p", "proplet p", "unknown", "user"]
    assert str(causes.whole(None, state, "p")) == words[state]


@pytest.mark.parametrize("timer", TimerOf)
def test_a_timer_is_named_with_what_was_due(timer):
    cause = causes.by_timer(timer)
    assert (cause.kind, str(cause)) == (CauseKind.TIMER, f"timer {timer.value}")
    move = Transition(task_id="a", name="a", state=FAILED, at=1, proplet_id="p", cause=cause)
    ((_, read),) = rows.to_events([rows.event_row(1, [move], 0)[1:]])
    assert read.whole_cause == cause
