"""Inputs and standard input from the results of parents: what a child is given, and what if there is none."""

import pytest

from propeller.core.effects import SendStart
from propeller.core.events import (
    CreateTasks,
    Event,
    PropletLost,
    PropletSeen,
    RunEnded,
    RunHandedBack,
    RunUp,
    StopTask,
    TimePassed,
    UpdateTask,
)
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import FromParent, Spec
from propeller.core.policy import Policy
from propeller.core.states import FAILED
from propeller.errors import Invalid
from tests.core.helpers import Rules, Turn, a_task


def sent_inputs(turn):
    return [effect.inputs for effect in turn.effects if hasattr(effect, "inputs")]


def test_an_input_is_what_a_parent_returned():
    rules = Rules()
    rules.proplet("p")
    rules.workflow(
        a_task("a"), a_task("b", "a", inputs=(FromParent("a"), "x${a}y", 7, "$${a}")), a_task("c", "a")
    )
    rules.start_workflow()
    assert sent_inputs(rules.completes("a", "30\n")) == [("30", "x30y", 7, "${a}"), ()]


def test_a_parent_may_be_called_by_its_name():
    rules = Rules()
    rules.proplet("p")
    rules.workflow(a_task("id-1", name="sum"), a_task("b", "sum", inputs=(FromParent("sum"),)))
    assert rules.task("b").spec.inputs == (FromParent("id-1"),)


@pytest.mark.parametrize("inputs", [(FromParent("c"),), ("${nobody}",), (FromParent("b"),)])
def test_an_input_of_somebody_else_is_refused(inputs):
    rules = Rules()
    with pytest.raises(Invalid, match="is not one task that b depends on; add it to depends_on"):
        rules.workflow(a_task("a"), a_task("c"), a_task("b", "a", inputs=inputs))
    assert rules.states() == {}


def test_an_update_is_checked_as_well():
    rules = Rules()
    rules.turn(CreateTasks(specs=(a_task("a"),)))
    with pytest.raises(Invalid, match=r"'\w*' is not one task"):
        rules.turn(UpdateTask("a", {"inputs": ("${b}",)}))


def test_a_task_whose_parent_returned_nothing_fails_with_a_reason():
    rules = Rules()
    rules.proplet("p")
    rules.workflow(a_task("a"), a_task("b", "a", inputs=(FromParent("a"),)))
    rules.start_workflow()
    rules.completes("a")
    task = rules.task("b")
    assert (task.state, task.error) == (
        FAILED,
        "inputs: an input is the result of task a, which has none: it is completed",
    )
    assert task.failure.kind is ErrorKind.INPUTS


# -- a result that does not count, or counts no longer -------------------------------------------------------

#: Each way to refer to a parent ``s``, and the beginning of the error where that has no result.
REFERENCES = [
    pytest.param({"inputs": (FromParent("s"),)}, "inputs: an input", id="input"),
    pytest.param({"inputs": ("at ${s}",)}, "inputs: an input", id="text"),
    pytest.param({"stdin": FromParent("s")}, "stdin: it", id="stdin"),
]
WHERE = "http://p:1"
OFFERS = {"os": "linux", "offers": {}}


def comes(proplet_id: str) -> PropletSeen:
    return PropletSeen(proplet_id=proplet_id, boot=1, slots=1, metadata=OFFERS)


def a_child_that_waits(*others: Spec, pin: str = "q", **fields) -> Rules:
    """Have a server ``s`` up on ``p``, and its child ``b`` wait for a proplet that is not there yet."""
    rules = Rules()
    rules.proplet("p")
    rules.workflow(a_task("s", pin="p"), a_task("b", "s", pin=pin, **fields), *others)
    rules.start_workflow()
    rules.turn(RunUp("p", "s", 1, results=WHERE))
    assert rules.states()["b"] == ("SCHEDULED" if pin == "q" else "RUNNING")
    return rules


def given(turn: Turn, task_id: str) -> list[object]:
    """Give what the starts of a task say of its parents' results."""
    starts = (one for one in turn.effects if isinstance(one, SendStart) and one.spec.id == task_id)
    return [(start.inputs, start.stdin, start.parent_results) for start in starts]


