"""The interface of a module: optional parameters, and heads of files that nobody has validated."""

import random
import tracemalloc

import msgspec
import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from propeller.errors import Invalid
from propeller.runtime.core_module import assemblyscript, calls
from propeller.runtime.core_module.binary import BinaryReader
from propeller.runtime.core_module.interface import (
    HEAD_BYTES,
    Interface,
    Signature,
    interface_in,
    interface_of,
)
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


def test_a_body_of_many_exports_is_read_once(monkeypatch):
    read = []

    def counted(body, count, plain=assemblyscript._required_by):
        read.append(body)
        return plain(body, count)

    monkeypatch.setattr(assemblyscript, "_required_by", counted)
    body = "block block global.get $argumentsLength br_table 0 1 end end"
    again = "".join(f'(export "f{number}" (func $f))' for number in range(50))
    found = counting(f"(func $f (param i32) {body}) {again}")
    assert found.required == {f"f{number}": 0 for number in range(50)}
    assert len(read) == 2


def test_no_more_parameters_are_required_than_there_are():
    body = "block block global.get $argumentsLength i32.const 5 i32.sub br_table 0 1 end end"
    found = counting(f'(func (export "f") (param i32 i32) {body})')
    assert found.required == {}
    assert calls.arguments(found, "f", ["1", "2"]) == [1, 2]


def test_a_memory_of_all_addresses_has_a_size_that_can_be_kept():
    text = '(module (memory (export "m") i64 1 0x1000000000000) (memory i64 0x1000000000000))'
    config = wasmtime.Config()
    config.wasm_multi_memory = True
    wasmtime.Module.validate(wasmtime.Engine(config), wasm(text))
    first, second = interface_of(wasm(text)).memories
    assert (first.least_bytes, first.most_bytes, second.least_bytes) == (65536, 2**64 - 1, 2**64 - 1)
    assert msgspec.msgpack.encode([first, second])


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


HEADER = b"\0asm\1\0\0\0"
EXPORT = section(7, leb(1) + b"\1m\2\0")
#: A type of no parameters, and one of as many as there may be.
PLAIN, WIDE = b"\x60\0\0", b"\x60" + leb(1000) + b"\x7f" * 1000 + b"\0"


def memory(least: int, page_bits: int) -> bytes:
    return HEADER + section(5, b"\1\x08" + leb(least) + leb(page_bits)) + EXPORT


def function_of(types: list[bytes]) -> bytes:
    """Make the head of a module whose function ``f`` has the first of these types."""
    return (
        HEADER
        + section(1, leb(len(types)) + b"".join(types))
        + section(3, b"\1\0")
        + section(7, leb(1) + b"\1f\0\0")
    )


@pytest.mark.parametrize(
    "head",
    [
        *(memory(1, bits) for bits in (1, 15, 17, 2**22, 2**62, 2**69)),
        function_of([WIDE.replace(leb(1000) + b"\x7f", leb(1001) + b"\x7f\x7f")]),
        function_of([b"\x60\0" + leb(1001) + b"\x7f" * 1001]),
        function_of([PLAIN] * 10_001),
        HEADER + section(2, leb(10_001) + b"\0\0\3\x7f\0" * 10_001) + EXPORT,
        HEADER + section(7, leb(10_001) + b"".join(b"\5%05d\2\0" % number for number in range(10_001))),
        function_of([b"\x4e\1\x4e\1" + PLAIN]),
        function_of([b"\x3f" + PLAIN]),
    ],
    ids=lambda head: f"{len(head)}-{head[8]}",
)
def test_what_no_engine_or_no_compiler_makes_has_no_interface(head):
    assert interface_in(head) is None


