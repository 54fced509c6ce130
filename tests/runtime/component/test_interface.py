"""Exports and imports of components, and the functions that tasks name."""

import msgspec
import pytest
import wasmtime
from wasmtime.component import Component

from propeller.errors import Invalid
from propeller.runtime.component.interface import ComponentInterface
from propeller.runtime.component.types import component_interface
from propeller.runtime.component.wit import function_text, without_text
from tests.runtime.component.helpers import CORE, loaded

ADD = '(func (param "a" u32) (result u32) (canon lift (core func $i "one")))'
NOTHING = '(func $nothing (canon lift (core func $i "nothing")))'


def exporting(*instances, top=(), more=""):
    """A component that exports instances, given as ``name: function function``, and functions."""
    lines = []
    for instance in instances:
        name, _, functions = instance.partition(": ")
        inner = " ".join(f'(export "{one}" (func $add))' for one in functions.split())
        lines.append(f'(instance $n{len(lines)} {inner}) (export "{name}" (instance $n{len(lines)}))')
    tops = " ".join(f'(export "{one}" (func $add))' for one in top)
    add = ADD.replace("(func ", "(func $add ", 1)
    return loaded(f"(component {CORE} {add} {NOTHING} {' '.join(lines)} {tops} {more})")[1]


COMMAND = '(instance $run (export "run" (func $nothing))) (export "wasi:cli/run@0.2.3" (instance $run))'


def test_exports_and_imports_by_kind():
    _, interface = loaded("""(component
      (import "wasi:io/poll@0.2.0" (instance $poll
        (export "pollable" (type $p (sub resource)))
        (export "[method]pollable.block" (func (param "self" (borrow $p))))))
      (import "log" (func (param "text" string)))
      (import "lib" (core module (import "a" "b" (func (param v128)))))
      (alias export $poll "pollable" (type $pollable))
      (import "open" (func $open (param "all" (list (tuple string u32))) (result (result (own $pollable)))))
      (core module $m (func (export "open") (param i32 i32) (result i32) unreachable) (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
      (core instance $i (instantiate $m))
      (alias core export $i "memory" (core memory $memory))
      (alias core export $i "realloc" (core func $realloc))
      (func $open-it (param "all" (list (tuple string u32))) (result (result (own $pollable)))
        (canon lift (core func $i "open") (memory $memory) (realloc $realloc)))
      (export "open-it" (func $open-it))
      (export "ready" (type $pollable)))""")
    assert list(interface.imports.instances) == ["wasi:io/poll@0.2.0"]
    block = interface.imports.instances["wasi:io/poll@0.2.0"]["[method]pollable.block"]
    assert function_text("block", block) == "block: func(self: borrow<pollable>)"
    assert list(interface.imports.functions) == ["log", "open"]
    assert interface.imports.others == {"lib": "core module"}
    assert function_text("open-it", interface.exports.functions["open-it"]) == (
        "open-it: func(all: list<tuple<string, u32>>) -> result<own<pollable>>"
    )
    assert interface.exports.others == {"ready": "resource"}


def importing(*types):
    """The text of a function that takes the last of these types, ``$t0`` and so on."""
    lines = " ".join(f"(type $t{number} {type_})" for number, type_ in enumerate(types))
    text = f'(component {lines} (import "f" (func (param "it" $t{len(types) - 1}))))'
    config = wasmtime.Config()
    config.wasm_component_model_map = True
    engine = wasmtime.Engine(config)
    function = component_interface(Component(engine, text), engine).imports.functions["f"]
    assert without_text(function.params[0][1]) is not None
    return function_text("f", function)


@pytest.mark.parametrize(
    ("types", "text"),
    [
        (["(stream)"], "f: func(it: stream)"),
        (["(stream u8)"], "f: func(it: stream<u8>)"),
        (["(future)", "(option $t0)"], "f: func(it: option<future>)"),
        (["(map string u32)", "(list $t0)"], "f: func(it: list-of-unknown)"),
        (["(map string u32)"], "f: func(…: unknown)"),
    ],
)
def test_types_without_a_text_form(types, text):
    assert importing(*types) == text


