"""Proplets come and go: where tasks are placed, and what becomes of them when a proplet is lost."""

import pytest

from propeller.core.events import (
    CreateTasks,
    DeleteProplet,
    ManagerStarted,
    PropletLost,
    PropletSeen,
    RunEnded,
    RunHandedBack,
    StartTask,
    StopTask,
    TimePassed,
)
from propeller.core.failures import ErrorKind
from propeller.core.placement import WINDOW_MAX
from propeller.core.policy import Policy
from propeller.errors import Conflict, NotFound
from tests.core.helpers import Rules, a_task


def started(*specs, policy: Policy | None = None, **proplet) -> Rules:
    rules = Rules(policy)
    rules.proplet(**proplet)
    rules.create(*specs)
    for spec in specs:
        rules.start(spec.id)
    return rules


# -- placement -----------------------------------------------------------------------------------------------


def test_a_task_waits_until_there_is_a_proplet():
    rules = Rules()
    rules.create(a_task("a"))
    assert rules.start("a").sent == []
    assert str(rules.task("a").reason) == "waits for a proplet: none is alive"
    assert rules.proplet().sent == ["start a 1 on p"]
    assert rules.task("a").reason is None


def test_higher_priority_goes_first_then_age():
    rules = Rules()
    rules.create(a_task("old"), a_task("low", priority=10), a_task("new"), a_task("high", priority=90))
    for task_id in ("new", "low", "old", "high"):
        rules.start(task_id)
    sent = rules.proplet(slots=4).sent
    assert [line.split()[1] for line in sent] == ["high", "old", "new", "low"]


def test_proplets_with_room_take_turns():
    rules = Rules()
    rules.proplet("p", slots=2)
    rules.proplet("q", slots=2)
    specs = [a_task(name) for name in "abcde"]
    turn = rules.turn(CreateTasks(specs=tuple(specs)), *(StartTask(spec.id) for spec in specs))
    assert [line.split()[-1] for line in turn.sent] == ["p", "q", "p", "q"]
    assert rules.task("e").state.name == "SCHEDULED"


def test_a_pinned_task_waits_for_its_proplet():
    rules = Rules()
    rules.proplet("p")
    rules.create(a_task("a", pin="q"))
    assert rules.start("a").sent == []
    assert str(rules.task("a").reason) == "waits for proplet q, which has never been seen"
    assert rules.proplet("q").sent == ["start a 1 on q"]


def test_pinned_tasks_and_others_share_a_proplet_by_rank():
    rules = Rules()
    rules.create(a_task("free"), a_task("pinned", pin="p"), a_task("urgent", pin="p", priority=90))
    for task_id in ("free", "pinned", "urgent"):
        rules.start(task_id)
    sent = rules.proplet(slots=3).sent
    assert [line.split()[1] for line in sent] == ["urgent", "free", "pinned"]


def test_the_window_widens_one_by_one_while_tasks_are_tiny_and_narrows_at_once():
    rules = started(a_task("a"), a_task("b"), slots=2)
    proplet = rules.state.proplets["p"]
    rules.completes("a")
    assert proplet.window == 3
    rules.turn(rules.end_of("b", started_at=1, finished_at=9_000_000_000), after_s=9)
    assert proplet.window == 2


def test_the_window_has_a_limit():
    rules = started(a_task("a"), slots=WINDOW_MAX)
    rules.completes("a")
    assert rules.state.proplets["p"].window == WINDOW_MAX


def test_a_task_that_is_handed_back_is_placed_anew_and_is_no_loss():
    rules = started(a_task("a"))
    turn = rules.turn(RunHandedBack(proplet_id="p", task_id="a", attempt=1, reason="it is busy"))
    assert turn.moves == ["a SCHEDULED", "a RUNNING"]
    assert turn.sent == ["ack a 1 on p", "start a 2 on p"]
    assert rules.task("a").losses == 0


def test_a_task_that_its_proplet_has_lost_runs_again_but_not_for_ever():
    rules = started(a_task("a"))

    def lost(attempt):
        why = "the process that ran it was killed"
        return rules.turn(
            RunHandedBack(proplet_id="p", task_id="a", attempt=attempt, reason=why, is_lost=True)
        )

    for attempt in range(1, 4):
        assert lost(attempt).moves == ["a SCHEDULED", "a RUNNING"]
        task = rules.task("a")
        assert task.losses == attempt
        why = f"attempt {attempt} was lost: the process that ran it was killed; run again ({attempt} of 3)"
        assert str(task.reason) == why
    assert lost(4).moves == ["a FAILED"]
    error = "attempt 4 was lost: the process that ran it was killed; not run again after 4 losses"
    assert rules.task("a").error == error


# -- reports -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stale",
    [
        RunEnded(proplet_id="p", task_id="a", attempt=1, results="old"),
        RunEnded(proplet_id="p", task_id="nothing", attempt=1),
        RunHandedBack(proplet_id="p", task_id="a", attempt=1, reason="late"),
    ],
)
def test_a_stale_report_changes_nothing_and_is_acknowledged(stale):
    rules = started(a_task("a"))
    rules.proplet(boot=2)
    assert rules.task("a").attempt == 2
    turn = rules.turn(stale)
    assert not turn.changes
    assert turn.sent == [f"ack {stale.task_id} {stale.attempt} on {stale.proplet_id}"]


