"""Guests that meet the limits of their process: time, computing, memory, stack, output."""

import random

import msgspec
import pytest

from propeller.core.sandbox import Dir, Grants
from propeller.runtime import failures
from propeller.runtime.guest_run import GuestRun, Limits, compile_ns_of
from tests.builders import SLEEP
from tests.runtime.helpers import ADD, LOOP, Here, a_pool, granted, in_a_loop, program, put

QUICK = Limits(timeout_ns=100_000_000)
COUNT = """(module (func (export "count") (param $n i64) (loop $l
  (local.set $n (i64.sub (local.get $n) (i64.const 1)))
  (br_if $l (i64.gt_s (local.get $n) (i64.const 0))))))"""
#: Prints eight random bytes, then the time in ns, as they are.
SOURCES = program(
    """(drop (call $random (i32.const 4096) (i32.const 8)))
    (drop (call $time (i32.const 0) (i64.const 1) (i32.const 4104)))
    (drop (call $write (i32.const 1) (i32.const 4096) (i32.const 16)))""",
).replace(
    "(module",
    """(module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))""",
    1,
)


async def run_in(running, module, export, *inputs, limits=None, key=1, **more):
    digest = put(running.directory, module)
    running.pool.submit([GuestRun(key, digest, export, list(inputs), limits=limits, **more)])
    (ended,) = await running.ended(key)
    return ended


@pytest.mark.parametrize(
    ("module", "export", "inputs"), [(LOOP, "loop", []), (SLEEP, "sleep", ["60000000000"])]
)
@in_a_loop
async def test_a_guest_that_takes_too_long_is_ended(tmp_path, module, export, inputs):
    """Whether it computes or sleeps; and the runs beside it know nothing of it."""
    async with a_pool(tmp_path, size=1) as running:
        running.submit(ADD, "add", "1", "2", keys=[7])
        ended = await run_in(running, module, export, *inputs, limits=QUICK)
        running.submit(ADD, "add", "1", "2", keys=[8])
        neighbours = await running.ended(7, 8)
    assert ended.error == "it ran longer than the limit of 0.1 s; timeout raises it"
    assert not ended.stopped
    assert ended.finished_ns - ended.started_ns >= 100_000_000
    assert [one.results for one in neighbours] == ["3\n", "3\n"]


@in_a_loop
async def test_a_component_of_too_many_instances(tmp_path):
    three = """(component (core module $m (func (export "one") (result i32) i32.const 1))
      (core instance $a (instantiate $m)) (core instance $b (instantiate $m)) (core instance $c (instantiate $m))
      (func (export "one") (result u32) (canon lift (core func $c "one"))))"""
    async with a_pool(tmp_path, size=1) as running:
        ended = await run_in(running, three, "one", limits=Limits(instances=2))
        enough = await run_in(running, three, "one", limits=Limits(instances=3), key=2)
    assert "it has more than the limit of 2 core instances; limits.instances raises it" in ended.error
    assert enough.results == "1\n"


@in_a_loop
async def test_runs_behind_a_sleeper_that_is_ended_with_its_process_are_run(tmp_path):
    async with a_pool(tmp_path, size=1) as running:
        sleep, add = put(tmp_path, SLEEP), put(tmp_path, ADD)
        runs = [GuestRun(1, sleep, "sleep", ["60000000000"], limits=QUICK)]
        runs += [GuestRun(key, add, "add", ["1", str(key)]) for key in range(2, 12)]
        running.pool.submit(runs)
        ends = await running.ended(*range(1, 12))
    assert ends[0].error.startswith("it ran longer")
    assert [end.results for end in ends[1:]] == [f"{key + 1}\n" for key in range(2, 12)]


def test_fuel_is_counted_and_ends(tmp_path):
    here = Here(tmp_path, Limits(fuel=1_000_000))
    little = here.run(COUNT, "count", "10")
    assert 10 <= little.usage.fuel < 1000
    assert here.run(COUNT, "count", "100").usage.fuel > little.usage.fuel
    much = here.run(COUNT, "count", "1000000000")
    assert "it used up its 1,000,000 units of fuel; limits.fuel raises that" in much.error
    assert much.usage.fuel == 1_000_000


