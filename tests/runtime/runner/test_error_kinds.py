"""Failures of guests have a kind, whatever their sentence says."""

import pytest

from propeller.core.failures import ErrorKind
from propeller.core.sandbox import Dir, Grants
from propeller.runtime.guest_run import GuestRun, Limits
from tests.runtime.helpers import ADD, LOOP, a_pool, in_a_loop, program, put

RECURSION = '(module (func $f (export "f") (call $f)))'
LARGE = '(module (memory 100) (func (export "f")))'
FLOOD = program("(loop $l (drop (call $write (i32.const 1) (i32.const 0) (i32.const 4096))) (br $l))")
DATA = Grants(dirs=(Dir(host="/data", guest="/data", mode="ro"),))


@pytest.mark.parametrize(
    ("kind", "module", "export", "given"),
    [
        (ErrorKind.TRAP, '(module (func (export "f") unreachable))', "f", {}),
        (ErrorKind.EXIT_CODE, program("(call $exit (i32.const 3))"), "_start", {}),
        (ErrorKind.TIMEOUT, LOOP, "loop", {"limits": Limits(timeout_ns=50_000_000)}),
        (ErrorKind.FUEL, LOOP, "loop", {"limits": Limits(fuel=1000)}),
        (ErrorKind.STACK, RECURSION, "f", {}),
        (ErrorKind.MEMORY, LARGE, "f", {"limits": Limits(memory_bytes=65536)}),
        (ErrorKind.OUTPUT, FLOOD, "_start", {"limits": Limits(output_bytes=65536)}),
        (ErrorKind.INPUTS, ADD, "add", {"inputs": ["1"]}),
        (ErrorKind.INPUTS, ADD, "add", {"inputs": ["1", "x"]}),
        (ErrorKind.MODULE, ADD, "subtract", {}),
        (ErrorKind.MODULE, b"not wasm", "f", {}),
        (ErrorKind.REFUSED, program(""), "_start", {"grants": DATA}),
    ],
)
@in_a_loop
async def test_a_failure_has_its_kind(tmp_path, kind, module, export, given):
    async with a_pool(tmp_path, size=1) as running:
        running.pool.submit([GuestRun(1, put(running.directory, module), export, **given)])
        (ended,) = await running.ended(1)
    assert ended.error
    assert ended.failure.kind is kind