@pytest.mark.parametrize(
    "forged",
    [
        RunEnded(proplet_id="q", task_id="a", attempt=2, results="from elsewhere"),
        RunEnded(proplet_id="p", task_id="a", attempt=3, results="from the future"),
        RunEnded(proplet_id="p", task_id="a", attempt=0, results="from one that is not ours, in its name"),
        RunEnded(proplet_id="", task_id="a", attempt=0, results="from nobody"),
    ],
)
def test_a_report_that_nobody_was_asked_for_is_refused(forged):
    rules = started(a_task("a"))
    rules.proplet(boot=2)
    turn = rules.turn(forged)
    assert not turn.changes
    assert f"refuse a of {forged.proplet_id or 'a proplet that does not say which'}" in turn.sent


def test_a_report_that_comes_twice_counts_once():
    rules = started(a_task("a"))
    end = rules.end_of("a", results="30\n")
    assert rules.turn(end).moves == ["a COMPLETED"]
    assert rules.turn(end).moves == []
    assert rules.task("a").results == "30\n"


def test_a_report_after_a_stop_changes_nothing():
    rules = started(a_task("a"))
    end = rules.end_of("a")
    assert rules.turn(StopTask("a")).sent == ["stop a 1 on p"]
    assert rules.turn(end).moves == []
    assert rules.task("a").state.name == "INTERRUPTED"


def test_times_of_a_wrong_clock_are_held_inside_what_the_manager_saw():
    rules = started(a_task("a"))
    placed = rules.task("a").placed_at
    rules.turn(rules.end_of("a", started_at=1, finished_at=10**30), after_s=1)
    task = rules.task("a")
    assert (task.started_at, task.finished_at) == (placed, rules.now)


# -- what gets lost ------------------------------------------------------------------------------------------


def test_a_start_that_got_lost_is_repeated_in_time():
    rules = started(a_task("a"))
    nothing = PropletSeen(proplet_id="p", boot=1, slots=10, running=())
    assert rules.turn(nothing, after_s=4).sent == []
    assert rules.turn(nothing, after_s=2).sent == ["start a 1 on p"]
    assert rules.turn(nothing).sent == []


def test_a_stop_that_got_lost_is_repeated():
    rules = started(a_task("a"))
    rules.turn(StopTask("a"))
    seen = PropletSeen(proplet_id="p", boot=1, slots=10, running=(("a", 1),))
    assert rules.turn(seen).sent == ["stop a 1 on p"]


def test_a_lost_task_is_run_again_but_not_for_ever():
    rules = started(a_task("a"), policy=Policy(losses_max=2))
    for boot in (2, 3):
        assert rules.proplet(boot=boot).moves == ["a SCHEDULED", "a RUNNING"]
    task = rules.task("a")
    assert (
        str(task.reason)
        == f"attempt 2 was lost: proplet {rules.state.proplets['p'].name} was started anew; run again (2 of 2)"
    )
    assert rules.proplet(boot=4).moves == ["a FAILED"]
    assert task.error.startswith("attempt 3 was lost: ")
    assert task.error.endswith("; not run again after 3 losses")
    assert task.failure.kind is ErrorKind.LOST
    assert task.reason is None


def test_a_silent_proplet_is_lost():
    rules = started(a_task("a"))
    assert rules.turn(TimePassed(), after_s=29).moves == []
    assert rules.turn(TimePassed(), after_s=2).moves == ["a SCHEDULED"]
    assert not rules.state.proplets["p"].is_alive
    assert "was silent for 30 s" in str(rules.task("a").reason)


def test_the_end_of_a_boot_that_was_replaced_is_no_news():
    rules = started(a_task("a"))
    assert rules.turn(PropletLost("p", "it ended", boot=2)).moves == []
    assert rules.turn(PropletLost("p", "it ended", boot=1)).moves == ["a SCHEDULED"]


def test_a_late_message_of_a_replaced_boot_is_passed_over():
    rules = started(a_task("a"))
    rules.proplet(boot=2)
    assert not rules.proplet(boot=1).changes
    assert rules.state.proplets["p"].boot == 2


def test_a_proplet_is_not_shut_out_by_a_boot_that_seemed_later():
    """A disk was wiped and a clock set back: when the boot before is silent, the one that runs gets in."""
    rules = Rules()
    rules.proplet(boot=7)
    assert not rules.proplet(boot=3).changes
    rules.turn(TimePassed(), after_s=31)
    rules.proplet(boot=3)
    assert rules.state.proplets["p"].boot == 3
    assert rules.state.proplets["p"].is_alive


def test_local_work_is_given_back_when_the_manager_starts_anew():
    rules = started(a_task("a"), is_local=True)
    rules.state.proplets["p"].is_alive = False  # that it is alive is never stored
    assert rules.turn(ManagerStarted()).moves == ["a SCHEDULED"]
    assert "the manager was started anew" in str(rules.task("a").reason)
    assert rules.task("a").losses == 0


def test_remote_work_goes_on_when_the_manager_starts_anew():
    rules = started(a_task("a"))
    assert rules.turn(ManagerStarted()).moves == []


def test_only_an_idle_dead_proplet_is_deleted():
    rules = started(a_task("a"))
    with pytest.raises(Conflict, match="conflict: proplet p has 1 active tasks"):
        rules.turn(DeleteProplet("p"))
    rules.completes("a")
    with pytest.raises(Conflict, match="conflict: proplet p is alive"):
        rules.turn(DeleteProplet("p"))
    rules.turn(PropletLost("p", "it ended"))
    rules.turn(DeleteProplet("p"))
    with pytest.raises(NotFound):
        rules.turn(DeleteProplet("p"))