def test_the_stack_is_as_large_as_it_was_asked_for(tmp_path):
    deep = """(module (func $f (export "deep") (param $n i32)
      (if (local.get $n) (then (call $f (i32.sub (local.get $n) (i32.const 1)))))))"""
    small = Here(tmp_path, Limits(stack_bytes=64 * 1024)).run(deep, "deep", "10000")
    assert (
        "the stack overflowed its limit of 64 KiB (endless recursion?); limits.stack raises it" in small.error
    )
    assert not Here(tmp_path, Limits(stack_bytes=1024 * 1024)).run(deep, "deep", "10000").error


def test_memory_that_is_too_large_from_the_beginning(tmp_path):
    here = Here(tmp_path, Limits(memory_bytes=1024 * 1024))
    error = here.run('(module (memory 17) (func (export "f")))', "f").error
    assert "its memory is larger than the limit of 1 MiB from the beginning; limits.memory raises it" in error


def test_a_guest_that_fails_with_its_memory_full_is_told_of_the_limit(tmp_path):
    here = Here(tmp_path, Limits(memory_bytes=1024 * 1024))
    greedy = """(module (memory (export "memory") 1)
      (func (export "grow") (loop $l (br_if $l (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) unreachable))"""
    error = here.run(greedy, "grow").error
    sentence = error.splitlines()[0]
    assert sentence.endswith("it had 1 MiB of memory, and its limit is 1 MiB: limits.memory raises it")


def test_a_guest_that_was_refused_a_step_too_large_is_told_what_its_task_allows(tmp_path):
    """It has little of it when it fails, and whether it asked for more nobody else can know."""
    step = """(module (memory (export "memory") 1) (table $t 1 funcref)
      (func (export "memory-step") (if (i32.lt_s (memory.grow (i32.const 100)) (i32.const 0)) (then unreachable)))
      (func (export "table-step")
        (if (i32.lt_s (table.grow $t (ref.null func) (i32.const 100)) (i32.const 0)) (then unreachable))))"""
    own = Limits(memory_bytes=1024 * 1024, table_elements=10, asked=("memory", "table"))
    for name in ("memory-step", "table-step"):
        sentence = Here(tmp_path, own).run(step, name).error.splitlines()[0]
        assert sentence.endswith(
            "; if it was refused more, raise what the task allows: "
            "limits.memory is 1 MiB, and it had 64 KiB; limits.table is 10 elements"
        )
    assert "refused more" not in Here(tmp_path, Limits(table_elements=10)).run(step, "table-step").error
    endless = '(module (func $f (export "f") (call $f)))'
    assert "refused more" not in Here(tmp_path, own).run(endless, "f").error, "it is the stack's limit"


@in_a_loop
async def test_a_process_may_not_take_more_than_its_guest_and_the_compiler_need(tmp_path):
    """Memory that the engine takes for a guest counts too: here one that holds a billion references."""
    table = """(module (table $t 1 funcref) (func (export "f") (result i32)
      (table.grow $t (ref.null func) (i32.const 400000000))))"""
    limits = Limits(table_elements=2_000_000_000, host_bytes=256 * 1024 * 1024)
    async with a_pool(tmp_path, size=1, limits=limits) as running:
        ended = await run_in(running, table, "f")
        after = await run_in(running, ADD, "add", "1", "2", key=2)
    assert ended.error or ended.results == "-1\n"
    assert after.results == "3\n"


@in_a_loop
async def test_compiling_may_not_take_for_ever(tmp_path):
    """What is compiled is not known to be slow before it is tried; others go on meanwhile."""
    functions = "".join(f"(func (param i32) (result i32) {_body(seed)})" for seed in range(400))
    slow = f'(module {functions} (func (export "f")))'
    limits = Limits(compile_ns=1)
    async with a_pool(tmp_path, size=2) as running:
        ended = await run_in(running, slow, "f", limits=limits)
        again = await run_in(running, slow, "f", key=2)
    assert ended.error == (
        "compiling its module took longer than the limit of 1e-09 s; the proplet's compile_timeout raises it"
    )
    assert not again.error


def _body(seed):
    numbers = random.Random(seed)
    return "(local.get 0)" + "".join(f"(i32.const {numbers.randrange(1 << 30)}) i32.xor" for _ in range(400))


@in_a_loop
async def test_logs_come_while_the_guest_runs(tmp_path):
    """A program's standard error and a function's standard output are logs."""
    body = """(drop (call $write (i32.const 2) (i32.const 1024) (i32.const 6)))
      (loop $l (br $l))"""
    async with a_pool(tmp_path, size=1) as running:
        running.submit(program(body, data="hello\\n"), "_start", keys=[1])
        await running.printed(1, b"hello\n")
        running.pool.stop_run(1)
        (ended,) = await running.ended(1)
    assert ended.stopped
    (piece,) = running.pieces
    assert (piece.stream, piece.data, piece.is_cut) == ("stderr", b"hello\n", False)


