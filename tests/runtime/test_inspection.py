"""The inspection of Wasm files: kind, needs, and an example of a call."""

import pytest
import wasmtime
from hypothesis import HealthCheck, given, settings

from propeller.errors import Invalid
from propeller.runtime.component.wave import parse
from propeller.runtime.component.wave_examples import example_of
from propeller.runtime.inspection import Example, Item, Need, inspect
from tests.runtime.component.helpers import CORE, TYPES, identity, loaded
from tests.runtime.helpers import ADD, ARGUMENTS


def inspected(text):
    return inspect(bytes(wasmtime.wat2wasm(text)))


def test_a_module_of_functions():
    found = inspected(ADD)
    assert (found.kind, found.size, found.needs, found.obstacles) == ("module", 41, [], [])
    assert found.digest.startswith("sha256:")
    assert found.exports == [Item("add", "function", "func(i32, i32) -> i32")]
    assert found.example == Example("add", ["1", "2"])


def test_a_program():
    found = inspected(ARGUMENTS)
    assert (found.kind, found.example, found.obstacles) == ("command", Example("", []), [])
    assert Item("wasi_snapshot_preview1.proc_exit", "function", "func(i32)") in found.imports
    assert Item("memory", "memory") in found.exports


def test_imports_of_all_kinds_and_what_is_not_offered():
    found = inspected("""(module
      (import "env" "table" (table 1 funcref)) (import "env" "memory" (memory 1 16))
      (import "env" "counter" (global (mut i64))) (import "env" "limit" (global f32))
      (import "env" "call" (func (param i32 v128) (result f64)))
      (import "env" "error" (tag (param i32)))
      (import "wasi_snapshot_preview1" "path_unlink_file" (func (param i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "sock_shutdown" (func (param i32 i32) (result i32)))
      (func (export "_initialize")) (func (export "main") (param i64)))""")
    assert found.imports[:6] == [
        Item("env.table", "table", "1 funcref"),
        Item("env.memory", "memory", "1 16"),
        Item("env.counter", "global", "(mut i64)"),
        Item("env.limit", "global", "f32"),
        Item("env.call", "function", "func(i32, v128) -> f64"),
        Item("env.error", "tag", ""),
    ]
    assert found.kind == "reactor"
    assert [need.grant for need in found.needs] == ["grants.dirs", ""]
    assert found.obstacles == ["it imports table, memory, counter and 3 more from env, which is not offered"]
    assert found.example is None


def test_a_component_of_functions():
    found = inspected(f"""(component {CORE}
      (type $p' (record (field "x" u32) (field "on" bool) (field "y" (option u32))))
      (export $p "point" (type $p'))
      (func $f (param "texts" (list string)) (result (list string))
        (canon lift (core func $i "same") (memory $memory) (realloc $realloc)))
      (instance $n (export "echo" (func $f)))
      (export "example:text/echo@0.1.0" (instance $n)))""")
    assert found.kind == "component"
    assert found.exports == [
        Item("example:text/echo@0.1.0#echo", "function", "func(texts: list<string>) -> list<string>"),
        Item("point", "type"),
    ]
    assert found.example == Example("echo", ['["text"]'])


def test_what_a_component_needs():
    found = inspected("""(component
      (import "wasi:filesystem/types@0.2.3" (instance (export "f" (func))))
      (import "wasi:http/outgoing-handler@0.2.0" (instance (export "handle" (func))))
      (import "wasi:sockets/tcp@0.2.0" (instance (export "f" (func))))
      (import "example:shapes/types" (instance (export "t" (type (sub resource)))))
      (import "wasi:keyvalue/store@0.2.0" (instance (export "get" (func))))
      (import "wasi:cli/exit@0.3.0" (instance (export "exit" (func))))
      (import "log" (func)))""")
    assert [need.grant for need in found.needs] == ["grants.dirs", "grants.http", ""]
    assert found.obstacles == [
        "it imports wasi:keyvalue/store@0.2.0, which is not offered",
        "it imports wasi:cli/exit@0.3.0, which is not offered",
        "it imports log, which is not offered",
    ]
    assert Item("wasi:keyvalue/store@0.2.0#get", "function", "func()") in found.imports
    assert Item("example:shapes/types", "instance") in found.imports


@pytest.mark.parametrize(
    ("interface", "function", "kind", "example", "grants"),
    [
        ("wasi:cli/run@0.2.3", "run", "component-command", Example("", []), []),
        ("wasi:http/incoming-handler@0.2.0", "handle", "component-http", None, ["grants.listen"]),
    ],
)
def test_programs_and_servers(interface, function, kind, example, grants):
    found = inspected(f"""(component {CORE}
      (func $f (canon lift (core func $i "nothing")))
      (instance $n (export "{function}" (func $f))) (export "{interface}" (instance $n)))""")
    assert (found.kind, found.example) == (kind, example)
    assert [need.grant for need in found.needs] == grants
    assert all(isinstance(need, Need) and need.text for need in found.needs)


@pytest.mark.parametrize("wasm", [b"", b"\0asm", b"\0asm\1\0\0\0\x63", b"\0asm\x0d\0\1\0\x63", b"text"])
def test_what_is_not_valid(wasm):
    with pytest.raises(Invalid, match="not valid: "):
        inspect(wasm)


@settings(max_examples=50, suppress_health_check=list(HealthCheck), deadline=None)
@given(TYPES)
def test_examples_can_be_given(type_):
    parse(example_of(type_), type_)
    _, interface = loaded(identity(type_))
    assert interface.choose("same") == ("same",)