@pytest.mark.parametrize("is_at_once", [True, False])
def test_a_child_that_waits_is_given_what_was_up_though_that_is_to_run_again(is_at_once):
    rules = a_child_that_waits(inputs=("${s}",), stdin=FromParent("s"))
    events: tuple[Event, ...] = (PropletLost("p", "it broke"), comes("q"))
    turn = rules.turn(*events) if is_at_once else [rules.turn(event) for event in events][-1]
    assert rules.states() == {"s": "SCHEDULED", "b": "RUNNING"}
    assert given(turn, "b") == [((WHERE,), WHERE, {"s": WHERE})]


@pytest.mark.parametrize(("reference", "error"), REFERENCES)
@pytest.mark.parametrize(
    ("end", "state"),
    [(StopTask("s"), "interrupted"), (RunEnded(proplet_id="p", task_id="s", attempt=1), "completed")],
    ids=["stopped", "without a result"],
)
def test_a_child_that_waits_fails_when_it_is_to_be_placed_and_the_result_is_gone(
    reference, error, end, state
):
    rules = a_child_that_waits(**reference)
    assert rules.turn(end).moves == [f"s {state.upper()}"]
    assert rules.turn(comes("q")).moves == ["b FAILED"]
    task = rules.task("b")
    assert task.error == f"{error} is the result of task s, which has none: it is {state}"
    assert (task.failure.kind, task.attempt, task.reason) == (ErrorKind.INPUTS, 0, None)


def test_who_comes_after_such_a_child_follows_and_the_room_goes_to_the_next():
    after = a_task("c", "b", pin="q", run_if="failure", priority=1)
    rules = a_child_that_waits(after, inputs=("${s}",))
    rules.create(a_task("next", pin="q"))
    rules.start("next")
    rules.turn(StopTask("s"))
    turn = rules.turn(comes("q"))
    assert turn.moves == ["b FAILED", "next RUNNING", "c SCHEDULED"]
    rules.completes("next")
    assert rules.states()["c"] == "RUNNING"


def test_a_result_that_turns_out_to_be_no_text_is_no_input_either():
    rules = a_child_that_waits(inputs=("${s}",))
    rules.turn(RunEnded(proplet_id="p", task_id="s", attempt=1, results=b"\x89P"))
    rules.turn(comes("q"))
    assert "the result of task s, which is no text" in rules.task("b").error


@pytest.mark.parametrize(("reference", "error"), REFERENCES)
def test_a_broadcast_that_failed_has_no_result_for_its_children(reference, error):
    """Its results are those of the proplets on which it completed."""
    rules = Rules()
    rules.proplet("p", metadata=OFFERS)
    rules.proplet("q", metadata=OFFERS)
    rules.workflow(a_task("s", broadcast=True), a_task("b", "s", run_if="failure", **reference))
    rules.start_workflow()
    rules.turn(RunEnded(proplet_id="p", task_id="s", attempt=1, results="1\n"))
    rules.turn(RunEnded(proplet_id="q", task_id="s", attempt=1, failure=Failure("it trapped")))
    assert rules.task("s").results == {"p": "1\n"}
    assert rules.task("b").error == f"{error} is the result of task s, which has none: it is failed"


@pytest.mark.parametrize(("reference", "error"), REFERENCES)
def test_what_a_failure_printed_is_no_result_for_its_children(reference, error):
    rules = Rules()
    rules.proplet("p", metadata=OFFERS)
    rules.workflow(a_task("s"), a_task("b", "s", run_if="failure", **reference))
    rules.start_workflow()
    rules.turn(rules.end_of("s", results="half of it", failure=Failure("it trapped")))
    assert rules.task("b").error == f"{error} is the result of task s, which has none: it is failed"


def test_a_server_that_can_not_run_elsewhere_keeps_no_address():
    rules = a_child_that_waits(pin="p", inputs=("${s}",))
    rules.turn(RunUp("p", "b", 1, results="http://p:2"))
    rules.turn(StopTask("s"))
    assert rules.proplet("p", boot=2).moves == ["b SCHEDULED", "b FAILED"]
    assert (rules.task("b").failure.kind, rules.task("b").results) == (ErrorKind.INPUTS, None)


# -- a start that is to be said again ------------------------------------------------------------------------


def test_a_start_that_got_lost_ends_its_task_where_the_result_is_gone():
    rules = a_child_that_waits(pin="p", inputs=("${s}",))
    rules.turn(StopTask("s"))
    silent = PropletSeen(proplet_id="p", boot=1, slots=1, running=())
    turn = rules.turn(silent, after_s=60)
    assert turn.moves == ["b SCHEDULED", "b FAILED"]
    assert turn.sent == ["stop b 1 on p"]
    assert rules.task("b").error.endswith("is the result of task s, which has none: it is interrupted")


