"""Conditions: which tasks run, by how those before them ended."""

import msgspec
import pytest
from msgspec.structs import replace

from propeller.core.events import PropletLost, RunUp, StartGroup, StopTask
from propeller.core.model import GroupKind, JobMode
from propeller.core.reasons import AnyReason, ParentEnded
from propeller.core.states import FAILED
from propeller.errors import Conflict
from tests.core.helpers import Rules, a_task, job

#: How each kind of parent ends, and the words of ``run_if`` that a child of it alone runs with.
AFTER_ONE = {
    "completes": {"", "success", "all_done", "always", "any_success"},
    "fails": {"failure", "all_done", "always"},
    "is skipped after a failure": {"failure", "all_done", "always"},
    "is skipped by its own condition": {"all_done", "always"},
    "is interrupted": {"always"},
}
WORDS = ("", "success", "failure", "all_done", "always", "any_success")


def a_workflow(*specs) -> Rules:
    rules = Rules()
    rules.proplet()
    rules.workflow(*specs)
    rules.start_workflow()
    return rules


def end_parent(rules: Rules, how: str) -> None:
    """End ``front``, so that ``p`` ends in the way asked for."""
    match how:
        case "completes":
            rules.completes("front")
            rules.completes("p")
        case "fails":
            rules.completes("front")
            rules.fails("p")
        case "is skipped after a failure":
            rules.fails("front")
        case "is skipped by its own condition":
            rules.completes("front")
        case "is interrupted":
            rules.turn(StopTask("p"))
            rules.completes("front")


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("how", AFTER_ONE)
def test_each_word_after_each_end_of_its_one_parent(how, word):
    own = {"run_if": "failure"} if how == "is skipped by its own condition" else {}
    rules = a_workflow(a_task("front"), a_task("p", "front", **own), a_task("t", "p", run_if=word))
    end_parent(rules, how)
    if word in AFTER_ONE[how]:
        assert rules.task("t").state.name == "RUNNING"
        return
    task = rules.task("t")
    assert task.state.name == "SKIPPED"
    assert str(task.reason)
    with pytest.raises(Conflict, match=f"task t can't be started: {task.reason}; start "):
        rules.start("t")


@pytest.mark.parametrize("word", WORDS)
def test_each_word_lets_a_task_without_parents_run(word):
    rules = a_workflow(a_task("t", run_if=word), a_task("other"))
    assert rules.task("t").state.name == "RUNNING"


def test_a_handler_far_down_a_chain_need_not_name_every_ancestor():
    rules = a_workflow(a_task("a"), a_task("b", "a"), a_task("c", "b"), a_task("mend", "c", run_if="failure"))
    assert rules.fails("a").moves[-2:] == ["mend SCHEDULED", "mend RUNNING"]


def test_a_handler_hears_of_a_failure_through_words_that_were_not_met():
    rules = a_workflow(
        a_task("a"), a_task("any", "a", run_if="any_success"), a_task("mend", "any", run_if="failure")
    )
    assert rules.fails("a").moves[-2:] == ["mend SCHEDULED", "mend RUNNING"]


def test_an_interrupted_ancestor_is_no_failure():
    rules = a_workflow(a_task("a"), a_task("b", "a"), a_task("mend", "b", run_if="failure"))
    assert rules.turn(StopTask("a")).moves == ["a INTERRUPTED", "b SKIPPED", "mend SKIPPED"]


def test_one_failure_among_the_parents_counts_whichever_is_named():
    rules = a_workflow(a_task("a"), a_task("b"), a_task("c", "a", "b"), a_task("mend", "c", run_if="failure"))
    rules.turn(StopTask("a"))
    rules.fails("b")
    assert str(rules.task("c").reason) == "its parent a was interrupted"
    assert rules.task("mend").state.name == "RUNNING"


def test_branches_join_after_either():
    rules = a_workflow(
        a_task("a"),
        a_task("good", "a"),
        a_task("bad", "a", run_if="failure"),
        a_task("join", "good", "bad", run_if="any_success"),
        a_task("mend", "join", run_if="failure"),
    )
    rules.completes("a")
    assert rules.completes("good").moves == ["good COMPLETED", "join SCHEDULED", "join RUNNING"]
    assert rules.completes("join").moves == ["join COMPLETED", "mend SKIPPED"]


