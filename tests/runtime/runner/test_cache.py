import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import wasmtime

from propeller.core.failures import ErrorKind
from propeller.errors import Invalid
from propeller.runtime.guest_run import Limits
from propeller.runtime.runner.cache import Cache
from tests.runtime.helpers import ADD, LOOP, Here, a_pool, in_a_loop, put, until


def entry_of(directory, digest):
    (entry,) = directory.glob(f"compiled/*/{digest}")
    return entry


def test_compiled_once(tmp_path):
    first = Here(tmp_path)
    digest = put(tmp_path, ADD)
    first.cache.load(digest)
    first.cache.load(digest)
    second = Here(tmp_path)
    second.cache.load(digest)
    assert (first.cache.compilations, second.cache.compilations) == (1, 0)
    left = sorted(path.name for path in entry_of(tmp_path, digest).parent.iterdir())
    assert left == [digest, f"{digest}.head"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"X" + content[1:],
        lambda content: content[:9] + bytes([content[9] ^ 1]) + content[10:],
    ],
)
def test_damaged_code_is_never_loaded(tmp_path, damage):
    digest = put(tmp_path, ADD)
    Here(tmp_path).cache.load(digest)
    entry = entry_of(tmp_path, digest)
    good = entry.read_bytes()
    entry.write_bytes(damage(good))
    here = Here(tmp_path)
    assert here.run(ADD, "add", "1", "2").results == "3\n"
    assert here.cache.compilations == 1
    assert entry.read_bytes() == good


def test_code_of_another_engine_is_replaced(tmp_path):
    from hashlib import sha256

    digest = put(tmp_path, ADD)
    Here(tmp_path).cache.load(digest)
    entry = entry_of(tmp_path, digest)
    foreign = b"\x7fELF from elsewhere"
    entry.write_bytes(b"PROPCWA1" + sha256(foreign).digest() + foreign)
    here = Here(tmp_path)
    assert here.run(ADD, "add", "1", "2").results == "3\n"
    assert here.cache.compilations == 1


