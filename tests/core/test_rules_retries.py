"""Retries, deadlines and queue timeouts: what the rules do as time passes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from propeller.core.events import DeleteGroup, DeleteTask, NewGroup, PropletLost, TimePassed, UpdateTask
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Defaults, Definition, GroupKind
from propeller.core.retry import DELAY_NS_MAX, KINDS, Retry
from propeller.core.states import FAILED
from propeller.errors import Conflict

from .helpers import CreateTasks, Rules, S, a_task, in_workflow

TWICE = Retry(max_attempts=3, delay_ns=2 * S, backoff=3.0)


def rules_with(*specs, **group) -> Rules:
    rules = Rules()
    rules.proplet()
    if group:
        new = NewGroup(id="w", kind=GroupKind.WORKFLOW, definition=Definition(**group))
        rules.turn(CreateTasks(specs=in_workflow(*specs), group=new))
    else:
        rules.create(*specs)
    return rules


def fails(rules: Rules, task_id: str, kind: ErrorKind = ErrorKind.TRAP):
    return rules.turn(rules.end_of(task_id, failure=Failure("it trapped", kind)))


def passes(rules: Rules, seconds: float):
    """Let time pass without any proplet being judged for its silence."""
    rules.proplet()
    return rules.turn(TimePassed(), after_s=seconds)


def test_a_failed_attempt_is_followed_by_another_after_its_delay():
    rules = rules_with(a_task("a", retry=TWICE))
    rules.start("a")
    assert fails(rules, "a").moves == ["a SCHEDULED"]
    assert str(rules.task("a").reason) == "attempt 1 failed: it trapped; tried again (1 of 2)"
    assert not passes(rules, 1.9).sent
    assert passes(rules, 0.2).sent == ["start a 2 on p"]
    assert fails(rules, "a").moves == ["a SCHEDULED"]
    assert not passes(rules, 5.9).sent
    assert passes(rules, 0.2).sent == ["start a 3 on p"]
    assert fails(rules, "a").moves == ["a FAILED"]
    assert rules.task("a").error == "it trapped"


def test_each_attempt_that_another_follows_is_kept_as_its_proplet_reported_it():
    rules = rules_with(a_task("a", retry=TWICE))
    rules.start("a")
    end = rules.end_of("a", failure=Failure("it trapped", ErrorKind.TRAP), results="so far")
    ((task, past),) = rules.turn(end).changes.attempts
    assert (task.id, past.attempt, past.proplet_id, past.state) == ("a", 1, "p", FAILED)
    assert (past.results, past.failure) == ("so far", end.failure)
    assert past.started_at
    assert past.finished_at


def test_a_retry_waits_through_a_restart_of_the_manager_by_the_time_that_is_left():
    rules = rules_with(a_task("a", retry=TWICE))
    rules.start("a")
    fails(rules, "a")
    passes(rules, 1.5)
    assert not rules.restart(ticks=77 * S).sent
    rules.proplet(boot=2)
    assert not passes(rules, 0.3).sent
    assert passes(rules, 0.3).sent == ["start a 2 on p"]


def test_a_loss_takes_none_of_the_attempts_unless_the_policy_names_it():
    plain, asked = a_task("a", retry=Retry(max_attempts=2)), a_task("b", retry=Retry(on=(ErrorKind.LOST,)))
    rules = rules_with(plain, asked)
    rules.start("a")
    rules.start("b")
    rules.turn(PropletLost("p", "it is gone"))
    assert rules.states() == {"a": "SCHEDULED", "b": "SCHEDULED"}
    assert rules.task("a").losses == 1
    assert rules.task("a").timing is None
    assert rules.task("b").losses == 0
    assert rules.task("b").timing.tries == 1


def test_a_task_that_waits_for_its_next_attempt_can_be_stopped_and_started():
    rules = rules_with(a_task("a", retry=TWICE))
    rules.start("a")
    fails(rules, "a")
    rules.stop("a")
    assert not passes(rules, 10).sent
    assert rules.start("a").sent == ["start a 2 on p"]
    assert fails(rules, "a").moves == ["a SCHEDULED"], "a new start has all attempts again"


def test_children_wait_for_the_last_attempt():
    rules = rules_with(a_task("a", retry=Retry(max_attempts=2)), a_task("b", "a"), timeout_ns=S * S)
    rules.start_workflow()
    assert fails(rules, "a").moves == ["a SCHEDULED"]
    passes(rules, 2)
    assert rules.completes("a").moves == ["a COMPLETED", "b SCHEDULED", "b RUNNING"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_tried_again_by_default(kind):
    never = {ErrorKind.INPUTS, ErrorKind.REFUSED, ErrorKind.LOST, ErrorKind.DISPATCH}
    assert Retry().covers(kind) == (kind not in never)
    assert Retry(on=(kind,)).covers(kind)


def test_limit_stands_for_each_limit():
    assert Retry(on=(ErrorKind.LIMIT,)).covers(ErrorKind.MEMORY)
    assert not Retry(on=(ErrorKind.LIMIT,)).covers(ErrorKind.TRAP)
    assert not Retry(on=(ErrorKind.MEMORY,)).covers(ErrorKind.FUEL)


@given(
    st.integers(0, 10**12), st.floats(1, 100), st.integers(0, 10**13), st.floats(0, 1), st.integers(1, 999)
)
def test_a_delay_is_within_its_bounds_and_the_same_each_time(delay, backoff, longest, jitter, tries):
    retry = Retry(delay_ns=delay, backoff=backoff, max_delay_ns=longest, jitter=jitter)
    found = retry.delay_after("t", tries, tries)
    full = Retry(delay_ns=delay, backoff=backoff, max_delay_ns=longest).delay_after("t", tries, tries)
    assert found == retry.delay_after("t", tries, tries)
    assert int(full * (1 - jitter)) - 1 <= found <= full <= min(longest, DELAY_NS_MAX)


# -- times ---------------------------------------------------------------------------------------------------


def test_a_deadline_ends_a_task_whatever_it_does():
    running, waiting = a_task("r", deadline_ns=5 * S), a_task("w", deadline_ns=5 * S, pin="nobody")
    retried = a_task("t", deadline_ns=5 * S, retry=Retry(delay_ns=60 * S))
    rules = rules_with(running, waiting, retried)
    for task_id in "rwt":
        rules.start(task_id)
    fails(rules, "t")
    assert not passes(rules, 4.9).moves
    turn = passes(rules, 0.2)
    assert sorted(turn.moves) == ["r FAILED", "t FAILED", "w FAILED"]
    assert "stop r 1 on p" in turn.sent
    assert rules.task("r").error == "deadline: the task had not ended within 5s of its start"
    assert rules.task("t").error.endswith("; attempt 1 had failed: it trapped")
    assert {rules.task(name).failure.kind for name in "rwt"} == {ErrorKind.DEADLINE}


def test_a_deadline_does_not_end_what_is_up():
    rules = rules_with(a_task("d", daemon=True, deadline_ns=5 * S))
    rules.start("d")
    rules.up("d")
    assert not passes(rules, 9).moves


def test_a_queue_timeout_counts_only_the_wait_for_a_proplet():
    rules = rules_with(a_task("a", queue_timeout_ns=5 * S), a_task("b", queue_timeout_ns=5 * S, pin="nobody"))
    rules.start("a")
    rules.start("b")
    assert passes(rules, 6).moves == ["b FAILED"]
    assert rules.task("b").failure == Failure(
        "queue_timeout: no proplet took the task within 5s (waits for proplet nobody, which has never been seen)",
        ErrorKind.QUEUE_TIMEOUT,
    )
    assert not passes(rules, 20).moves


def test_the_time_of_a_workflow_ends_all_of_it():
    rules = rules_with(
        a_task("a"),
        a_task("b", "a"),
        a_task("handler", "a", run_if="failure"),
        a_task("d", daemon=True),
        timeout_ns=5 * S,
    )
    rules.start_workflow()
    rules.up("d")
    assert not passes(rules, 4.9).moves
    passes(rules, 0.2)
    assert rules.states() == {"a": "FAILED", "b": "SKIPPED", "handler": "SKIPPED", "d": "INTERRUPTED"}
    assert rules.task("a").error == "timeout: its workflow had not ended within 5s of its start"


def test_the_time_of_a_workflow_counts_anew_when_it_runs_again_and_not_for_what_stays_up():
    rules = rules_with(a_task("a"), a_task("d", daemon=True), timeout_ns=5 * S)
    rules.start_workflow()
    rules.up("d")
    rules.completes("a")
    assert not passes(rules, 9).moves
    rules.stop("d")
    rules.start_workflow()
    assert not passes(rules, 4).moves
    assert sorted(passes(rules, 2).moves) == ["a FAILED", "d FAILED"]


def test_what_is_deleted_has_no_time_left_to_count():
    rules = rules_with(a_task("a", deadline_ns=5 * S), a_task("b"), timeout_ns=5 * S)
    rules.start("a")
    rules.completes("a")
    rules.turn(DeleteTask("b"))
    assert not passes(rules, 9).moves
    rules.start("a")
    rules.turn(DeleteGroup(GroupKind.WORKFLOW, "w"))
    assert not passes(rules, 9).moves


def test_defaults_of_a_group_hold_for_tasks_that_say_nothing_themselves():
    defaults = Defaults(retry=TWICE, timeout_ns=3, deadline_ns=4, queue_timeout_ns=5)
    own = Retry(max_attempts=1)
    rules = rules_with(a_task("a"), a_task("b", retry=own, deadline_ns=9), defaults=defaults)
    first, second = rules.task("a").spec, rules.task("b").spec
    assert (first.retry, first.deadline_ns, first.queue_timeout_ns) == (TWICE, 4, 5)
    assert (second.retry, second.deadline_ns, second.queue_timeout_ns) == (own, 9, 5)
    assert first.sandbox.timeout_ns == second.sandbox.timeout_ns == 3


# -- against a small model -----------------------------------------------------------------------------------

KIND = st.sampled_from([ErrorKind.TRAP, ErrorKind.TIMEOUT, ErrorKind.INPUTS, ErrorKind.MEMORY, None])
POLICY = st.builds(
    Retry,
    max_attempts=st.integers(1, 4),
    delay_ns=st.integers(0, 3).map(lambda s: s * S),
    backoff=st.sampled_from([1.0, 2.0]),
    max_delay_ns=st.sampled_from([2 * S, 300 * S]),
    on=st.sampled_from([(), (ErrorKind.TRAP,), (ErrorKind.LIMIT, ErrorKind.TIMEOUT)]),
)


def model_of(retry, outcomes):
    """Say how often the task is begun and how it ends, by its policy and the outcome of each attempt."""
    for number, kind in enumerate(outcomes, start=1):
        if kind is None:
            return number, "COMPLETED"
        named = retry.on or [one for one in ErrorKind if one is not ErrorKind.INPUTS]
        is_tried_again = kind in named or (kind is ErrorKind.MEMORY and ErrorKind.LIMIT in named)
        if not is_tried_again or number == retry.max_attempts:
            return number, "FAILED"
    return len(outcomes) + 1, "RUNNING"


@settings(deadline=None)
@given(POLICY, st.lists(KIND, min_size=1, max_size=5), st.lists(st.booleans(), min_size=5, max_size=5))
def test_a_task_is_tried_as_often_as_its_policy_says(retry, outcomes, restarts):
    rules = rules_with(a_task("a", retry=retry))
    rules.start("a")
    boot = 1
    for kind, does_restart in zip(outcomes, restarts, strict=False):
        if rules.states()["a"] != "RUNNING":
            break
        failure = Failure("no", kind) if kind else None
        rules.turn(rules.end_of("a", failure=failure))
        if does_restart:
            boot += 1
            rules.restart()
        rules.proplet(boot=boot)
        for _ in range(10):
            rules.proplet(boot=boot)
            rules.turn(TimePassed(), after_s=2)
    assert (rules.task("a").attempt, rules.states()["a"]) == model_of(retry, outcomes)


def test_what_came_up_has_all_of_its_attempts_again():
    rules = rules_with(a_task("d", daemon=True, retry=TWICE))
    rules.start("d")
    for _ in range(5):
        rules.up("d")
        assert fails(rules, "d").moves == ["d SCHEDULED"]
        passes(rules, 3)


def test_a_kind_that_a_policy_may_name_can_happen_to_an_attempt():
    assert not {ErrorKind.RETURNED, ErrorKind.CANCELLED, ErrorKind.DEADLINE} & set(KINDS)


def test_whether_a_task_is_a_broadcast_is_settled_once_it_has_run():
    rules = rules_with(a_task("a"), a_task("b", broadcast=True), a_task("c"))
    rules.turn(UpdateTask("c", {"broadcast": True}))
    for task_id in ("a", "b"):
        rules.start(task_id)
        rules.stop(task_id)
        with pytest.raises(Conflict, match=f"broadcast: task {task_id} has run"):
            rules.turn(UpdateTask(task_id, {"broadcast": task_id == "a"}))
