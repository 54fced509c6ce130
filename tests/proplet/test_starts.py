"""Starts: the standard input that they carry."""

import msgspec
import pytest
from tests.core.helpers import Rules, a_task

from propeller.core.effects import SendStart
from propeller.core.model import FromParent
from propeller.core.results import as_bytes, from_json
from propeller.proplet.starts import stdin_of
from propeller.wire.fleet.from_manager import Start
from propeller.wire.fleet.outgoing import start_message


class StdinOfBefore(msgspec.Struct):
    """What a proplet of any version that knows of standard input reads of it."""

    stdin: str = ""
    stdin_encoding: str = ""


def start_after(results: object) -> bytes:
    """Give the start of a task that reads what its parent returned, as it goes over the wire."""
    rules = Rules()
    rules.proplet(metadata={"offers": {}})
    rules.workflow(a_task("a"), a_task("b", "a", stdin=FromParent("a")))
    rules.start_workflow()
    (effect,) = (one for one in rules.completes("a", results).effects if isinstance(one, SendStart))
    return msgspec.json.encode(start_message(effect))


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
def test_the_result_of_a_parent_is_read_as_it_is_by_proplets_of_any_version(results, read):
    data = start_after(results)
    assert stdin_of(msgspec.json.decode(data, type=Start)) == read
    before = msgspec.json.decode(data, type=StdinOfBefore)
    assert as_bytes(from_json(before.stdin, before.stdin_encoding)) == (read or b"")


def test_standard_input_of_the_task_itself():
    start = Start(id="b", name="f", image_url="i", stdin="iVA=", stdin_encoding="base64")
    assert stdin_of(start) == b"\x89P"
    assert stdin_of(msgspec.structs.replace(start, stdin_encoding="")) == b"iVA="
