"""Jobs: all at once, one at a time, or as their tasks depend on each other."""

import pytest
from msgspec.structs import replace

from propeller.core.events import CreateTasks, PropletLost, RunUp, StartGroup, StopGroup, StopTask
from propeller.core.model import FromParent, GroupKind, JobMode
from propeller.core.policy import Policy
from propeller.core.states import FAILED, RUNNING
from propeller.errors import Conflict, Invalid
from tests.core.helpers import Rules, a_task, job


def a_job(mode: JobMode | None, *specs, policy: Policy | None = None) -> Rules:
    rules = Rules(policy)
    rules.proplet()
    rules.turn(job(mode, *specs))
    return rules


def test_a_parallel_job_starts_all_at_once():
    rules = a_job(JobMode.PARALLEL, a_task("a"), a_task("b"), a_task("c"))
    turn = rules.start_job()
    assert turn.moves[:3] == ["a SCHEDULED", "b SCHEDULED", "c SCHEDULED"]
    assert turn.sent == ["start a 1 on p", "start b 1 on p", "start c 1 on p"]


def test_a_sequential_job_runs_one_at_a_time_in_the_order_given():
    rules = a_job(JobMode.SEQUENTIAL, a_task("a"), a_task("b"), a_task("c"))
    assert rules.start_job().sent == ["start a 1 on p"]
    assert rules.completes("a").moves == ["a COMPLETED", "b SCHEDULED", "b RUNNING"]
    assert rules.completes("b").moves == ["b COMPLETED", "c SCHEDULED", "c RUNNING"]
    assert rules.completes("c").moves == ["c COMPLETED"]


def test_the_first_failure_of_a_sequential_job_skips_the_rest_and_says_why():
    rules = a_job(JobMode.SEQUENTIAL, a_task("a"), a_task("b"), a_task("c"))
    rules.start_job()
    assert rules.fails("a").moves == ["a FAILED", "b SKIPPED", "c SKIPPED"]
    why = "task a, before it in the sequential job, failed"
    assert str(rules.task("b").reason) == str(rules.task("c").reason) == why


def test_a_sequential_job_stops_where_a_user_stops_it():
    rules = a_job(JobMode.SEQUENTIAL, a_task("a"), a_task("b"), a_task("c"))
    rules.start_job()
    assert rules.turn(StopTask("b")).moves == ["b INTERRUPTED", "c SKIPPED"]
    assert rules.completes("a").moves == ["a COMPLETED"]


def test_a_sequential_task_may_depend_on_one_before_it_only():
    with pytest.raises(Invalid, match="task a depends on b, which comes after it in a sequential job"):
        a_job(JobMode.SEQUENTIAL, a_task("a", "b"), a_task("b"))


def test_a_task_added_to_a_sequential_job_waits_for_the_last_one():
    rules = a_job(JobMode.SEQUENTIAL, a_task("a"))
    rules.start_job()
    rules.turn(CreateTasks(specs=(a_task("b", job_id="j"),)))
    assert rules.completes("a").moves == ["a COMPLETED", "b SCHEDULED", "b RUNNING"]


def test_a_task_added_behind_a_daemon_that_was_up_waits_for_no_one_before_it():
    """What was up has had its turn, also where it was lost and stopped afterwards, and so has no start any more."""
    rules = a_job(JobMode.SEQUENTIAL, a_task("a"), a_task("b", daemon=True))
    rules.start_job()
    rules.completes("a")
    rules.up("b")
    rules.turn(PropletLost("p", "it is gone"))
    rules.stop("b")
    assert (rules.task("b").started_at, rules.task("b").was_up) == (0, True)
    rules.turn(CreateTasks(specs=(a_task("c", job_id="j"),)))
    rules.start("a")
    assert rules.stop("a").moves == ["a INTERRUPTED"]


def test_no_other_task_of_a_sequential_job_starts_while_one_runs():
    """Neither by itself nor with the job, where the one that runs was started again out of its turn."""
    rules = a_job(JobMode.SEQUENTIAL, a_task("a"), a_task("b"))
    rules.start_job()
    rules.completes("a")
    rules.completes("b")
    rules.turn(CreateTasks(specs=(a_task("c", job_id="j"),)))
    rules.start("a")
    with pytest.raises(Conflict, match="another task of job j runs"):
        rules.start("c")
    with pytest.raises(Conflict, match="job j is running already"):
        rules.start_job()
    assert rules.completes("a").moves == ["a COMPLETED"]
    assert rules.start_job().moves == ["c SCHEDULED", "c RUNNING"]


def test_a_configurable_job_runs_by_its_dependencies():
    rules = a_job(JobMode.CONFIGURABLE, a_task("a"), a_task("b", "a"), a_task("c", "a"))
    assert rules.start_job().sent == ["start a 1 on p"]
    assert rules.completes("a").sent == ["ack a 1 on p", "start b 1 on p", "start c 1 on p"]


def test_a_job_that_names_no_mode_takes_the_managers():
    rules = a_job(None, a_task("a"), a_task("b"), policy=Policy(job_mode=JobMode.SEQUENTIAL))
    assert rules.start_job().sent == ["start a 1 on p"]


