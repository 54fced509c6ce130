"""The outline of Wasm files, whole or damaged."""

import contextlib

import pytest
import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from propeller.errors import Invalid
from propeller.runtime.outline import Kind, outline_of
from tests.runtime.helpers import ADD

COMPONENT = b"\0asm\x0d\0\1\0"
#: One export of the core: sort 0, kind 17 (a module), index 0.
COMPONENT_EXPORT = COMPONENT + b"\x0b\x08\1\0\1m\0\x11\0\0"


def outline(tmp_path, data):
    path = tmp_path / "module"
    path.write_bytes(data)
    return outline_of(path)


def wasm(text):
    return bytes(wasmtime.wat2wasm(text))


def test_functions_of_a_module(tmp_path):
    text = """(module (memory (export "memory") 1) (func (export "_start")) (func (export "_initialize")))"""
    kind, exports = outline(tmp_path, wasm(text))
    assert (kind, exports) == (Kind.MODULE, {"_start", "_initialize"})
    assert outline(tmp_path, wasm(text)).is_program
    assert not outline(tmp_path, wasm(ADD)).is_program


@pytest.mark.parametrize("name", ["wasi:http/incoming-handler@0.2.3", "wasi:http/incoming-handler"])
def test_who_exports_the_handler_of_requests_is_a_server(tmp_path, name):
    exporting = f'(component (instance $i) (export "{name}" (instance $i)))'
    assert outline(tmp_path, wasm(exporting)).kind is Kind.SERVER
    importing = f'(component (import "{name}" (instance $i)) (export "a:b/c" (instance $i)))'
    assert outline(tmp_path, wasm(importing)).kind is Kind.COMPONENT


def test_all_sorts_of_exports_of_a_component(tmp_path):
    text = """(component
      (type $t (record (field "a" u32))) (export $named "t" (type $t))
      (component $c) (export "c" (component $c))
      (core module $m (func (export "f") (param i32) (result i32) (local.get 0)))
      (core instance $i (instantiate $m))
      (func $f (param "x" u32) (result u32) (canon lift (core func $i "f")))
      (export "f" (func $f))
      (export "g" (func $f) (func (param "x" u32) (result u32)))
      (instance $n) (export "n" (instance $n) (instance)))"""
    assert outline(tmp_path, wasm(text)).exports == {"t", "c", "f", "g", "n"}
    assert outline(tmp_path, COMPONENT_EXPORT).exports == {"m"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0asm",
        b"\0asm\2\0\0\0",
        COMPONENT_EXPORT[:-1],
        COMPONENT + b"\x0b\xff\xff\xff\xff\x7f",  # 32 GiB of exports
        COMPONENT + b"\x0b\xff",
        COMPONENT + b"\0\0" * 60_000,
    ],
)
def test_what_is_damaged_is_refused(tmp_path, data):
    with pytest.raises(Invalid, match=r"is damaged|is not WebAssembly"):
        outline(tmp_path, data)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([COMPONENT, b"\0asm\1\0\0\0"]), st.binary(max_size=60))
def test_no_bytes_do_more_than_be_refused(tmp_path, head, data):
    with contextlib.suppress(Invalid):
        outline(tmp_path, head + data)
