"""One task on every proplet: each execution ends once, and the task's state follows from all."""

import pytest

from propeller.core.events import (
    CordonProplet,
    DrainProplet,
    PropletLost,
    PropletSeen,
    RunEnded,
    RunHandedBack,
    RunUp,
    StartTask,
    StopTask,
    TimePassed,
)
from propeller.core.failures import ErrorKind, Failure
from propeller.core.liveness import REPEATS_MAX
from propeller.core.policy import Policy
from tests.core.helpers import Rules, a_task


def a_broadcast(*proplets: str, **fields) -> Rules:
    """Start the broadcast task ``a`` on these proplets."""
    rules = Rules()
    for proplet_id in proplets:
        rules.proplet(proplet_id)
    rules.create(a_task("a", broadcast=True, **fields))
    rules.start("a")
    return rules


def ends(rules: Rules, proplet_id: str, **fields):
    attempt = rules.task("a").attempt
    return rules.turn(RunEnded(proplet_id=proplet_id, task_id="a", attempt=attempt, **fields))


def outcomes(rules: Rules) -> dict[str, str]:
    return {one.proplet_id: one.state.name for one in rules.task("a").executions.values()}


def test_it_goes_to_all_that_are_alive_and_take_work():
    rules = Rules()
    for proplet_id in ("p", "q", "dead", "cordoned"):
        rules.proplet(proplet_id)
    rules.turn(PropletLost("dead", "it ended"))
    rules.turn(CordonProplet("cordoned"))
    rules.create(a_task("a", broadcast=True))
    turn = rules.start("a")
    assert turn.sent == ["start a 1 on p", "start a 1 on q"]
    assert turn.moves == ["a SCHEDULED", "a RUNNING"]
    assert rules.task("a").proplet_id == ""


def test_it_ends_with_the_last_execution_and_has_all_results():
    rules = a_broadcast("p", "q")
    assert ends(rules, "p", results="1\n").moves == []
    assert outcomes(rules) == {"p": "COMPLETED", "q": "RUNNING"}
    assert ends(rules, "p", results="once more").moves == [], "a repetition"
    assert ends(rules, "q", results="2\n").moves == ["a COMPLETED"]
    assert rules.task("a").results == {"p": "1\n", "q": "2\n"}


def test_with_one_proplet_its_result_is_that_of_the_task():
    rules = a_broadcast("p")
    ends(rules, "p", results="1\n")
    assert (rules.task("a").results, rules.task("a").proplet_id) == ("1\n", "p")


def test_one_failure_fails_the_task_and_is_named():
    rules = a_broadcast("p", "q")
    ends(rules, "p", failure=Failure("it trapped"))
    assert ends(rules, "q", results="2\n").moves == ["a FAILED"]
    task = rules.task("a")
    name = rules.state.proplets["p"].name
    assert task.error == f"failed on 1 of 2 proplets: {name}: it trapped"
    assert task.results == {"q": "2\n"}


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ([ErrorKind.TRAP, ErrorKind.TRAP], ErrorKind.TRAP),
        ([ErrorKind.TRAP, ErrorKind.FUEL], ErrorKind.OTHER),
    ],
)
def test_failures_of_one_kind_give_the_task_that_kind(kinds, found):
    rules = a_broadcast("p", "q")
    for proplet, kind in zip("pq", kinds, strict=True):
        ends(rules, proplet, failure=Failure("it failed", kind))
    assert rules.task("a").failure.kind is found


def test_with_no_proplet_it_waits_and_runs_when_there_is_one():
    rules = Rules()
    rules.create(a_task("a", broadcast=True))
    assert rules.start("a").moves == ["a SCHEDULED"]
    assert str(rules.task("a").reason) == "waits for a proplet: none is alive"
    assert rules.proplet("p").sent == ["start a 1 on p"]


@pytest.mark.parametrize(
    "gone",
    [PropletLost("p", "it ended"), RunHandedBack(proplet_id="p", task_id="a", attempt=1, reason="it stops")],
)
def test_an_execution_that_is_lost_is_not_run_elsewhere(gone):
    rules = a_broadcast("p", "q")
    assert rules.turn(gone).moves == []
    assert outcomes(rules) == {"p": "FAILED", "q": "RUNNING"}
    assert ends(rules, "q").moves == ["a FAILED"]


@pytest.mark.parametrize("daemon", [False, True])
def test_an_execution_that_its_proplet_has_lost_runs_there_again_but_not_for_ever(daemon):
    rules = a_broadcast("p", "q", daemon=daemon)

    def lost(attempt):
        return rules.turn(
            RunHandedBack(proplet_id="p", task_id="a", attempt=attempt, reason="killed", is_lost=True)
        )

    for attempt in range(1, 4):
        assert lost(attempt).sent == [f"ack a {attempt} on p", f"start a {attempt + 1} on p"]
    assert lost(4).sent == ["ack a 4 on p"]
    assert outcomes(rules) == {"p": "FAILED", "q": "RUNNING"}
    assert rules.turn(RunEnded(proplet_id="q", task_id="a", attempt=1)).moves == ["a FAILED"]
    assert "lost: killed; not run again after 4 losses" in rules.task("a").error