def test_a_stopped_job_interrupts_all_its_live_tasks():
    rules = a_job(JobMode.PARALLEL, a_task("a"), a_task("b"))
    rules.start_job()
    rules.completes("a")
    turn = rules.turn(StopGroup(GroupKind.JOB, "j"))
    assert turn.moves == ["b INTERRUPTED"]
    assert turn.sent == ["stop b 1 on p"]
    assert str(rules.task("b").reason) == "its job was stopped by a user"
    again = rules.turn(StopGroup(GroupKind.JOB, "j"))
    assert (again.moves, again.sent) == ([], [])


def test_a_job_that_has_ended_runs_once_more_as_a_whole():
    rules = a_job(JobMode.SEQUENTIAL, a_task("a"), a_task("b"))
    rules.start_job()
    rules.fails("a")
    turn = rules.turn(StartGroup(GroupKind.JOB, "j"))
    assert turn.moves == ["a PENDING", "b PENDING", "a SCHEDULED", "a RUNNING"]
    assert rules.task("b").reason is None
    group = rules.state.groups["j"]
    assert (group.counts[RUNNING], group.counts[FAILED]) == (1, 0)


# -- fail-fast -----------------------------------------------------------------------------------------------


def failing_job(mode: JobMode, *specs, fail_fast: bool | None = None) -> Rules:
    rules = Rules()
    rules.proplet(slots=2)
    create = job(mode, *specs)
    rules.turn(replace(create, group=replace(create.group, fail_fast=fail_fast)))
    rules.start_job()
    return rules


def test_the_first_failure_stops_the_others():
    rules = failing_job(JobMode.PARALLEL, *(a_task(name) for name in "abcd"))
    assert rules.states() == {"a": "RUNNING", "b": "RUNNING", "c": "SCHEDULED", "d": "SCHEDULED"}
    turn = rules.fails("a")
    assert turn.moves == ["a FAILED", "d INTERRUPTED", "c INTERRUPTED", "b INTERRUPTED"]
    assert "stop b 1 on p" in turn.sent
    assert str(rules.task("c").reason) == "task a of its job failed, and the job is fail-fast"


def test_what_waits_for_others_is_skipped_with_the_first_failure():
    rules = failing_job(JobMode.CONFIGURABLE, a_task("a"), a_task("b"), a_task("c", "b"), a_task("d", "c"))
    rules.fails("a")
    assert rules.states() == {"a": "FAILED", "b": "INTERRUPTED", "c": "SKIPPED", "d": "SKIPPED"}
    assert str(rules.task("d").reason) == "task a of its job failed, and the job is fail-fast"


def test_what_is_there_for_a_failure_is_spared_with_what_follows_it():
    rules = failing_job(
        JobMode.CONFIGURABLE,
        a_task("a"),
        a_task("b"),
        a_task("mend", "a", run_if="failure"),
        a_task("tell", "mend"),
    )
    assert rules.fails("a").moves[-2:] == ["mend SCHEDULED", "mend RUNNING"]
    assert rules.completes("mend").moves == ["mend COMPLETED", "tell SCHEDULED", "tell RUNNING"]


def test_what_mends_a_failure_stops_nobody_when_it_fails():
    rules = failing_job(
        JobMode.CONFIGURABLE,
        a_task("a"),
        a_task("mend", "a", run_if="failure"),
        a_task("tell", "a", run_if="failure"),
    )
    rules.fails("a")
    assert rules.fails("mend").moves == ["mend FAILED"]
    assert rules.task("tell").state.name == "RUNNING"


def test_a_job_may_go_on_after_a_failure():
    rules = failing_job(JobMode.PARALLEL, *(a_task(name) for name in "abc"), fail_fast=False)
    assert rules.fails("a").moves == ["a FAILED", "c RUNNING"]


def test_a_sequential_job_can_not_go_on_after_a_failure():
    with pytest.raises(Invalid, match="fail_fast: a sequential job stops at its first failure"):
        failing_job(JobMode.SEQUENTIAL, a_task("a"), fail_fast=False)


def test_a_failure_in_a_sequential_job_stops_the_daemon_before_it():
    rules = failing_job(JobMode.SEQUENTIAL, a_task("a", daemon=True), a_task("b"), a_task("c"))
    rules.turn(RunUp("p", "a", 1))
    assert rules.fails("b").moves == ["b FAILED", "a INTERRUPTED", "c SKIPPED"]


def test_a_failure_in_a_workflow_stops_nobody_else():
    rules = Rules()
    rules.proplet()
    rules.workflow(a_task("a"), a_task("b"))
    rules.start_workflow()
    assert rules.fails("a").moves == ["a FAILED"]


def test_a_task_that_can_not_even_be_started_stops_the_others():
    rules = failing_job(
        JobMode.CONFIGURABLE,
        a_task("a"),
        a_task("b", "a", inputs=(FromParent("a"),)),
        a_task("c"),
    )
    assert rules.completes("a").moves == ["a COMPLETED", "b SCHEDULED", "b FAILED", "c INTERRUPTED"]


def test_a_task_that_is_spared_stops_the_others_whatever_failed_before():
    rules = Rules()
    rules.proplet()
    rules.turn(job(JobMode.PARALLEL, a_task("a"), a_task("x"), a_task("h", run_if="always")))
    rules.start_job()
    rules.fails("a")
    rules.fails("h")
    assert rules.states() == {"a": "FAILED", "x": "INTERRUPTED", "h": "FAILED"}
    rules.start("x")
    rules.start("h")
    assert "x INTERRUPTED" in rules.fails("h").moves
