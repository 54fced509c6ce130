"""Guests that can't begin: refused early, and in the same words as tasks, residents and deployments."""

import pytest
import wasmtime

from propeller.core.sandbox import Grants
from propeller.runtime.component.imports import foreign_imports
from propeller.runtime.guest_run import GuestRun, Limits
from propeller.runtime.inspection import inspect
from tests.runtime.helpers import ADD, a_pool, in_a_loop, put

CALL = """(core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f")))"""
FOREIGN = (
    f"""(component (import "acme:db/store@1.0.0" (instance (export "get" (func (result string))))) {CALL})"""
)
#: WASI has no such function; only linking can tell.
PARTLY = (
    f"""(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "stop" (func)))) {CALL})"""
)
CORES = " ".join("(core instance (instantiate $m))" for _ in range(9))
MANY = f"(component {CALL} {CORES})"
SERVER = """(component
  (import "wasi:http/types@0.2.0" (instance (export "incoming-request" (type (sub resource)))))
  (instance $none) (export "wasi:http/incoming-handler@0.2.0" (instance $none)))"""

UNFIT = [
    (FOREIGN, "it imports acme:db/store@1.0.0, which is not offered"),
    (PARTLY, "it imports wasi:clocks/monotonic-clock@0.2.0, which is not offered, or not all of it"),
    (MANY, "it has more than the limit of 5 core instances; limits.instances raises it"),
    (
        f'(module {"(memory 0)" * 17} (func (export "f")))',
        "it has more memories than it may have, which is 16",
    ),
    (
        '(module (memory 1) (memory 9) (func (export "f")))',
        "its 2 memories share the limit of 1 MiB, so that each may have 512 KiB, but one has 576 KiB",
    ),
    ('(module (memory 1 2 shared) (func (export "f")))', "it has a shared memory, which is not offered"),
    (
        '(module (memory 17) (func (export "f")))',
        "its memory is larger than the limit of 1 MiB from the beginning; limits.memory raises it",
    ),
    (
        '(module (import "env" "g" (func)) (func (export "f")))',
        "the module imports env.g, which this proplet",
    ),
]
WAYS = {"once": {}, "as a daemon": {"is_resident": True}, "as a latent task": {"is_preparation": True}}


@pytest.mark.parametrize("way", WAYS)
@in_a_loop
async def test_what_can_not_begin_is_refused(tmp_path, way):
    limits = Limits(memory_bytes=1024 * 1024, instances=5)
    async with a_pool(tmp_path, size=1, limits=limits) as running:
        for key, (module, _) in enumerate(UNFIT):
            running.pool.submit([GuestRun(key, put(tmp_path, module), "f", **WAYS[way])])
        ends = await running.ended(*range(len(UNFIT)))
        for end, (_, words) in zip(ends, UNFIT, strict=True):
            assert words in end.error
            assert end.is_refused, end.error


@pytest.mark.parametrize("starts", ["(start $s)", ""])
@in_a_loop
async def test_to_deploy_runs_nothing_of_the_guest(tmp_path, starts):
    """Not even its start function, which here would trap."""
    async with a_pool(tmp_path, size=1) as running:
        module = f'(module (func $s unreachable) (func (export "f")) {starts})'
        running.pool.submit([GuestRun(1, put(tmp_path, module), "f", is_preparation=True)])
        (end,) = await running.ended(1)
        assert end.error == ""


@in_a_loop
async def test_a_daemon_that_traps_where_it_starts_is_not_refused(tmp_path):
    async with a_pool(tmp_path, size=1) as running:
        module = '(module (func $s unreachable) (func (export "f")) (start $s))'
        running.pool.submit([GuestRun(1, put(tmp_path, module), "f", is_resident=True)])
        (end,) = await running.ended(1)
        assert "unreachable code" in end.error
        assert not end.is_refused