def test_a_start_is_not_said_to_a_foreign_proplet_again_where_the_result_is_gone():
    """It may run the task: it says nothing of that. If not, its lease will end."""
    rules = Rules(Policy(foreign_lease_s=1000, liveness_s=10_000))
    rules.proplet("f", boot=0, slots=0)
    rules.workflow(a_task("s", daemon=True), a_task("b", "s", inputs=("${s}",)))
    rules.start_workflow()
    rules.turn(RunEnded(proplet_id="f", task_id="s", attempt=0, results=WHERE))
    rules.turn(StopTask("s"))
    assert rules.turn(TimePassed(), after_s=60).sent == []
    assert rules.states()["b"] == "RUNNING"
    assert rules.turn(TimePassed(), after_s=1000).moves == ["b SCHEDULED", "b FAILED"]


# -- on every proplet ----------------------------------------------------------------------------------------


def a_child_everywhere(*, daemon: bool = False) -> Rules:
    """Have a server ``s`` up on ``p``, and its child ``b`` run there, as on all proplets."""
    rules = Rules()
    rules.proplet("p")
    rules.workflow(a_task("s"), a_task("b", "s", broadcast=True, daemon=daemon, inputs=("${s}",)))
    rules.start_workflow()
    rules.turn(RunUp("p", "s", 1, results=WHERE))
    return rules


def executions(rules: Rules) -> dict[str, str]:
    return {one.proplet_id: one.state.name for one in rules.task("b").executions.values()}


def test_a_proplet_that_comes_later_can_not_run_what_lacks_its_input():
    rules = a_child_everywhere(daemon=True)
    assert given(rules.turn(comes("q")), "b") == [((WHERE,), "", {"s": WHERE})]
    rules.turn(StopTask("s"))
    assert rules.turn(comes("r")).sent == []
    assert executions(rules) == {"p": "RUNNING", "q": "RUNNING", "r": "FAILED"}
    assert rules.task("b").executions["r"].failure.kind is ErrorKind.INPUTS
    assert rules.states()["b"] == "RUNNING"


@pytest.mark.parametrize("daemon", [False, True])
def test_a_start_that_got_lost_fails_on_its_proplet_where_the_result_is_gone(daemon):
    rules = Rules()
    rules.proplet("p")
    rules.proplet("q")
    rules.workflow(
        a_task("s", pin="p", daemon=True), a_task("b", "s", broadcast=True, daemon=daemon, inputs=("${s}",))
    )
    rules.start_workflow()
    rules.turn(RunUp("p", "s", 1, results=WHERE))
    rules.turn(StopTask("s"))
    turn = rules.turn(PropletSeen(proplet_id="q", boot=1, slots=1, running=()), after_s=6)
    assert turn.sent == ["stop b 1 on q"]
    assert executions(rules) == {"p": "RUNNING", "q": "FAILED"}
    failure = rules.task("b").executions["q"].failure
    assert failure.kind is ErrorKind.INPUTS
    assert failure.error.endswith("is the result of task s, which has none: it is interrupted")


def test_what_runs_there_again_fails_where_it_lacks_its_input():
    rules = a_child_everywhere()
    rules.turn(StopTask("s"))
    lost = RunHandedBack(proplet_id="p", task_id="b", attempt=1, reason="killed", is_lost=True)
    assert rules.turn(lost).moves[-1] == "b FAILED"
    assert executions(rules) == {"p": "FAILED"}
    assert rules.task("b").error.endswith("is the result of task s, which has none: it is interrupted")


def test_a_broadcast_that_waits_fails_when_it_is_to_be_placed_and_the_result_is_gone():
    rules = Rules()
    rules.proplet("p")
    rules.workflow(a_task("s"), a_task("b", "s", broadcast=True, required_tags=("edge",), inputs=("${s}",)))
    rules.start_workflow()
    rules.turn(RunUp("p", "s", 1, results=WHERE))
    rules.turn(StopTask("s"))
    turn = rules.turn(PropletSeen(proplet_id="q", boot=1, slots=1, metadata={"tags": ["edge"]}))
    assert turn.moves == ["b FAILED"]
    assert executions(rules) == {}
    assert rules.task("b").state is FAILED