def test_what_engines_and_compilers_make_has_one():
    assert interface_in(memory(3, 0)).memories[0].least_bytes == 3
    assert interface_in(memory(3, 16)).memories[0].least_bytes == 3 * 65536
    found = interface_in(function_of([WIDE] + [PLAIN] * 9999))
    assert len(found.functions["f"].params) == 1000
    group = b"\x4e\2" + PLAIN + b"\x50\0\x5f\1\x7f\1"
    assert interface_in(function_of([group, b"\x5e\x78\0"])).functions["f"].params == ()


def test_of_many_functions_only_those_that_are_named_are_written(monkeypatch):
    exports = b"".join(b"\3%03d\0\0" % number for number in range(500))
    found = interface_in(
        HEADER + section(1, b"\1" + WIDE) + section(3, b"\1\0") + section(7, leb(500) + exports)
    )
    written = []

    def counted(signature, name, plain=Signature.of):
        written.append(name)
        return plain(signature, name)

    monkeypatch.setattr(Signature, "of", counted)
    with pytest.raises(Invalid, match=r"exported are: 000\(i32, i32, .* and 480 more$") as refusal:
        calls.choose(found, "f")
    assert (len(written), len(str(refusal.value)) < 5000) == (20, True)


@pytest.fixture
def bytes_read(monkeypatch):
    """The bytes that were read one by one, in all."""
    read = []

    def counted(reader, plain=BinaryReader.byte):
        read.append(None)
        return plain(reader)

    monkeypatch.setattr(BinaryReader, "byte", counted)
    return read


OVERLAPPING = [
    # Each says that it has so many types, imports or functions that they go on in all those behind it.
    HEADER + b"\1\5\xff\xff\x3f\x5e\x7f" * 20_000,
    HEADER + b"\2\3\xff\xff\x3f" * 20_000,
    HEADER + b"\3\3\xff\xff\3" * 20_000 + bytes(70_000),
    HEADER + b"\1\3\x81\x80\1\1" * 20_000 + bytes(70_000),
]


@pytest.mark.parametrize("head", OVERLAPPING, ids=range(len(OVERLAPPING)))
def test_no_byte_is_read_twice(head, bytes_read):
    assert interface_in(head) is None
    assert len(bytes_read) <= 2 * len(head)


@pytest.mark.parametrize(
    "head", [memory(1, 2**27), memory(2**69, 16), *OVERLAPPING], ids=range(2 + len(OVERLAPPING))
)
def test_no_head_takes_much_memory(head):
    tracemalloc.start()
    try:
        interface_in(head)
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()


RICH = """(module (rec (type $a (func (param i64) (result i32))) (type $s (struct (field i8 i32))))
  (import "wasi_snapshot_preview1" "fd_read" (func (param i32 i32 i32 i32) (result i32)))
  (import "m" "g" (global i32)) (import "m" "t" (table 1 2 funcref)) (import "m" "m" (memory 1 2))
  (memory (export "memory") i64 1 9) (global (export "g") (mut f64) (f64.const 1))
  (func (export "f") (type $a) (i32.const 0)) (func (export "v") (param v128 (ref null $s))))"""


@pytest.mark.parametrize("text", [ADD, COUNTING % '(func (export "f") (param i32))', RICH])
def test_damaged_heads_are_read_or_not_but_never_break(text, bytes_read):
    whole = wasm(text)
    assert interface_in(whole) is not None
    chance = random.Random(7)
    for _ in range(2000):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(8, len(whole))] = chance.randrange(256)
        bytes_read.clear()
        interface_in(bytes(damaged))
        # Code is passed over once, and read once where it may say which parameters may be left out.
        assert len(bytes_read) <= 3 * len(whole)


#: Sections as they may be, and such as say that they are larger or smaller than they are.
PARTS = st.tuples(st.integers(0, 13), st.integers(0, 2**70), st.binary(max_size=40)).map(
    lambda part: section(part[0], part[2]) if part[1] % 2 else bytes([part[0]]) + leb(part[1]) + part[2]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, max_size=8).map(b"".join))
def test_any_sections_are_read_or_not_but_never_break(sections):
    interface_in(HEADER + sections + EXPORT)