@pytest.mark.parametrize("how", [{"is_lost": True}, {"newest": 7}])
def test_an_execution_does_not_begin_again_on_a_proplet_that_is_cordoned(how):
    rules = a_broadcast("p", "q")
    rules.turn(CordonProplet("p"))
    turn = rules.turn(RunHandedBack(proplet_id="p", task_id="a", attempt=1, reason="killed", **how))
    assert turn.sent == ["ack a 1 on p"]
    assert outcomes(rules) == {"p": "FAILED", "q": "RUNNING"}
    assert rules.turn(RunEnded(proplet_id="q", task_id="a", attempt=1)).moves == ["a FAILED"]
    assert "killed; proplet" in rules.task("a").error
    assert "is cordoned" in rules.task("a").error
    assert rules.task("a").attempt == 1


def test_a_loss_counts_after_a_restart_where_it_changed_nothing_else_of_its_task():
    rules = a_broadcast("p", "q")
    rules.turn(CordonProplet("p"))
    turn = rules.turn(RunHandedBack(proplet_id="p", task_id="a", attempt=1, reason="killed", is_lost=True))
    assert rules.task("a").losses == 1
    assert turn.changes.updated == [rules.task("a")]


def test_a_lost_start_is_repeated_to_the_one_that_lacks_it():
    rules = a_broadcast("p", "q")
    seen = PropletSeen(proplet_id="q", boot=1, slots=10, running=())
    assert rules.turn(seen, after_s=6).sent == ["start a 1 on q"]


def test_a_stop_reaches_all_and_ends_every_execution():
    rules = a_broadcast("p", "q")
    ends(rules, "p", results="1\n")
    turn = rules.turn(StopTask("a"))
    assert turn.sent == ["stop a 1 on q"]
    assert turn.moves == ["a INTERRUPTED"]
    assert outcomes(rules) == {"p": "COMPLETED", "q": "INTERRUPTED"}
    assert rules.state.proplets["q"].placed == {}


def test_started_again_it_forgets_the_executions_of_before():
    rules = a_broadcast("p", "q")
    ends(rules, "p")
    ends(rules, "q")
    rules.turn(PropletLost("q", "it ended"))
    assert rules.start("a").sent == ["start a 2 on p"]
    assert outcomes(rules) == {"p": "RUNNING"}


def test_stopped_and_started_again_in_one_turn_nothing_of_before_is_stored():
    rules = a_broadcast("p", "q")
    rules.turn(PropletLost("q", "it ended"))
    turn = rules.turn(StopTask("a"), StartTask("a"))
    assert [(task.id, one.proplet_id, one.attempt) for task, one in turn.changes.executions] == [
        ("a", "p", 2)
    ]
    assert [task.id for task in turn.changes.replaced] == ["a"]


def test_only_proplets_with_the_tags_get_it():
    rules = Rules()
    rules.proplet("p", metadata={"tags": ["edge"]})
    rules.proplet("q", metadata={"tags": ["edge", "gpu"]})
    rules.create(a_task("a", broadcast=True, required_tags=("gpu",)))
    assert rules.start("a").sent == ["start a 1 on q"]


# -- what stays ----------------------------------------------------------------------------------------------


def a_daemon_everywhere(*proplets: str) -> Rules:
    rules = a_broadcast(*proplets, daemon=True)
    for proplet_id in proplets:
        rules.turn(RunUp(proplet_id, "a", 1))
    return rules


def test_what_stays_runs_again_on_the_proplet_that_was_started_anew():
    rules = a_daemon_everywhere("p", "q")
    assert rules.turn(PropletLost("p", "it ended")).moves == []
    assert outcomes(rules) == {"p": "SCHEDULED", "q": "RUNNING"}
    turn = rules.proplet("p", boot=2)
    assert turn.sent == ["start a 2 on p"], "another attempt: of the first it may have a report on the way"
    assert outcomes(rules) == {"p": "RUNNING", "q": "RUNNING"}
    assert rules.task("a").is_up, "on the other it was so all the time"


def test_the_others_keep_the_attempt_that_they_have():
    rules = a_daemon_everywhere("p", "q")
    rules.proplet("p", boot=2)
    still = PropletSeen(proplet_id="q", boot=1, slots=10, running=(("a", 1),))
    assert rules.turn(still, after_s=60).sent == []
    assert sorted(rules.turn(StopTask("a")).sent) == ["stop a 1 on q", "stop a 2 on p"]
    assert outcomes(rules) == {"p": "INTERRUPTED", "q": "INTERRUPTED"}


