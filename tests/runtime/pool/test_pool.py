import asyncio
import contextlib
import logging
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import uvloop

from propeller.runtime.guest_run import Compiling, GuestRun, Limits
from propeller.runtime.pool.pool import Pool
from tests.builders import SLEEP, padded
from tests.runtime.helpers import ADD, FLOOD, LOOP, Running, a_pool, put, until

HOUR_NS = str(3600 * 10**9)


def alive():
    return [child for child in psutil.Process().children(recursive=True) if child.is_running()]


@pytest.fixture(autouse=True)
def no_process_left():
    before = set(alive())
    yield
    assert set(alive()) <= before


#: Computes for a while: ``n`` rounds.
SPIN = """(module (func (export "spin") (param $n i64) (result i64)
  (loop $l
    (local.set $n (i64.sub (local.get $n) (i64.const 1)))
    (br_if $l (i64.gt_s (local.get $n) (i64.const 0))))
  (local.get $n)))"""


def play(part, tmp_path, **settings):
    """Run one coroutine against a pool."""

    async def scene():
        async with a_pool(tmp_path, **settings) as running:
            await part(running)

    asyncio.run(scene())


def test_many_runs_each_end_once(tmp_path):
    async def part(running: Running):
        digest = put(tmp_path, ADD)
        running.pool.submit([GuestRun(n, digest, "add", [str(n), "1"], [], {}) for n in range(3000)])
        ends = await running.ended(*range(3000))
        assert [end.results for end in ends] == [f"{n + 1}\n" for n in range(3000)]
        assert (running.pool.waiting, running.pool.running) == (0, 0)
        await until(lambda: running.pool._ticking is None, "the clock of the idle pool to rest")

    play(part, tmp_path)


def test_no_modules_of_the_working_directory_are_loaded(tmp_path, monkeypatch):
    """A guest may have put them there."""
    monkeypatch.chdir(tmp_path)
    for name in ("msgspec.py", "wasmtime.py", "ctypes.py"):
        (tmp_path / name).write_text("open('loaded', 'w'); raise ImportError")

    async def part(running: Running):
        running.submit(ADD, "add", "1", "2", keys=[1])
        (added,) = await running.ended(1)
        assert added.results == "3\n"

    play(part, tmp_path)
    assert not (tmp_path / "loaded").exists()


def test_on_uvloop(tmp_path):
    async def scene():
        async with a_pool(tmp_path) as running:
            running.submit(ADD, "add", "1", "2", keys=range(200))
            running.submit(LOOP, "loop", keys=[1000])
            await running.executing(1000)
            running.kill()
            running.pool.stop_run(1000)
            await running.ended(*range(200), 1000)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene())


def test_failures_of_all_sorts_leave_the_pool_alone(tmp_path):
    async def part(running: Running):
        running.submit('(module (func $f (export "f") (call $f)))', "f", keys=[1])
        running.submit(ADD, "add", "1", keys=[2])
        running.pool.submit(
            [GuestRun(3, "0" * 64, "f", [], [], {}), GuestRun(4, put(tmp_path, b"junk"), "f", [], [], {})]
        )
        running.submit(ADD, "add", "1", "2", keys=[5])
        overflow, count, missing, junk, good = await running.ended(1, 2, 3, 4, 5)
        assert "the stack overflowed" in overflow.error
        assert "takes 2 parameters" in count.error
        assert "can't be read" in missing.error
        assert "is not WebAssembly" in junk.error
        assert good.results == "3\n"

    play(part, tmp_path, size=1)


def test_an_endless_loop_is_stopped(tmp_path):
    async def part(running: Running):
        running.submit(LOOP, "loop", keys=[1])
        await running.executing(1)
        pid = running.pid_of(0)
        running.pool.stop_run(1)
        running.pool.stop_run(1)
        (end,) = await running.ended(1)
        assert end.stopped
        assert end.error == "the task was stopped"
        assert end.started_ns < end.finished_ns
        running.submit(ADD, "add", "1", "2", keys=[2])
        assert (await running.ended(2))[0].results == "3\n"
        assert running.pid_of(0) > 0
        assert pid

    play(part, tmp_path, size=1)


