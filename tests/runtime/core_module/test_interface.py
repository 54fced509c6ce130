"""The interface of a module: optional parameters, and heads of files that nobody has validated."""

import random

import pytest
import wasmtime

from propeller.errors import Invalid
from propeller.runtime.core_module import calls
from propeller.runtime.core_module.interface import HEAD_BYTES, Interface, interface_in, interface_of
from tests.runtime.helpers import ADD


def wasm(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def section(number: int, content: bytes) -> bytes:
    return bytes([number]) + leb(len(content)) + content


def leb(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


COUNTING = """(module
  (global $unused (mut i32) (i32.const 0))
  (global $argumentsLength (mut i32) (i32.const 0))
  (memory (export "memory") 1)
  (data (i32.const 16) "__setArgumentsLength ~argumentsLength \\02\\40\\23\\01\\0e")
  (func (export "__setArgumentsLength") (param i32) (global.set $argumentsLength (local.get 0)))
  %s)"""


def counting(functions: str) -> Interface:
    return interface_of(wasm(COUNTING % functions))


def test_optional_parameters_are_counted():
    """As AssemblyScript compiles ``one(a, b = 10)`` and ``all(a = 1, b = 2)``, at all its levels."""
    found = counting("""
      (func (export "one") (param i32 i32) (result i32) (local i64 f32 f32)
        block block block global.get $argumentsLength i32.const 1 i32.sub br_table 1 2 0 end unreachable end
        i32.const 10 local.set 1 end local.get 1)
      (func (export "all") (param i32 i32)
        block block block block global.get $argumentsLength br_table 1 2 3 0 end unreachable end end end)
      (func (export "plain") (param i32))""")
    assert found.required == {"one": 1, "all": 0}
    assert calls.arguments(found, "one", ["7"]) == [7, 0]
    assert calls.arguments(found, "all", []) == [0, 0]
    with pytest.raises(
        Invalid, match=r"^one takes 2 parameters \(i32, i32\), of which the last 1 may be left "
    ):
        calls.arguments(found, "one", [])
    with pytest.raises(Invalid, match=r"^plain takes 1 parameter \(i32\), but 0 inputs were given"):
        calls.arguments(found, "plain", [])


@pytest.mark.parametrize(
    "body",
    [
        # The bytes of ``global.get $argumentsLength``: a number, and an instruction that does nothing.
        "i32.const 35 nop drop",
        "block block i32.const 35 nop br_table 0 1 end end",
        # Another global, another use of it, and no block to jump out of.
        "block block global.get $unused br_table 0 1 end end",
        "block global.get $argumentsLength drop end",
        "(drop (global.get $argumentsLength))",
        "block global.get $argumentsLength i32.const 1 i32.add br_table 0 0 end",
        "block (result i32) i32.const 1 end drop",
    ],
)
def test_no_other_function_has_optional_parameters(body):
    assert counting(f'(func (export "f") (param i32) {body})').required == {}


def test_names_in_data_make_no_parameter_optional():
    text = '(module (memory 1) (data (i32.const 0) "__setArgumentsLength") (func (export "f") (param i32)))'
    assert interface_of(wasm(text)).required == {}


def test_the_head_of_a_module_has_its_interface():
    small = wasm(ADD)
    assert interface_in(small) == interface_of(small)
    large = small + section(0, b"\1x" + bytes(2 * HEAD_BYTES))
    assert interface_in(large) == interface_of(large)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\0asm",
        b"\0asm\x0d\0\1\0" + bytes(100),
        wasm(ADD)[:-15],
        b"\0asm\1\0\0\0" + section(0, b"\1x" + bytes(HEAD_BYTES)) + wasm(ADD)[8:],
        b"\0asm\1\0\0\0" + section(1, b"\xff\xff\xff\xff\x0f" + b"\x4e\1" * 5000),
        b"\0asm\1\0\0\0" + section(7, leb(1) + b"\1f\0\7"),
        b"\0asm\1\0\0\0" + section(7, leb(1) + b"\2\xff\xff\0\0"),
    ],
    ids=["empty", "short", "component", "cut off", "behind the head", "deep", "no such function", "no UTF-8"],
)
def test_what_can_not_be_read_has_no_interface(file):
    assert interface_in(file) is None


def test_damaged_heads_are_read_or_not_but_never_break():
    whole = wasm(COUNTING % '(func (export "f") (param i32))')
    chance = random.Random(7)
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(8, len(whole))] = chance.randrange(256)
        interface_in(bytes(damaged))
