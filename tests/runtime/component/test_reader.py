"""The interface of a component as it is read from its bytes, held to what the engine says of it."""

import random
import time

import pytest
import wasmtime
from hypothesis import given, settings
from wasmtime.component import Component

from propeller.runtime.component.reader import interface_in
from propeller.runtime.component.types import component_interface
from propeller.runtime.core_module.binary import BinaryReader
from tests.guests.helpers import guest
from tests.runtime.component.helpers import CORE, ENGINE, TYPES, identity

HEADER = b"\0asm\x0d\0\1\0"


def leb(number):
    """Unsigned LEB128."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def section(number, content):
    return bytes([number]) + leb(len(content)) + content


def hollow(wasm):
    """A component with no code in its core modules, which is compiled fast."""
    reader = BinaryReader(wasm, 8)
    found = bytearray(wasm[:8])
    while reader.at < len(wasm):
        number, size = reader.byte(), reader.number()
        content = wasm[reader.at : reader.at + size]
        reader.at += size
        if wasm[4] == 1 and number == 10:
            count = BinaryReader(content).number()
            content = leb(count) + b"\3\0\0\x0b" * count
        elif wasm[4] != 1 and number in (1, 4):
            content = hollow(content)
        found += section(number, content)
    return bytes(found)


def in_order(interface):
    """All of an interface, with the order of its names."""
    return [
        (
            list(items.functions.items()),
            [(name, list(group.items())) for name, group in items.instances.items()],
            list(items.others.items()),
        )
        for items in (interface.exports, interface.imports)
    ]


def of_engine(wasm, engine=ENGINE):
    return component_interface(Component(engine, wasm), engine)


def binary(text):
    return bytes(wasmtime.wat2wasm(text))


RESOURCES = f"""(component {CORE}
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "again" (type $again (eq $p)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))
    (export "join" (func (param "a" (borrow $again))))))
  (alias export $poll "pollable" (type $pollable))
  (import "other" (type $other (sub resource)))
  (import "same" (type $same (eq $other)))
  (type $pair (record (field "a" u32)))
  (import "pair" (type $named (eq $pair)))
  (import "take" (func (param "a" (own $pollable)) (param "b" (borrow $same)) (param "c" $named)))
  (type $own (resource (rep i32)))
  (export $shown "thing" (type $own))
  (func $f (param "a" (own $own)) (param "b" (borrow $pollable)) (canon lift (core func $i "two")))
  (export "f" (func $f) (func (param "a" (own $shown)) (param "b" (borrow $pollable))))
  (export "ready" (type $pollable)))""".replace(
    '(func (export "nothing"))', '(func (export "nothing")) (func (export "two") (param i32 i32))'
)

#: Two instances of one component, the resource of each being its own; and one that is given a resource.
NESTED = f"""(component
  (component $inner {CORE}
    (type $own (resource (rep i32)))
    (export $r "res" (type $own))
    (func $f (param "a" (own $own)) (canon lift (core func $i "drop")))
    (export "f" (func $f) (func (param "a" (own $r)))))
  (instance $one (instantiate $inner))
  (instance $two (instantiate $inner))
  (alias export $one "res" (type $of-one))
  (alias export $one "f" (func $f))
  (component $shim
    (import "r" (type $r (sub resource)))
    (import "f" (func $f (param "a" (own $r))))
    (export $shown "renamed" (type $r))
    (export "g" (func $f) (func (param "a" (own $shown)))))
  (instance $third (instantiate $shim (with "r" (type $of-one)) (with "f" (func $f))))
  (export "a:b/one" (instance $one))
  (export "a:b/two" (instance $two))
  (export "a:b/third" (instance $third)))""".replace(
    '(func (export "nothing"))', '(func (export "nothing")) (func (export "drop") (param i32))'
)
OUTER = f"""(component {CORE}
  (type $pair (tuple u8 string))
  (func $f (param "a" u32) (canon lift (core func $i "only")))
  (component $inner
    (alias outer 1 $pair (type $p))
    (import "i" (instance $i (alias outer 1 $p (type $q)) (export "f" (func (param "a" u32)))))
    (alias export $i "f" (func $f))
    (export "again" (func $f)))
  (instance $bag (export "f" (func $f)))
  (instance $x (instantiate $inner (with "i" (instance $bag))))
  (export "a:b/c" (instance $x))
  (core module $plain)
  (export "m" (core module $plain))
)""".replace('(func (export "nothing"))', '(func (export "nothing")) (func (export "only") (param i32))')
CHANNELS = '(component (type $s (stream u8)) (import "f" (func (param "a" $s) (param "b" (future)))))'


@pytest.mark.parametrize(
    "name",
    (
        "add_component cat_component crasher_component directories_component files_component "
        "greet_component greeter hello_component http_client http_server http_server_py kinds"
    ).split(),
)
def test_it_reads_of_a_guest_what_the_engine_says(name):
    wasm = guest(name)
    read = interface_in(wasm)
    assert read is not None
    assert in_order(read) == in_order(of_engine(hollow(wasm)))


@pytest.mark.parametrize(
    "text",
    [RESOURCES, NESTED, OUTER, CHANNELS, "(component)"],
    ids=["resources", "nested", "outer", "channels", "empty"],
)
def test_it_reads_of_a_text_what_the_engine_says(text):
    wasm = binary(text)
    read = interface_in(wasm)
    assert read is not None
    assert in_order(read) == in_order(of_engine(wasm))


@settings(max_examples=60, deadline=None)
@given(type_=TYPES)
def test_it_reads_all_types_of_values(type_):
    wasm = binary(identity(type_))
    assert in_order(interface_in(wasm)) == in_order(of_engine(wasm))


def importing(*types):
    """A component that imports a function which takes the last of these types, ``$t0`` and so on."""
    lines = " ".join(f"(type $t{number} {type_})" for number, type_ in enumerate(types))
    return binary(f'(component {lines} (import "f" (func (param "it" $t{len(types) - 1}))))')


@pytest.mark.parametrize(
    "wasm",
    [
        b"",
        b"\0asm",
        binary("(module)"),
        HEADER + section(9, b"\0\0\0"),
        HEADER + section(12, b"\0"),
        HEADER + section(7, b"\1\x63\x73\x79"),
        HEADER + section(10, leb(1) + b"\3\1f\1\0"),
        HEADER + section(11, leb(1) + b"\0\1f\1\0\0"),
        HEADER + section(11, leb(1) + b"\0\1f\2\0\0"),
        HEADER + section(10, leb(1) + b"\0\1\xff\3\1"),
        binary('(component (type $f (func)) (export "f" (type $f)))'),
        binary('(component (import "c" (component $c (export "f" (func)))) (instance (instantiate $c)))'),
        importing("(map string u32)"),
    ],
    ids=lambda wasm: wasm.hex()[:60],
)
def test_what_is_unknown_has_no_interface(wasm):
    assert interface_in(wasm) is None


def test_names_that_are_exported_in_an_instance_are_no_functions_of_the_top_level():
    read = interface_in(binary(OUTER))
    assert list(read.exports.functions) == []
    assert read.choose("again") == ("a:b/c", "again")


def nested_types(levels, exports=b""):
    """The type of an instance in the type of an instance, and so on."""
    inner = b"\x42\0"
    for _ in range(levels):
        inner = b"\x42" + leb(1 + bool(exports)) + b"\1" + inner + exports
    return HEADER + section(7, b"\1" + inner) + section(0, bytes(100_000))


def nested_components(levels):
    wasm = HEADER
    for _ in range(levels):
        wasm = HEADER + section(4, wasm) + section(5, b"\1\0\0\0")
    return wasm


def doubling_components(levels):
    """Components each of which instantiates the one before twice."""
    wasm = HEADER + section(4, HEADER)
    for level in range(levels):
        again = b"\2\0\0\0" + b"\0\0\0"
        wasm += section(4, HEADER + section(6, b"\1\4\2\1" + leb(level)) + section(5, again))
    return wasm + section(5, b"\1\0" + leb(levels) + b"\0") + section(0, bytes(100_000))


def instances(levels, names):
    """An exported instance that has the same instance under each of these names, and so on."""
    made = b"\1\0"
    for level in range(levels):
        inner = b"".join(b"\0\1" + name.encode() + b"\5" + leb(level) for name in names)
        made += b"\1" + leb(len(names)) + inner
    exported = section(11, b"\1\0\1x\5" + leb(levels) + b"\0")
    return HEADER + section(5, leb(levels + 1) + made) + exported + section(0, bytes(100_000))


@pytest.mark.parametrize(
    "hostile",
    [
        importing("(tuple u8 u8)", *(f"(tuple $t{n} $t{n})" for n in range(60))),
        importing("(list u8)", *(f"(option $t{n})" for n in range(80))),
        nested_types(3000),
        nested_types(18, exports=b"\4\0\1a\5\0"),
        nested_components(900),
        doubling_components(18),
        instances(18, "ab"),
        instances(3000, "a"),
        HEADER + section(7, b"\xff\xff\xff\xff\x0f" + b"\x7f" * 300_000),
        HEADER + section(6, b"\xff\xff\xff\xff\x0f" + b"\0\0\2\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0" * 9999),
        HEADER + section(11, b"\1\0\xff\xff\xff\xff\x0f"),
        HEADER + b"\0\0" * 1_000_000,
    ],
    ids="doubling deep types used components instantiated twice inner many outer name sections".split(),
)
def test_a_hostile_component_is_given_up_soon(hostile):
    began_s = time.process_time()
    assert interface_in(hostile) is None
    assert time.process_time() - began_s < 2


@pytest.mark.parametrize("wasm", [binary(RESOURCES), binary(NESTED), binary(OUTER)], ids=["r", "n", "o"])
def test_what_is_damaged_is_read_as_the_engine_reads_it_or_not_at_all(wasm):
    chance = random.Random(11)
    valid = 0
    for _ in range(400):
        damaged = bytearray(wasm)
        for _ in range(chance.randint(1, 2)):
            damaged[chance.randrange(8, len(wasm))] = chance.randrange(256)
        cut = bytes(damaged[: chance.choice([len(wasm), chance.randrange(len(wasm))])])
        for candidate in {cut, bytes(damaged)}:
            read = interface_in(candidate)
            try:
                right = of_engine(candidate)
            except (wasmtime.WasmtimeError, UnicodeDecodeError):
                continue
            valid += 1
            assert read is None or in_order(read) == in_order(right)
    assert valid > 10
