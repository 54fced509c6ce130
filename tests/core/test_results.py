"""Results that are no text: what is stored and told, and what children get."""

import pytest

from propeller.core import results
from propeller.core.effects import SendStart
from propeller.core.events import RunEnded
from propeller.core.failures import ErrorKind
from propeller.core.model import FromParent, FromSecret
from propeller.errors import Invalid
from tests.core.helpers import Rules, a_task

BYTES = b"\x89P"


@pytest.mark.parametrize(
    ("value", "shown", "encoding"),
    [
        ("iVA=", "iVA=", ""),
        (BYTES, "iVA=", "base64"),
        ({"base64": "iVA="}, {"base64": "iVA="}, ""),
        ({"p": BYTES, "q": b"a"}, {"p": "iVA=", "q": "YQ=="}, "base64"),
        (None, None, ""),
    ],
)
def test_as_json_and_back(value, shown, encoding):
    assert results.to_json(value) == (shown, encoding)
    assert results.from_json(shown, encoding) == value


def test_a_child_gets_bytes_marked_as_such_and_none_as_an_input():
    rules = Rules()
    rules.proplet()
    given = (FromParent("a"),)
    rules.workflow(a_task("a"), a_task("b", "a"), a_task("c", "a", inputs=given), a_task("t"))
    rules.start_workflow()
    turn = rules.completes("a", BYTES)
    (start,) = (effect for effect in turn.effects if isinstance(effect, SendStart))
    assert (start.spec.id, start.parent_results) == ("b", {"a": {"base64": "iVA="}})
    assert rules.task("c").failure.kind is ErrorKind.INPUTS
    assert "the result of task a, which is no text" in rules.task("c").error
    move = turn.changes.transitions[0]
    assert (move.task_id, move.results, move.results_encoding) == ("a", "iVA=", "base64")


def test_a_broadcast_has_bytes_everywhere_or_nowhere():
    rules = Rules()
    rules.proplet("p")
    rules.proplet("q")
    rules.create(a_task("a", broadcast=True))
    rules.start("a")
    for proplet_id, found in (("p", BYTES), ("q", "text")):
        rules.turn(RunEnded(proplet_id=proplet_id, task_id="a", attempt=1, results=found))
    assert rules.task("a").results == {"p": BYTES, "q": b"text"}


def test_standard_input_is_a_parents_result_as_it_is():
    rules = Rules()
    rules.proplet(metadata={"offers": {}})
    rules.workflow(
        a_task("a"), a_task("b", "a", stdin=FromParent("a")), a_task("c", "b", stdin=FromParent("b"))
    )
    rules.start_workflow()
    for task_id, found, given in (
        ("a", BYTES, ("iVA=", "base64", {"a": {"base64": "iVA="}})),
        ("b", "30\n", ("30\n", "", {"b": "30\n"})),
    ):
        (start,) = (
            effect for effect in rules.completes(task_id, found).effects if isinstance(effect, SendStart)
        )
        assert (start.stdin, start.stdin_encoding, start.parent_results) == given


def test_standard_input_of_a_parent_without_a_result():
    rules = Rules()
    rules.proplet()
    rules.workflow(a_task("a"), a_task("b", "a", stdin=FromParent("a")))
    rules.start_workflow()
    rules.completes("a", None)
    assert rules.task("b").error == "stdin: it is the result of task a, which has none: it is completed"
    with pytest.raises(Invalid, match=r"^stdin: 'x' is not one task that b depends on"):
        Rules().workflow(a_task("a"), a_task("b", "a", stdin=FromParent("x")))


def test_a_proplet_that_knows_nothing_of_standard_input_does_not_get_the_task():
    rules = Rules()
    rules.proplet("foreign", boot=0)
    rules.create(a_task("a", stdin="text"), a_task("b"))
    assert rules.start("a").sent == []
    refused = "it can't give a task standard input"
    name = rules.state.proplets["foreign"].name
    assert str(rules.task("a").reason) == f"waits for a proplet that takes it; {name} does not: {refused}"
    rules.create(a_task("pinned", stdin="text", pin="foreign"))
    rules.start("pinned")
    words = f"waits for proplet foreign, which does not take it: {refused}"
    assert str(rules.task("pinned").reason) == words
    assert rules.start("b").sent == ["start b 1 on foreign"]
    assert rules.proplet("native", metadata={"offers": {}}).sent == ["start a 1 on native"]


def test_a_proplet_without_a_key_does_not_get_a_task_with_secrets():
    rules = Rules()
    rules.proplet("old", metadata={"offers": {}})
    rules.create(a_task("a", env={"KEY": FromSecret("KEY")}), a_task("b"))
    assert rules.start("a").sent == []
    name = rules.state.proplets["old"].name
    refused = "it can't take secrets, since it says no key that they could be sealed to"
    assert str(rules.task("a").reason) == f"waits for a proplet that takes it; {name} does not: {refused}"
    assert rules.start("b").sent == ["start b 1 on old"]
    able = {"offers": {}, "sealing_key": "key"}
    assert rules.proplet("able", metadata=able).sent == ["start a 1 on able"]