def test_a_report_of_the_attempt_before_ends_nothing():
    rules = a_daemon_everywhere("p", "q")
    rules.proplet("p", boot=2)
    rules.turn(RunEnded(proplet_id="p", task_id="a", attempt=1, failure=Failure("it broke")))
    assert outcomes(rules) == {"p": "RUNNING", "q": "RUNNING"}
    rules.turn(RunEnded(proplet_id="p", task_id="a", attempt=2, failure=Failure("it broke")))
    assert outcomes(rules) == {"p": "FAILED", "q": "RUNNING"}


def test_what_stays_goes_to_proplets_that_come_later_and_may_have_it():
    rules = a_broadcast(latent=True, required_tags=("gpu",))
    assert rules.proplet("p", metadata={"tags": ["gpu"]}).sent == ["start a 1 on p"]
    assert rules.proplet("q", metadata={"tags": ["edge"]}).sent == []
    assert rules.proplet("q", metadata={"tags": ["gpu"]}).sent == ["start a 2 on q"]


def test_what_stays_comes_back_to_a_proplet_that_was_drained():
    rules = a_daemon_everywhere("p", "q")
    rules.turn(DrainProplet("p", timeout_s=0.5))
    assert rules.turn(TimePassed(), after_s=1).sent == ["stop a 1 on p"]
    assert rules.turn(CordonProplet("p", is_cordoned=False)).sent == ["start a 2 on p"]


def test_lost_everywhere_it_waits_for_a_proplet():
    rules = a_daemon_everywhere("p")
    assert rules.turn(PropletLost("p", "it ended")).moves == ["a SCHEDULED"]
    assert rules.proplet("p", boot=2).moves == ["a RUNNING"]


def test_what_never_comes_up_is_not_lost_for_ever():
    rules = Rules(Policy(losses_max=1))
    rules.proplet("p")
    rules.create(a_task("a", broadcast=True, daemon=True))
    rules.start("a")
    rules.turn(PropletLost("p", "it ended"))
    rules.proplet("p", boot=2)
    assert rules.turn(PropletLost("p", "it ended")).moves == ["a FAILED"]
    assert rules.task("a").error == "lost: it ended"
    assert outcomes(rules) == {"p": "FAILED"}


def is_not_named(rules: Rules, proplet_id: str) -> list[str]:
    """Let a proplet say nothing of what it was told to run, until that counts as lost."""
    silent = PropletSeen(proplet_id=proplet_id, boot=1, slots=10, running=())
    return [rules.turn(silent, after_s=6).sent for _ in range(REPEATS_MAX + 1)][-1]


def test_what_stays_begins_again_on_a_living_proplet_that_says_nothing_of_it():
    rules = a_daemon_everywhere("p", "q")
    assert is_not_named(rules, "q") == ["stop a 1 on q", "start a 2 on q"]
    assert outcomes(rules) == {"p": "RUNNING", "q": "RUNNING"}


def test_what_never_comes_up_does_not_begin_again_for_ever_on_a_proplet_that_says_nothing_of_it():
    rules = a_broadcast("p", "q", daemon=True)
    for attempt in range(1, 4):
        assert is_not_named(rules, "q") == [f"stop a {attempt} on q", f"start a {attempt + 1} on q"]
    assert is_not_named(rules, "q") == ["stop a 4 on q"]
    assert outcomes(rules) == {"p": "RUNNING", "q": "FAILED"}
    failure = rules.task("a").executions["q"].failure
    assert failure.kind is ErrorKind.LOST
    assert failure.error.endswith("and says nothing of it; not run again after 4 losses")
    assert rules.proplet("q", boot=2).sent == []


def test_what_ends_by_itself_has_failed_on_a_proplet_that_says_nothing_of_it():
    rules = a_broadcast("p", "q")
    assert is_not_named(rules, "q") == ["stop a 1 on q"]
    assert outcomes(rules) == {"p": "RUNNING", "q": "FAILED"}


@pytest.mark.parametrize(("is_silent", "state"), [(False, "RUNNING"), (True, "SCHEDULED")])
def test_what_stays_begins_again_at_the_end_of_its_lease_where_the_foreign_proplet_lives(is_silent, state):
    rules = Rules(Policy(foreign_lease_s=100, liveness_s=30))
    rules.proplet("p")
    rules.proplet("f", boot=0, slots=0)
    rules.create(a_task("a", broadcast=True, daemon=True))
    rules.start("a")
    for _ in range(11):
        rules.proplet("p")
        if not is_silent:
            rules.proplet("f", boot=0, slots=0)
        rules.turn(TimePassed(), after_s=10)
    assert outcomes(rules) == {"p": "RUNNING", "f": state}


def test_stopped_while_a_proplet_is_away_it_does_not_come_back_there():
    rules = a_daemon_everywhere("p", "q")
    rules.turn(PropletLost("p", "it ended"))
    rules.turn(StopTask("a"))
    assert outcomes(rules) == {"p": "INTERRUPTED", "q": "INTERRUPTED"}
    assert rules.proplet("p", boot=2).sent == []
