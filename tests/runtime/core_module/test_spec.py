"""The official tests of numbers, from their text form to ours, through a proplet's processes."""

import re
import struct

import pytest

from propeller.runtime.guest_run import Ended, GuestRun
from tests.runtime.core_module.wast import Assertion, Value, assertions
from tests.runtime.helpers import a_pool, in_a_loop, put

#: Script, and how many of its assertions there are to try at least, lest some get lost unseen.
SCRIPTS = {
    "i32": 350,
    "i64": 350,
    "int_exprs": 80,
    "int_literals": 25,
    "f32": 2400,
    "f32_bitwise": 350,
    "f32_cmp": 2300,
    "f64": 2400,
    "f64_bitwise": 350,
    "f64_cmp": 2300,
    "float_exprs": 700,
    "float_literals": 75,
    "float_misc": 400,
    "const": 250,
    "conversions": 400,
    "traps": 15,
}
#: Traps, as the tests and as we call them.
TRAPS = {
    "integer divide by zero": "integer division by zero",
    "integer overflow": "integer overflow",
    "invalid conversion to integer": "a float that does not fit was converted to an integer",
    "unreachable": "unreachable code was reached",
}


def bits(value: Value) -> bytes:
    """What a number is made of; of a NaN, only that it is one."""
    text = value.text.replace("_", "")
    if value.type[0] == "i":
        return (int(text, 0) % 2 ** int(value.type[1:])).to_bytes(8)
    if "nan" in text.lower():
        return b"NaN"
    number = float.fromhex(text) if "x" in text else float(text)
    return struct.pack("<f" if value.type == "f32" else "<d", number)


def typed(value: Value) -> str:
    """Write a number as a user does, who knows one NaN."""
    return re.sub("nan:.*", "nan", value.text.replace("_", ""))


def can_be_said(assertion: Assertion) -> bool:
    """Leave out what asks for the bits of one NaN of many."""
    return "reinterpret" not in assertion.export or not any(
        "nan:" in value.text for value in assertion.inputs
    )


def is_right(ended: Ended, wanted: Value | None, trap: str) -> bool:
    if trap:
        return not ended.results and TRAPS[trap] in ended.error
    if ended.error or wanted is None:
        return not ended.error and ended.results == ""
    return bits(Value(wanted.type, ended.results.removesuffix("\n"))) == bits(wanted)


@pytest.mark.parametrize("script", SCRIPTS)
@in_a_loop
async def test_the_official_tests_of(tmp_path, script):
    tried = [one for one in assertions(script) if can_be_said(one)]
    digests = {module: put(tmp_path, module) for module in {one.module for one in tried}}
    runs = [
        GuestRun(key, digests[one.module], one.export, [typed(value) for value in one.inputs])
        for key, one in enumerate(tried)
    ]
    async with a_pool(tmp_path, size=2) as running:
        running.pool.submit(runs)
        ends = await running.ended(*range(len(runs)))
    wrong = [
        (one.source, end.results or end.error)
        for one, end in zip(tried, ends, strict=True)
        if not is_right(end, one.wanted, one.trap)
    ]
    assert not wrong
    assert len(tried) >= SCRIPTS[script]