def test_a_blocked_host_call_is_stopped_and_its_neighbours_are_unharmed(tmp_path):
    async def part(running: Running):
        running.submit(SLEEP, "sleep", HOUR_NS, keys=[1])
        await running.executing(1)
        running.submit(ADD, "add", "1", "2", keys=range(2, 50))
        running.pool.stop_run(1)
        (end,) = await running.ended(1)
        assert end.stopped
        ends = await running.ended(*range(2, 50))
        assert {one.results for one in ends} == {"3\n"}

    play(part, tmp_path, size=1)


def test_stop_of_runs_that_were_not_begun(tmp_path):
    async def part(running: Running):
        running.submit(LOOP, "loop", keys=[1, 2])
        await running.executing(1)
        running.submit(LOOP, "loop", keys=[3, 4])
        for key in (2, 3, 99):
            running.pool.stop_run(key)
        for end in await running.ended(2, 3):
            assert end.stopped
            assert end.results == ""
        running.pool.stop_run(1)
        await running.ended(1)
        await running.executing(4)
        running.pool.stop_run(4)
        assert (await running.ended(4))[0].stopped
        running.pool.stop_run(4)
        assert len(running.ends) == 4

    play(part, tmp_path, size=1)


def test_a_long_run_does_not_delay_those_behind_it(tmp_path):
    async def part(running: Running):
        running.submit(SLEEP, "sleep", HOUR_NS, keys=[0])
        running.submit(ADD, "add", "1", "2", keys=range(1, 100))
        ends = await running.ended(*range(1, 100))
        assert {end.results for end in ends} == {"3\n"}
        assert 0 not in running.ends
        running.pool.stop_run(0)
        await running.ended(0)

    play(part, tmp_path, size=2)


def test_results_do_not_wait_for_a_long_run_behind_them(tmp_path):
    async def part(running: Running):
        digest, loop = put(tmp_path, ADD), put(tmp_path, LOOP)
        running.pool.submit(
            [GuestRun(1, digest, "add", ["1", "2"], [], {}), GuestRun(2, loop, "loop", [], [], {})]
        )
        assert (await running.ended(1))[0].results == "3\n"

    play(part, tmp_path, size=1)