@pytest.mark.parametrize(
    ("module", "more", "words"),
    [
        (FOREIGN, {}, "acme:db/store"),
        ('(module (import "env" "g" (func)) (func (export "f")))', {}, "env.g"),
        (SERVER, {"port": 8222, "grants": Grants(), "is_resident": True}, "HTTP proxy is disabled"),
    ],
)
@in_a_loop
async def test_nothing_is_compiled_in_vain(tmp_path, module, more, words):
    async with a_pool(tmp_path, size=1) as running:
        running.pool.submit([GuestRun(1, put(tmp_path, module), "f", **more)])
        (end,) = await running.ended(1)
        assert words in end.error
        assert end.is_refused
        assert not (tmp_path / "compiled").exists()
        running.submit(ADD, "add", "1", "2", keys=[2])
        await running.ended(2)
        assert (tmp_path / "compiled").exists()


TYPES = """(type $record (record (field "x" u8))) (type $variant (variant (case "a") (case "b" $record)))
  (import "r" (type $r (sub resource)))
  (component $made (type $t (record (field "x" u8))) (export "t" (type $t))) (instance $inst (instantiate $made))
  (alias export $inst "t" (type $t)) (export "x" (type $record))
  (import "only:types/here@1.0.0" (instance (type $e (enum "a" "b")) (export "e" (type (eq $e)))))
  (import "x:y/z@1.0.0" (instance
    (type $list (list u8)) (export "list" (type $l (eq $list)))
    (type $flags (flags "a" "b")) (type $o (option string)) (type $res (result $o (error u8)))
    (export "g" (func (param "q" $l) (result $res)))))
  (import "wasi:cli/stdout@0.2.0" (instance (export "f" (func))))
  (import "f" (func (param "t" (tuple u8 string))))
  (import "m" (core module))"""


def test_imports_are_read_as_the_engine_reads_them():
    wasm = bytes(wasmtime.wat2wasm(f"(component {TYPES})"))
    assert foreign_imports(wasm) == ["r", "x:y/z@1.0.0", "f", "m"]
    wanted = {f"it imports {name}, which is not offered" for name in foreign_imports(wasm)}
    assert set(inspect(wasm).obstacles) == wanted
    for end in range(8, len(wasm)):
        foreign_imports(wasm[:end])


@pytest.mark.parametrize(
    ("module", "obstacles", "needs"),
    [
        (
            PARTLY,
            ["it imports wasi:clocks/monotonic-clock@0.2.0, which is not offered, or not all of it"],
            [],
        ),
        (f"(module {'(memory 0)' * 17})", ["it has more memories than it may have, which is 16"], []),
        ("(module (memory 1) (memory 1))", [], []),
        ("(module (memory 8193))", [], ["limits.memory"]),
        ("(module (memory 1) (memory 4097))", [], ["limits.memory"]),
        ("(module (table 2000000 funcref))", [], ["limits.table"]),
        (f"(component {CALL} {CORES * 12})", [], ["limits.instances"]),
        ("(module (func $f) (table 1 (ref func) (ref.func $f)))", [], []),
    ],
)
def test_inspect_asks_what_the_runtime_asks(module, obstacles, needs):
    found = inspect(bytes(wasmtime.wat2wasm(module)))
    assert found.obstacles == obstacles
    assert [need.grant for need in found.needs] == needs


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("(module (memory 1 2 shared))", "it has a shared memory, which is not offered"),
        ('(module (import "wasi_snapshot_preview1" "magic" (func)))', "magic"),
        (
            '(module (import "env" "abort" (func (param i32 i32 i32 i32))) (import "env" "seed" (func (result f64))))',
            "it imports seed from env, which is not offered; AssemblyScript gets these from WASI",
        ),
        ('(module (import "wasi_snapshot_preview1" "proc_exit" (func)))', "proc_exit"),
    ],
)
def test_inspect_says_what_only_linking_tells(module, words):
    (obstacle,) = inspect(bytes(wasmtime.wat2wasm(module))).obstacles
    assert words in obstacle