def test_a_log_is_cut_and_its_guest_goes_on(tmp_path):
    here = Here(tmp_path, Limits(log_bytes=100_000))
    body = """(local $n i32) (loop $l
        (drop (call $write (i32.const 2) (i32.const 65536) (i32.const 65536)))
        (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 50))))
      (drop (call $write (i32.const 1) (i32.const 1024) (i32.const 2)))"""
    assert here.run(program(body, data="ok"), "_start").results == "ok"
    assert sum(len(piece.data) for piece in here.pieces) == 100_000
    assert [piece.is_cut for piece in here.pieces] == [False] * (len(here.pieces) - 1) + [True]


def test_a_seed_makes_runs_the_same(tmp_path):
    here = Here(tmp_path)

    def printed(grants):
        digest = put(tmp_path, SOURCES)
        return here.execute(GuestRun(1, digest, "_start", grants=grants)).results

    assert printed(Grants(random=7)) != printed(Grants(random=8))
    seeded = [
        here.execute(GuestRun(1, put(tmp_path, SOURCES), "_start", grants=Grants(random=7, clock=False)))
    ] * 2
    assert seeded[0].results == seeded[1].results
    assert seeded[0].results.endswith(b"\0" * 8), "the clock stands at 0"
    refused = here.execute(
        GuestRun(1, put(tmp_path, SOURCES), "_start", grants=Grants(random=False, clock=False))
    )
    assert refused.results == "\0" * 16, "nothing was given"
    assert printed(None) != printed(None)


def test_a_directory_that_is_not_there_is_named(tmp_path):
    run = GuestRun(
        1, put(tmp_path, SOURCES), "_start", grants=Grants(dirs=(Dir(host="/not/there", guest="/x"),))
    )
    error = Here(tmp_path).execute(granted(run)).error
    assert error == "grants.dirs: /not/there can't be opened on this proplet: No such file or directory"


@in_a_loop
async def test_a_resident_has_a_process_for_itself(tmp_path):
    """However many there are, others are run beside them; and what ends one touches nobody else."""
    async with a_pool(tmp_path, size=1) as running:
        loop = put(tmp_path, LOOP)
        running.pool.submit([GuestRun(key, loop, "loop", is_resident=True) for key in (1, 2)])
        await running.executing(1)
        await running.executing(2)
        pids = running.pool.executing()
        assert pids[1] != pids[2]
        running.submit(ADD, "add", "1", "2", keys=[3])
        (added,) = await running.ended(3)
        assert added.results == "3\n"
        running.pool.stop_run(1)
        (stopped,) = await running.ended(1)
        assert stopped.stopped
        assert 2 in running.pool.executing()
        running.kill_process(pids[2])
        (killed,) = await running.ended(2)
    assert "died with signal 9" in killed.error
    assert killed.is_lost
    assert not killed.stopped


@in_a_loop
async def test_a_resident_that_ends_is_reported_like_any_other(tmp_path):
    async with a_pool(tmp_path, size=1) as running:
        running.pool.submit([GuestRun(1, put(tmp_path, ADD), "add", ["1", "2"], is_resident=True)])
        (ended,) = await running.ended(1)
    assert ended.results == "3\n"


def test_a_run_crosses_to_its_process_with_all_that_it_has():
    allowed = (Dir(host="/a", guest="/a", mode="rw"),)
    grants = Grants(http=("a.example",), random=3)
    run = GuestRun(1, "0" * 64, "f", limits=QUICK, grants=grants, parents="{}", allowed_dirs=allowed)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(run), type=GuestRun) == run


@pytest.mark.parametrize(("size_mib", "seconds"), [(0, 60), (16, 60), (65, 243.75), (100, 375)])
def test_a_large_module_may_be_compiled_for_longer(size_mib, seconds):
    """Wasmtime alone takes 97 s for 65 MiB on a small machine."""
    assert compile_ns_of(Limits(), size_mib * 2**20) == seconds * 1e9
    words = f" of {size_mib} MiB took longer than the limit of {seconds:.3g} s"
    assert (words in failures.of_compilation(Limits(), size_mib * 2**20).error) == (size_mib > 16)