def test_types_that_are_too_deep_or_too_large_are_cut():
    assert importing("(list u8)", *(f"(option $t{n})" for n in range(80))).endswith("…)")
    assert importing("(tuple u8 u8)", *(f"(tuple $t{n} $t{n})" for n in range(17))).endswith("…)")


def test_it_can_be_stored():
    interface = exporting("example:math/adder@0.1.0: add", top=["id"])
    stored = msgspec.msgpack.encode(interface)
    assert msgspec.msgpack.decode(stored, type=ComponentInterface) == interface


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("id", ("id",)),
        ("add", ("example:math/adder@0.1.0", "add")),
        ("example:math/adder@0.1.0#add", ("example:math/adder@0.1.0", "add")),
        ("example:math/adder#add", ("example:math/adder@0.1.0", "add")),
        ("adder#add", ("example:math/adder@0.1.0", "add")),
        ("b#twice", ("other:math/b", "twice")),
        ("same", ("same",)),
    ],
)
def test_names_of_functions(name, path):
    interface = exporting(
        "example:math/adder@0.1.0: add twice same", "other:math/b: twice", top=["id", "same"]
    )
    assert interface.choose(name) == path
    assert function_text("f", interface.function(path)) == "f: func(a: u32) -> u32"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "twice",
            'several exported instances have a function "twice"; say which: a:one/math@0.1.0#twice, b:two/math',
        ),
        (
            "math#twice",
            '"math#twice" can mean several functions; say which: a:one/math@0.1.0#twice, b:two/math@0.1.0#twice',
        ),
        (
            "nil",
            'no function "nil" is exported; exported are: id: func(a: u32) -> u32, a:one/math@0.1.0#twice: ',
        ),
        ("math#nil", 'the instance "a:one/math@0.1.0" has no function "nil"; exported are: id: func('),
        ("maths#twice", 'no instance "maths" is exported; exported are: id: func('),
        (
            "a:one/math@0.1.0",
            '"a:one/math@0.1.0" is exported as instance, not as function; exported',
        ),
        ("", 'no function "" is exported'),
    ],
)
def test_what_a_name_can_not_mean(name, message):
    interface = exporting("a:one/math@0.1.0: twice", "b:two/math@0.1.0: twice", top=["id"])
    with pytest.raises(Invalid) as found:
        interface.choose(name)
    assert str(found.value).startswith(message)


def test_a_function_that_one_of_two_alike_instances_has():
    interface = exporting("a:one/math@0.1.0: twice", "b:two/math@0.1.0: half")
    assert interface.choose("math#half") == ("b:two/math@0.1.0", "half")


def test_a_component_without_functions():
    with pytest.raises(Invalid, match='no function "x" is exported, nor any other function'):
        loaded("(component)")[1].choose("x")


def test_a_command_runs_under_any_name_where_nothing_else_can_be_meant():
    command, both = exporting(more=COMMAND), exporting(top=["add"], more=COMMAND)
    assert command.is_command
    for name in ("_start", "", "run", "my-task"):
        assert command.choose(name) == ("wasi:cli/run@0.2.3", "run")
    assert both.choose("_start") == ("wasi:cli/run@0.2.3", "run")
    with pytest.raises(Invalid, match='no function "ad" is exported'):
        both.choose("ad")


def test_only_one_that_exports_the_handler_answers_http():
    handler = exporting("wasi:http/incoming-handler@0.2.11: handle")
    assert handler.is_http_handler
    assert not handler.imports_http
    _, middle = loaded('(component (import "wasi:http/incoming-handler@0.2.0" (instance)))')
    assert not middle.is_http_handler
    assert middle.imports_http
    assert not exporting(more=COMMAND).is_http_handler
    assert not exporting("wasi:http/incoming-handler@0.3.0: handle").is_http_handler