def test_any_success_waits_for_all_parents():
    rules = a_workflow(a_task("a"), a_task("b"), a_task("c", "a", "b", run_if="any_success"))
    assert rules.completes("a").moves == ["a COMPLETED"]
    assert rules.fails("b").moves == ["b FAILED", "c SCHEDULED", "c RUNNING"]


def test_a_skip_that_an_earlier_version_stored_is_read():
    old = msgspec.json.decode(b'{"kind":"parent_ended","parent":"a","state":4}', type=AnyReason)
    assert old == ParentEnded("a", FAILED)
    assert old.comes_after_failure


# -- sequential jobs -----------------------------------------------------------------------------------------


def a_sequence(*specs) -> Rules:
    rules = Rules()
    rules.proplet()
    rules.turn(job(JobMode.SEQUENTIAL, *specs))
    rules.start_job()
    return rules


def test_a_handler_in_a_sequential_job_runs_after_a_failure_and_the_job_stays_halted():
    rules = a_sequence(
        a_task("a"), a_task("b"), a_task("mend", run_if="failure"), a_task("c"), a_task("d", run_if="always")
    )
    assert rules.fails("a").moves == ["a FAILED", "b SKIPPED", "mend SCHEDULED", "mend RUNNING"]
    assert rules.completes("mend").moves == ["mend COMPLETED", "c SKIPPED", "d SCHEDULED", "d RUNNING"]
    assert str(rules.task("c").reason) == "task a, before it in the sequential job, failed"


def test_a_handler_that_is_not_needed_halts_no_sequential_job():
    rules = a_sequence(a_task("a"), a_task("mend", run_if="failure"), a_task("b"))
    assert rules.completes("a").moves == ["a COMPLETED", "mend SKIPPED", "b SCHEDULED", "b RUNNING"]
    assert str(rules.task("mend").reason) == "run_if is failure, and no task of its job failed"


def test_a_handler_that_fails_halts_a_sequential_job():
    rules = a_sequence(a_task("a"), a_task("tell", run_if="always"), a_task("b"))
    rules.completes("a")
    assert rules.fails("tell").moves == ["tell FAILED", "b SKIPPED"]
    assert str(rules.task("b").reason) == "task tell, before it in the sequential job, failed"


def test_a_sequential_job_that_a_user_stopped_is_halted_and_has_not_failed():
    rules = a_sequence(
        a_task("a"), a_task("mend", run_if="failure"), a_task("tell", run_if="all_done"), a_task("b")
    )
    assert rules.turn(StopTask("a")).moves[:2] == ["a INTERRUPTED", "mend SKIPPED"]
    assert rules.completes("tell").moves == ["tell COMPLETED", "b SKIPPED"]
    assert str(rules.task("b").reason) == "task a, before it in the sequential job, was interrupted"


def test_any_success_in_a_sequential_job_looks_at_the_one_before_or_at_its_parents():
    rules = a_sequence(
        a_task("a"),
        a_task("tell", run_if="always"),
        a_task("after", run_if="any_success"),
        a_task("of a", "a", run_if="any_success"),
    )
    rules.fails("a")
    rules.completes("tell")
    assert rules.completes("after").moves == ["after COMPLETED", "of a SKIPPED"]


def test_a_task_that_failed_itself_is_no_failure_before_it():
    rules = a_sequence(a_task("a"), a_task("mend", run_if="failure"), a_task("b", run_if="always"))
    rules.fails("a")
    rules.fails("mend")
    rules.completes("b")
    rules.start("a")
    rules.completes("a")
    with pytest.raises(Conflict, match="no task of its job failed"):
        rules.start("mend")


def test_what_failed_after_a_task_out_of_its_turn_does_not_halt_the_job_before_it():
    rules = a_sequence(a_task("a"), a_task("tell", run_if="always"), a_task("b"), a_task("c"))
    rules.completes("a")
    rules.completes("tell")
    rules.completes("b")
    rules.fails("c")
    assert rules.start("b").moves == ["b SCHEDULED", "b RUNNING"]


