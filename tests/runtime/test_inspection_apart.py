"""The inspection in a process of its own: it says what the other says, and no module harms its parent."""

import asyncio
import contextlib
import time

import msgspec
import pytest
import wasmtime

from propeller.errors import Invalid, TimedOut, TooLarge
from propeller.runtime import inspection_apart
from propeller.runtime.inspection import inspect
from propeller.runtime.inspection_apart import INSPECTION, inspect_apart
from propeller.wire.http.modules import ModuleView
from tests.guests import hostile
from tests.runtime.component.helpers import CORE
from tests.runtime.helpers import ADD, ARGUMENTS

COMPONENT = f"""(component {CORE}
  (func $same (param "it" (list u8)) (result (list u8))
    (canon lift (core func $i "same") (memory $memory) (realloc $realloc)))
  (export "same" (func $same)))"""


def inspected(data, **bounds):
    return asyncio.run(inspect_apart(data, INSPECTION._replace(**bounds)))


@pytest.mark.parametrize("text", [ADD, ARGUMENTS, COMPONENT], ids=["module", "program", "component"])
def test_it_says_the_same_in_a_process_of_its_own(text):
    wasm = bytes(wasmtime.wat2wasm(text))
    expected = msgspec.json.encode(inspect(wasm))
    assert inspected(wasm) == (expected, b"")
    assert inspected(text.encode()) == (expected, wasm)
    view = msgspec.json.decode(expected, type=ModuleView)
    assert msgspec.to_builtins(view) == msgspec.json.decode(expected)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xfe", "neither WebAssembly, which begins with the bytes 00 61 73 6d, nor text"),
        (b"(module (fun))", "as text it is not valid: expected valid module field\n     --> line:1:10"),
        (b"(module (func (result i32)))", "not valid: type mismatch"),
        (b"\0asm\1\0\0\0\7", "not valid: unexpected end-of-file"),
        (b"\0asm", "not valid: unexpected end-of-file"),
        (b"(" * 1_000_000, "as text it is not valid"),
    ],
)
def test_what_is_no_module_is_refused(data, why):
    with pytest.raises(Invalid) as refused:
        inspected(data)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "make",
    [
        *(hostile.many_functions, hostile.deep_nesting, hostile.slow_to_compile, hostile.many_locals),
        *(hostile.many_imports, hostile.lying_count, hostile.loop_in_start, hostile.huge_memory),
        *(hostile.many_exports, hostile.long_name, hostile.huge_table),
    ],
    ids=lambda make: make.__name__,
)
def test_a_module_that_was_made_to_do_harm_is_inspected_soon_or_refused(make):
    began = time.monotonic()
    with contextlib.suppress(Invalid):
        assert msgspec.json.decode(inspected(make()).json, type=ModuleView).kind == "module"
    assert time.monotonic() - began < 30


def test_its_time_is_bounded():
    with pytest.raises(TimedOut, match=r"its inspection takes longer than 0\.01 s"):
        inspected(b"(module)", time_s=0.01)


def test_its_memory_is_bounded():
    names = b"".join(b'(export "%d" (func 0))' % n for n in range(300_000))
    with pytest.raises(TooLarge, match="takes more than 64 MiB of memory"):
        inspected(b"(module (func) %s)" % names, memory_bytes=64 << 20)


def test_the_findings_and_text_are_bounded(monkeypatch):
    with pytest.raises(TooLarge, match="its inspection gives more than 8 MiB; inspect it with"):
        inspected(hostile.many_exports(100_000))
    monkeypatch.setattr(inspection_apart, "TEXT_BYTES_MAX", 100)
    with pytest.raises(TooLarge, match="as text may have 100 bytes, and this one has 101 bytes"):
        inspected(b" " * 101)