def test_one_of_several_processes_compiles(tmp_path):
    crowd = "".join(f'(func (export "f{n}") (result i32) (i32.const {n}))' for n in range(3000))
    digest = put(tmp_path, f"(module {crowd})")
    script = """
import sys
from pathlib import Path
from propeller.runtime.runner.cache import Cache
from propeller.runtime.guest_run import Limits
cache = Cache(Path(sys.argv[1]), stack_bytes=Limits().stack_bytes)
print("up", flush=True)
sys.stdin.readline()
cache.load(sys.argv[2])
print(cache.compilations)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), digest],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout.readline() == "up\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in processes]
    assert sorted(outputs) == ["0\n", "0\n", "1\n"]


def test_the_least_recently_used_program_is_forgotten(tmp_path):
    here = Here(tmp_path)
    cache = Cache(tmp_path, stack_bytes=here.limits.stack_bytes, size=2)
    add, loop, empty = put(tmp_path, ADD), put(tmp_path, LOOP), put(tmp_path, "(module)")
    for digest in (add, loop, add, empty):
        cache.load(digest)
    assert list(cache._programs) == [add, empty]


def test_the_code_that_stays_in_memory_is_bounded_by_bytes(tmp_path):
    here = Here(tmp_path)
    add, loop = put(tmp_path, ADD), put(tmp_path, LOOP)
    for digest in (add, loop):
        here.cache.load(digest)
    size = entry_of(tmp_path, add).stat().st_size
    cache = Cache(tmp_path, stack_bytes=here.limits.stack_bytes, code_bytes=size)
    for digest in (add, loop):
        cache.load(digest)
    assert list(cache._programs) == [loop]


def large_module(functions):
    """Make a module of about half a KiB a function."""
    body = "".join(
        f"(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const {n * 7919})) (i32.const {n})))"
        for n in range(50)
    )
    function = f"(func (param i32) (result i32) {body} (local.get 0))"
    return f'(module {function * functions} (func (export "f") (result i32) (call 0 (i32.const 1))))'


def private_bytes(pid):
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return (
        int(next(line for line in rollup.splitlines() if line.startswith("Private_Dirty")).split()[1]) * 1024
    )


@in_a_loop
async def test_a_large_module_leaves_no_memory_taken(tmp_path):
    """Neither in the process that runs it, nor in the one that this was forked from."""
    async with a_pool(tmp_path, size=1) as running:
        running.submit(ADD, "add", "1", "2", keys=[1])
        await running.ended(1)
        before = {pid: private_bytes(pid) for pid in running.pool.processes()}
        running.submit(large_module(3000), "f", keys=[2])
        (end,) = await running.ended(2)
        assert end.error == ""
        grown = {pid: private_bytes(pid) - before[pid] for pid in running.pool.processes()}
        assert max(grown.values()) < 8 * 2**20, grown


@in_a_loop
async def test_a_compiler_that_is_killed_loses_the_run(tmp_path):
    async with a_pool(tmp_path, size=1) as running:
        running.submit(large_module(3000), "f", keys=[1])

        def compilers():
            return psutil.Process(running.pid_of(0)).children()

        await until(compilers, "the compiler to be there")
        compilers()[0].kill()
        (end,) = await running.ended(1)
        assert end.error.startswith("the process that compiled its module died with signal 9 (SIGKILL)")
        assert end.is_lost


@in_a_loop
async def test_a_compiler_ends_with_the_run_that_it_is_for(tmp_path):
    async with a_pool(tmp_path, size=1) as running:
        running.submit(large_module(20_000), "f", keys=[1])
        children = psutil.Process(running.pid_of(0)).children
        await until(children, "the compiler to be there")
        (compiler,) = children()
        running.pool.stop_run(1)
        (end,) = await running.ended(1)
        assert end.stopped
        await until(lambda: not compiler.is_running(), "the compiler to be gone")


@in_a_loop
async def test_what_another_process_can_not_compile_is_said_as_here(tmp_path):
    broken = bytes(wasmtime.wat2wasm(large_module(400)))[:-1]
    async with a_pool(tmp_path, size=1) as running:
        running.submit(broken, "f", keys=[1])
        (end,) = await running.ended(1)
        assert f"module {put(tmp_path, broken)} can't be compiled: failed to parse" in end.error
        assert end.is_refused


@in_a_loop
async def test_a_compiler_that_may_not_have_enough_memory_says_so(tmp_path):
    """A million functions take 3 GiB, however little each of them does."""
    limits = Limits(memory_bytes=64 * 2**20, host_bytes=64 * 2**20)
    async with a_pool(tmp_path, size=1, limits=limits) as running:
        running.submit(many_functions(40_000), "f", keys=[1])
        (end,) = await running.ended(1)
        assert re.fullmatch(
            r"compiling its module takes more memory than the \d+ MiB that its process may have; "
            r"limits\.memory raises it",
            end.error,
        )
        assert (end.failure.kind, end.is_refused) == (ErrorKind.MEMORY, True)


def many_functions(count):
    """Make a module of functions that are as small as can be."""

    def section(number, content):
        return bytes([number]) + leb128(len(content)) + content

    def leb128(value):
        return bytes([value & 0x7F | 0x80]) + leb128(value >> 7) if value >= 0x80 else bytes([value])

    return b"\0asm\1\0\0\0" + b"".join(
        (
            section(1, b"\1\x60\0\1\x7f"),
            section(3, leb128(count) + b"\0" * count),
            section(7, b"\1\1f\0\0"),
            section(10, leb128(count) + b"\4\0\x41\7\x0b" * count),
        )
    )


def test_without_a_place_for_compiled_code_it_runs_all_the_same(tmp_path):
    (tmp_path / "compiled").write_text("in the way")
    assert Here(tmp_path).run(ADD, "add", "1", "2").results == "3\n"


def test_modules_that_can_not_be_had(tmp_path):
    cache = Here(tmp_path).cache
    missing = "0" * 64
    with pytest.raises(Invalid, match=f"module {missing} can't be read: No such file"):
        cache.load(missing)
    with pytest.raises(Invalid, match="is not a SHA-256 digest"):
        cache.load("../../etc/passwd")
    digest = put(tmp_path, ADD)
    os.truncate(tmp_path / "modules" / digest, 10)
    with pytest.raises(Invalid, match=f"module {digest} is damaged on this proplet"):
        cache.load(digest)