def test_a_handler_waits_for_its_turn_where_the_one_before_it_was_stopped_early():
    rules = a_sequence(
        a_task("a"), a_task("b"), a_task("c"), a_task("mend", run_if="failure"), a_task("d", run_if="always")
    )
    assert rules.turn(StopTask("b")).moves == ["b INTERRUPTED", "c SKIPPED"]
    with pytest.raises(Conflict, match="task mend has unmet dependencies: a"):
        rules.start("mend")
    rules.restart()
    rules.proplet(running=(("a", 1),))
    assert rules.fails("a").moves == ["a FAILED", "mend SCHEDULED", "mend RUNNING"]
    assert rules.completes("mend").moves == ["mend COMPLETED", "d SCHEDULED", "d RUNNING"]


def test_a_daemon_that_is_to_run_again_has_had_its_turn():
    rules = a_sequence(
        a_task("a"), a_task("x", run_if="failure"), a_task("b", daemon=True), a_task("c"), a_task("d")
    )
    rules.completes("a")
    rules.turn(RunUp("p", "b", 1))
    rules.completes("c")
    rules.turn(StopTask("d"))
    rules.start("a")
    assert rules.turn(PropletLost("p", "it is gone")).moves == ["b SCHEDULED", "a SCHEDULED"]
    assert rules.turn(StopTask("b")).moves == ["b INTERRUPTED"]
    assert rules.turn(StopTask("a")).moves == ["a INTERRUPTED"]


def test_a_task_that_was_stopped_before_its_job_began_lets_nothing_begin():
    rules = Rules()
    rules.proplet()
    rules.turn(job(JobMode.SEQUENTIAL, a_task("a"), a_task("b"), a_task("tell", run_if="always")))
    assert rules.turn(StopTask("b")).moves == ["b INTERRUPTED"]
    assert rules.start_job().moves == ["a SCHEDULED", "a RUNNING"]
    assert rules.completes("a").moves == ["a COMPLETED", "tell SCHEDULED", "tell RUNNING"]
    rules.completes("tell")
    assert rules.start_job().moves[:3] == ["a PENDING", "b PENDING", "tell PENDING"]
    rules.completes("a")
    assert rules.completes("b").moves == ["b COMPLETED", "tell SCHEDULED", "tell RUNNING"]


# -- fail-fast -----------------------------------------------------------------------------------------------


def a_fast_job(*specs, fail_fast: bool = True) -> Rules:
    rules = Rules()
    rules.proplet()
    create = job(JobMode.CONFIGURABLE, *specs)
    rules.turn(replace(create, group=replace(create.group, fail_fast=fail_fast)))
    rules.turn(StartGroup(GroupKind.JOB, "j"))
    return rules


@pytest.mark.parametrize("word", ["failure", "all_done", "always"])
def test_what_is_there_for_failures_too_is_spared(word):
    rules = a_fast_job(
        a_task("a"), a_task("b", "a"), a_task("t", "b", run_if=word), a_task("after", "t"), a_task("c")
    )
    assert rules.fails("a").moves == [
        "a FAILED",
        "c INTERRUPTED",
        "b SKIPPED",
        "t SCHEDULED",
        "t RUNNING",
    ]
    assert rules.completes("t").moves == ["t COMPLETED", "after SCHEDULED", "after RUNNING"]


def test_a_join_is_not_spared_for_its_own_sake():
    rules = a_fast_job(a_task("a"), a_task("b"), a_task("t", "a", "b", run_if="any_success"))
    assert rules.fails("a").moves == ["a FAILED", "t SKIPPED", "b INTERRUPTED"]


def test_the_first_failure_stops_the_others_although_its_task_would_be_spared():
    rules = a_fast_job(a_task("a"), a_task("tell", "a", run_if="always"), a_task("b"), a_task("c", "b"))
    rules.completes("a")
    assert rules.fails("tell").moves == ["tell FAILED", "c SKIPPED", "b INTERRUPTED"]
