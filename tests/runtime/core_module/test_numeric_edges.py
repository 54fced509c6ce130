"""Numbers at their edges, in and out of our text form through real instructions.

The cases are the well-known ones of the core specification's sections on integer and floating-point operations
(4.3.2 and 4.3.3), written down by hand.
"""

import pytest

from tests.runtime.helpers import Here

I32_MIN, I64_MIN = "-2147483648", "-9223372036854775808"

CASES = [
    # operation, parameter types, result type, inputs, result
    ("i32.add", "i32 i32", "i32", ["2147483647", "1"], I32_MIN),
    ("i32.add", "i32 i32", "i32", ["4294967295", "1"], "0"),
    ("i32.sub", "i32 i32", "i32", ["0x80000000", "1"], "2147483647"),
    ("i32.mul", "i32 i32", "i32", ["0x10000000", "4096"], "0"),
    ("i32.mul", "i32 i32", "i32", ["0x01234567", "0x76543210"], "898528368"),
    ("i32.div_u", "i32 i32", "i32", ["-1", "2"], "2147483647"),
    ("i32.rem_s", "i32 i32", "i32", [I32_MIN, "-1"], "0"),
    ("i32.rem_u", "i32 i32", "i32", ["0x80000000", "-1"], I32_MIN),
    ("i32.shl", "i32 i32", "i32", ["1", "32"], "1"),
    ("i32.shr_s", "i32 i32", "i32", [I32_MIN, "31"], "-1"),
    ("i32.shr_u", "i32 i32", "i32", [I32_MIN, "31"], "1"),
    ("i32.rotl", "i32 i32", "i32", ["0xabcd9876", "1"], "1469788397"),
    ("i32.clz", "i32", "i32", ["0"], "32"),
    ("i32.ctz", "i32", "i32", ["0x80000000"], "31"),
    ("i32.popcnt", "i32", "i32", ["0xffffffff"], "32"),
    ("i32.extend8_s", "i32", "i32", ["0x80"], "-128"),
    ("i32.lt_u", "i32 i32", "i32", ["-1", "1"], "0"),
    ("i64.add", "i64 i64", "i64", ["9223372036854775807", "1"], I64_MIN),
    ("i64.add", "i64 i64", "i64", ["18446744073709551615", "1"], "0"),
    ("i64.mul", "i64 i64", "i64", ["0x0123456789abcdef", "0xfedcba9876543210"], "2465395958572223728"),
    ("i64.div_u", "i64 i64", "i64", ["-1", "2"], "9223372036854775807"),
    ("i64.rem_s", "i64 i64", "i64", [I64_MIN, "-1"], "0"),
    ("i64.clz", "i64", "i64", ["1"], "63"),
    ("i64.extend_i32_u", "i32", "i64", ["-1"], "4294967295"),
    ("i64.extend_i32_s", "i32", "i64", ["4294967295"], "-1"),
    ("i32.wrap_i64", "i64", "i32", ["0x8000000000000001"], "1"),
    ("f32.add", "f32 f32", "f32", ["16777216", "1"], "16777216"),
    ("f32.add", "f32 f32", "f32", ["0.1", "0.2"], "0.3"),
    ("f64.add", "f64 f64", "f64", ["0.1", "0.2"], "0.30000000000000004"),
    ("f32.div", "f32 f32", "f32", ["1", "0"], "inf"),
    ("f32.div", "f32 f32", "f32", ["-1", "0"], "-inf"),
    ("f32.div", "f32 f32", "f32", ["0", "0"], "NaN"),
    ("f64.sub", "f64 f64", "f64", ["inf", "inf"], "NaN"),
    ("f64.min", "f64 f64", "f64", ["0", "-0"], "-0"),
    ("f64.max", "f64 f64", "f64", ["-0", "0"], "0"),
    ("f64.max", "f64 f64", "f64", ["nan", "1"], "NaN"),
    ("f64.sqrt", "f64", "f64", ["2"], "1.4142135623730951"),
    ("f64.sqrt", "f64", "f64", ["-1"], "NaN"),
    ("f64.nearest", "f64", "f64", ["2.5"], "2"),
    ("f64.nearest", "f64", "f64", ["3.5"], "4"),
    ("f64.nearest", "f64", "f64", ["-0.5"], "-0"),
    ("f32.trunc", "f32", "f32", ["-1.9"], "-1"),
    ("f64.copysign", "f64 f64", "f64", ["5", "-0"], "-5"),
    ("f64.neg", "f64", "f64", ["0"], "-0"),
    ("f64.promote_f32", "f32", "f64", ["0.1"], "0.10000000149011612"),
    ("f32.demote_f64", "f64", "f32", ["0.1"], "0.1"),
    ("f32.demote_f64", "f64", "f32", ["1e308"], "inf"),
    ("f32.convert_i32_u", "i32", "f32", ["-1"], "4294967300"),
    ("f64.convert_i64_u", "i64", "f64", ["18446744073709551615"], "18446744073709552000"),
    ("f32.convert_i32_s", "i32", "f32", ["16777217"], "16777216"),
    ("i32.trunc_sat_f32_s", "f32", "i32", ["nan"], "0"),
    ("i32.trunc_sat_f64_s", "f64", "i32", ["1e300"], "2147483647"),
    ("i32.trunc_sat_f64_u", "f64", "i32", ["1e300"], "-1"),
    ("i64.trunc_sat_f64_s", "f64", "i64", ["-inf"], I64_MIN),
    ("i32.reinterpret_f32", "f32", "i32", ["-0"], I32_MIN),
    ("f32.reinterpret_i32", "i32", "f32", ["1"], "0.000000000000000000000000000000000000000000001"),
    ("f32.reinterpret_i32", "i32", "f32", ["0x7f7fffff"], "340282350000000000000000000000000000000"),
    ("i64.reinterpret_f64", "f64", "i64", ["inf"], "9218868437227405312"),
    ("i64.reinterpret_f64", "f64", "i64", ["5e-324"], "1"),
]
TRAPS = [
    ("i32.div_s", "i32 i32", "i32", [I32_MIN, "-1"], "integer overflow"),
    ("i32.div_u", "i32 i32", "i32", ["1", "0"], "integer division by zero"),
    ("i64.rem_u", "i64 i64", "i64", ["1", "0"], "integer division by zero"),
    ("i32.trunc_f64_s", "f64", "i32", ["2147483648"], "integer overflow"),
    ("i64.trunc_f32_u", "f32", "i64", ["nan"], "a float that does not fit"),
]


def module(operation, params, result):
    count = len(params.split())
    body = " ".join(f"(local.get {number})" for number in range(count))
    return f'(module (func (export "f") (param {params}) (result {result}) ({operation} {body})))'


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return Here(tmp_path_factory.mktemp("edges"))


@pytest.mark.parametrize(("operation", "params", "result", "inputs", "printed"), CASES)
def test_an_edge(here, operation, params, result, inputs, printed):
    ended = here.run(module(operation, params, result), "f", *inputs)
    assert (ended.results, ended.error) == (f"{printed}\n", "")


@pytest.mark.parametrize(("operation", "params", "result", "inputs", "words"), TRAPS)
def test_an_edge_that_is_an_abyss(here, operation, params, result, inputs, words):
    assert words in here.run(module(operation, params, result), "f", *inputs).error