def test_withdraw(tmp_path):
    async def part(running: Running):
        running.submit(LOOP, "loop", keys=[1])
        await running.executing(1)
        running.submit(ADD, "add", "1", "2", keys=range(2, 10))
        await until(lambda: running.pool.waiting == 8, "the runs behind the loop to be taken back")
        assert running.pool.running == 1
        assert running.pool.withdraw(3600) == []
        assert sorted(running.pool.withdraw(0)) == list(range(2, 10))
        assert running.pool.waiting == 0
        running.pool.stop_run(1)
        running.submit(ADD, "add", "1", "2", keys=[2])
        assert (await running.ended(2))[0].results == "3\n"
        assert set(running.ends) == {1, 2}

    play(part, tmp_path, size=1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_a_runner_that_dies_fails_its_run_only(tmp_path, number):
    async def part(running: Running):
        running.submit(SLEEP, "sleep", HOUR_NS, keys=[1])
        await running.executing(1)
        running.submit(ADD, "add", "1", "2", keys=range(2, 20))
        running.kill(0, number)
        (end,) = await running.ended(1)
        assert end.error.startswith(f"the process that ran it died with signal {int(number)} ({number.name})")
        assert not end.stopped
        assert end.is_lost == (number is signal.SIGKILL), "no guest can have its own process killed so"
        ends = await running.ended(*range(2, 20))
        assert {one.results for one in ends} == {"3\n"}

    play(part, tmp_path, size=1)


def test_a_runner_that_dies_idle_is_replaced(tmp_path):
    async def part(running: Running):
        pid = running.pid_of(0)
        running.kill()
        await until(lambda: not psutil.pid_exists(pid), "the runner to die")
        running.submit(ADD, "add", "1", "2", keys=range(20))
        assert {one.results for one in await running.ended(*range(20))} == {"3\n"}

    play(part, tmp_path, size=1)


def test_the_fork_server_dies(tmp_path):
    async def part(running: Running):
        running.submit(LOOP, "loop", keys=[1])
        await running.executing(1)
        running.pool._forkserver._process.kill()
        running.submit(ADD, "add", "1", "2", keys=range(2, 20))
        (end,) = await running.ended(1)
        assert end.error.startswith("the process that ran it ended together with")
        assert end.is_lost
        assert {one.results for one in await running.ended(*range(2, 20))} == {"3\n"}

    play(part, tmp_path, size=2)


@pytest.mark.parametrize("inherited", [0, 400, 800])
def test_where_memory_runs_out_runners_go_first(tmp_path, inherited):
    def score(pid):
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    async def part(running: Running):
        running.submit(LOOP, "loop", keys=[1])
        await running.executing(1)
        assert score(running.pool._forkserver.pid) + 200 <= score(running.pid_of(0))

    own = Path("/proc/self/oom_score_adj")
    before = own.read_text()
    try:
        own.write_text(str(inherited))
    except PermissionError:
        pytest.skip("this process may not lower its own score")
    try:
        play(part, tmp_path, size=1)
    finally:
        own.write_text(before)


def test_endless_output_costs_that_run_alone(tmp_path):
    async def part(running: Running):
        running.submit(FLOOD, "flood", keys=[1])
        running.submit(ADD, "add", "1", "2", keys=range(2, 20))
        (end,) = await running.ended(1)
        assert (
            end.error
            == "the program wrote more than the limit of 100,000 bytes to standard output; limits.output raises it"
        )
        assert not end.stopped
        assert {one.results for one in await running.ended(*range(2, 20))} == {"3\n"}

    play(part, tmp_path, size=1, limits=Limits(output_bytes=100_000))


def test_a_long_run_after_endless_output_is_not_taken_for_it(tmp_path):
    async def part(running: Running):
        running.submit(FLOOD, "flood", keys=[1])
        running.submit(SPIN, "spin", "300000000", keys=[2])
        (flood, spin) = await running.ended(1, 2)
        assert "wrote more than the limit" in flood.error
        assert (spin.error, spin.results) == ("", "0\n")

    play(part, tmp_path, size=1, limits=Limits(output_bytes=100_000))


def test_a_large_result_comes_through(tmp_path):
    from tests.runtime.helpers import program

    async def part(running: Running):
        running.submit(
            program("(drop (call $write (i32.const 1) (i32.const 2048) (i32.const 200000)))"), "p", keys=[1]
        )
        assert (await running.ended(1))[0].results == "\0" * 200_000

    play(part, tmp_path, size=1)


def test_a_handler_that_fails_is_logged(tmp_path, caplog):
    async def scene():
        ends = []

        def on_ended(ended):
            ends.extend(ended)
            raise RuntimeError("handler")

        pool = Pool(tmp_path, size=1, on_ended=on_ended)
        await pool.start()
        digest = put(tmp_path, ADD)
        for key in (1, 2):
            pool.submit([GuestRun(key, digest, "add", ["1", "2"], [], {})])
            await until(lambda: len(ends) == key, "the run to end")  # noqa: B023
        await pool.stop()

    asyncio.run(scene())
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.ERROR]


def test_keys_are_used_once(tmp_path):
    async def part(running: Running):
        running.submit(LOOP, "loop", keys=[1])
        with pytest.raises(ValueError, match="key 1 belongs to a run"):
            running.submit(LOOP, "loop", keys=[1])

    play(part, tmp_path, size=1)


@pytest.mark.parametrize("key", [0, -1, 2**63 - 1, -(2**63)])
def test_any_key_of_64_bits(tmp_path, key):
    async def part(running: Running):
        running.submit(LOOP, "loop", keys=[key])
        await running.executing(key)
        running.kill()
        assert "died with signal 9" in (await running.ended(key))[0].error

    play(part, tmp_path, size=1)


def test_runs_fail_when_no_process_can_be_started(tmp_path, monkeypatch, caplog):
    async def scene():
        running = Running(tmp_path, 2, Limits())

        def spawn(_place):
            raise OSError(11, "Resource temporarily unavailable")

        monkeypatch.setattr(running.pool._forkserver, "spawn", spawn)
        await running.pool.start()
        running.submit(ADD, "add", "1", "2", keys=[1, 2])
        for end in await running.ended(1, 2):
            assert end.is_lost
            assert end.error.startswith("no process to run it: the last one could not be started: Resource")
        await running.pool.stop()

    asyncio.run(scene())
    assert len(caplog.records) >= 5


def test_runs_fail_when_each_process_dies_at_once(tmp_path, monkeypatch):
    async def scene():
        monkeypatch.setattr("propeller.runtime.pool.forkserver_client.sys.executable", "/bin/false")
        running = Running(tmp_path, 2, Limits())
        await running.pool.start()
        running.submit(ADD, "add", "1", "2", keys=[1])
        assert (await running.ended(1))[0].error.startswith("no process to run it")
        await running.pool.stop()

    asyncio.run(scene())


