"""Starts: the standard input that they carry, and those that can't be followed."""

import msgspec
import pytest
from tests.core.helpers import Rules, a_task

from propeller.core.effects import SendStart
from propeller.core.failures import ErrorKind
from propeller.core.model import FromParent
from propeller.core.sandbox import Offer
from propeller.proplet.starts import obstacle, stdin_of
from propeller.wire.fleet.from_manager import Start
from propeller.wire.fleet.outgoing import start_message


def start_after(results: object) -> Start:
    """Give the start of a task that reads what its parent returned, as it comes over the wire."""
    rules = Rules()
    rules.proplet(metadata={"offers": {}})
    rules.workflow(a_task("a"), a_task("b", "a", stdin=FromParent("a")))
    rules.start_workflow()
    (effect,) = (one for one in rules.completes("a", results).effects if isinstance(one, SendStart))
    return msgspec.json.decode(msgspec.json.encode(start_message(effect)), type=Start)


@pytest.mark.parametrize(
    ("results", "read"),
    [
        ("30\n", b"30\n"),
        ("", None),
        (b"\x89P", b"\x89P"),
        ({"loss": 0.5, "of": "ä"}, '{"loss": 0.5, "of": "ä"}'.encode()),
        ({"base64": "iVA="}, b'{"base64": "iVA="}'),
        ({"p": b"\x89P", "q": b"a"}, b'{"p": {"base64": "iVA="}, "q": {"base64": "YQ=="}}'),
    ],
)
def test_the_result_of_a_parent_is_read_as_it_is(results, read):
    assert stdin_of(start_after(results)) == read


def test_the_result_of_a_parent_that_is_standard_input_is_sent_once():
    assert msgspec.json.encode(start_after("a long result")).count(b"a long result") == 1


def test_standard_input_of_the_task_itself():
    start = Start(id="b", name="f", image_url="i", stdin="iVA=", stdin_encoding="base64")
    assert stdin_of(start) == b"\x89P"
    assert stdin_of(msgspec.structs.replace(start, stdin_encoding="")) == b"iVA="


def test_a_start_without_the_result_that_it_names_is_not_followed():
    refused = obstacle(Start(id="b", name="f", image_url="i", stdin_from="a"), Offer())
    assert refused.kind is ErrorKind.INPUTS
    assert refused.error == "stdin: it is the result of task a, with which the start did not come"