def test_close_in_the_middle(tmp_path):
    async def part(running: Running):
        running.submit(LOOP, "loop", keys=[1])
        running.submit(SLEEP, "sleep", HOUR_NS, keys=[2])
        await running.executing(1)
        await running.executing(2)

    play(part, tmp_path)  # the fixture sees whether anything is left


def test_close_at_once(tmp_path):
    async def part(running: Running):
        running.submit(LOOP, "loop", keys=range(10))

    play(part, tmp_path)


def test_nothing_survives_the_proplet(tmp_path):
    script = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from tests.runtime.helpers import LOOP, a_pool
from tests.builders import SLEEP
async def main():
    async with a_pool(Path({str(tmp_path)!r})) as running:
        running.submit(LOOP, "loop", keys=[1])
        running.submit(SLEEP, "sleep", "{HOUR_NS}", keys=[2])
        await running.executing(1)
        await running.executing(2)
        print("up", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as proplet:
        assert proplet.stdout.readline() == "up\n"
        family = psutil.Process(proplet.pid).children(recursive=True)
        assert len(family) == 3
        proplet.kill()
    _, left = psutil.wait_procs(family, timeout=60)
    assert left == []


@pytest.mark.parametrize("seed", range(3))
def test_each_run_ends_once_whatever_happens(tmp_path, seed):
    print("seed", seed)
    chance = random.Random(seed)
    kinds = [
        (ADD, "add", ("1", "2")),
        (SLEEP, "sleep", ("1000000",)),
        (SLEEP, "sleep", (HOUR_NS,)),
        (LOOP, "loop", ()),
    ]

    async def part(running: Running):
        endless = set()
        for key in range(200):
            module, export, inputs = chance.choices(kinds, weights=[20, 4, 1, 1])[0]
            running.submit(module, export, *inputs, keys=[key])
            if export == "loop" or HOUR_NS in inputs:
                endless.add(key)
            if chance.random() < 0.05:
                await asyncio.sleep(chance.random() / 50)
            if chance.random() < 0.03:
                with contextlib.suppress(IndexError, ProcessLookupError, psutil.NoSuchProcess):  # none lives
                    running.kill()
            if chance.random() < 0.1:
                running.pool.stop_run(chance.randrange(200))
        for key in endless:
            running.pool.stop_run(key)
        await running.ended(*range(200))
        odd = [running.ends[key] for key in endless if not running.ends[key].stopped]
        assert [end for end in odd if "died with signal 9" not in end.error] == []
        assert all(end.results or end.error for end in running.ends.values())
        await until(lambda: running.pool._ticking is None, "the clock to rest")
        assert not running.pool._stopping

    play(part, tmp_path, size=3)


def test_it_tells_which_process_executes_which_run(tmp_path):
    async def scene():
        async with a_pool(tmp_path, size=2) as running:
            running.submit(LOOP, "loop", keys=[1, 2])
            await running.executing(1)
            await running.executing(2)
            executing = running.pool.executing()
            assert sorted(executing) == [1, 2]
            assert sorted(executing.values()) == sorted([running.pid_of(0), running.pid_of(1)])
            family = {process.pid for process in psutil.Process().children(recursive=True)}
            assert family.issuperset(running.pool.processes())
            assert len(running.pool.processes()) == 3, "a fork server and two runners"
            running.pool.stop_run(1)
            (ended,) = await running.ended(1)
            assert ended.usage.cpu_ns > 0
            assert list(running.pool.executing()) == [2]
            os.kill(executing[2], signal.SIGKILL)
            (killed,) = await running.ended(2)
            assert killed.usage is None, "nobody is left who could tell"
            assert running.pool.executing() == {}

    asyncio.run(scene())


def test_a_large_module_is_said_to_be_compiled_once_and_until_its_guest_begins(tmp_path):
    async def part(running: Running):
        told: list[Compiling] = []
        running.pool._on_compiling = told.extend
        for key, module in ((1, padded(5 * 2**20)), (2, padded(5 * 2**20)), (3, padded(100))):
            running.pool.submit([GuestRun(key, put(tmp_path, module), "main", ["1", "2"])])
            (end,) = await running.ended(key)
            assert end.results == "3\n"
        assert told == [Compiling(1, len(padded(5 * 2**20))), Compiling(1, 0)]

    play(part, tmp_path)
