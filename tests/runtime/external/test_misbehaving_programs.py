"""Programs that misbehave, in the place of the runtime that the proplet's owner has named."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from propeller.runtime.guest_run import Limits
from tests.runtime.external.helpers import is_gone, play, script, text_of
from tests.runtime.helpers import ADD, put, until


def test_nothing_secret_stands_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("OF_THE_PROPLET", "secret")
    said = script(tmp_path, 'printf "%s\\n" "$@"; echo; env')

    async def part(outside):
        end = await outside.end(ADD, "add", "1", "2", cli_args=["-S", "nn"], env={"KEY": "hidden value"})
        line, variables = end.results.split("\n\n")
        file = tmp_path / "modules" / put(tmp_path, ADD)
        words = ["run", "--invoke", "add", "-S", "nn", "--env", "KEY", str(file), "1", "2"]
        assert line.split("\n") == words
        assert "KEY=hidden value" in variables.split("\n")
        assert "OF_THE_PROPLET" not in variables

    play(part, tmp_path, said)


def test_a_defect_ends_the_run_that_it_hits(tmp_path, monkeypatch):
    """It would wait for ever otherwise."""

    def defect(*_):
        raise ZeroDivisionError("secret")

    async def part(outside):
        with monkeypatch.context() as patch:
            patch.setattr("propeller.runtime.external.runtime.command_of", defect)
            end = await outside.end(ADD, "add", "1", "2")
        assert end.error == "the proplet could not run the task: ZeroDivisionError: secret"
        assert not end.is_lost
        assert (await outside.end(ADD, "add", "1", "2")).error.startswith("Process exited with status")

    play(part, tmp_path, script(tmp_path, "exit 9"))


def test_a_flood_on_both_pipes_neither_hangs_nor_is_kept(tmp_path):
    flood = script(
        tmp_path,
        "(yes error | head -c 10000000 >&2; echo last words >&2) & head -c 10000000 /dev/zero; wait; exit 1",
    )

    async def part(outside):
        end = await outside.end(ADD, "add")
        assert end.error.startswith("Process exited with status: exit status: 1, stderr: ")
        assert end.error.endswith("last words")
        assert len(end.error) < 5000

    play(part, tmp_path, flood, limits=Limits(output_bytes=10_000_000))


def test_more_than_may_be_written_ends_it(tmp_path):
    async def part(outside):
        end = await outside.end(ADD, "add")
        assert (
            end.error
            == "the program wrote more than the limit of 1,000 bytes to standard output; limits.output raises it"
        )
        assert end.results == ""

    play(part, tmp_path, script(tmp_path, "yes; yes >&2"), limits=Limits(output_bytes=1000))


def test_what_a_program_leaves_behind_dies_with_it(tmp_path):
    leaving = script(
        tmp_path, f"(trap '' TERM HUP INT; sleep 3600 & echo $! > {tmp_path}/left; wait) & wait_for=$!\n"
        f"while ! [ -s {tmp_path}/left ]; do :; done; echo done"
    )  # fmt: skip

    async def part(outside):
        end = await outside.end(ADD, "add")
        assert (end.results, end.error) == ("done\n", "")
        pid = int(await text_of(tmp_path / "left"))
        await until(lambda: is_gone(pid), "the program's child to be gone")

    play(part, tmp_path, leaving)


def test_stop_takes_all_that_the_program_started(tmp_path):
    stubborn = script(
        tmp_path, f"trap '' TERM INT HUP; sleep 3600 & echo $! > {tmp_path}/child; while :; do wait; done"
    )

    async def part(outside):
        outside.run(1, ADD, "add")
        pid = int(await text_of(tmp_path / "child"))
        outside.pool.stop_run(1)
        outside.pool.stop_run(1)
        (end,) = await outside.ended(1)
        assert (end.stopped, end.error) == (True, "the task was stopped")
        await until(lambda: is_gone(pid), "the program's child to be gone")

    play(part, tmp_path, stubborn)


def test_death_by_a_signal_is_told(tmp_path):
    async def part(outside):
        end = await outside.end(ADD, "add")
        assert end.error == "Process exited with status: signal: 6 (SIGABRT), stderr: bye"
        assert not end.stopped
        assert not end.is_lost

    play(part, tmp_path, script(tmp_path, "echo bye >&2; kill -ABRT $$"))


def test_a_program_that_is_killed_from_outside_is_lost_and_goes_before_the_proplet(tmp_path):
    own = int(Path("/proc/self/oom_score_adj").read_text())

    async def part(outside):
        end = await outside.end(ADD, "add")
        assert end.error.startswith("Process exited with status: signal: 9 (SIGKILL), stderr: ")
        assert end.is_lost
        ahead = int(end.error.split()[-1]) - own
        assert ahead >= 200, "the kernel finds the guest first when it looks for one to kill"

    play(part, tmp_path, script(tmp_path, "cat /proc/$$/oom_score_adj >&2; kill -KILL $$"))


@pytest.mark.parametrize(("number", "is_lost"), [(errno.EAGAIN, True), (errno.E2BIG, False)])
def test_that_no_process_can_be_had_is_no_fault_of_a_task(tmp_path, monkeypatch, number, is_lost):
    def refuse(*_, **_kwargs):
        raise OSError(number, os.strerror(number))

    async def part(outside):
        monkeypatch.setattr(subprocess, "Popen", refuse)
        end = await outside.end(ADD, "add")
        assert end.error == f"no process to run it could be started: {os.strerror(number)}"
        assert end.is_lost == is_lost

    play(part, tmp_path, script(tmp_path, "echo"))


def test_a_program_that_went_away(tmp_path):
    program = script(tmp_path, "echo")

    async def part(outside):
        os.unlink(program)  # noqa: PTH108
        end = await outside.end(ADD, "add")
        assert f"{program} can't be started: No such file or directory" in end.error

    play(part, tmp_path, program)


def test_runs_beyond_the_size_wait_in_order(tmp_path):
    # Each says which run it is, and ends when it is told to.
    held = script(tmp_path, f'echo "$5" >> {tmp_path}/begun; read line < {tmp_path}/gate; echo "$5"')
    os.mkfifo(tmp_path / "gate")

    async def part(outside):
        for key in range(1, 6):
            outside.run(key, ADD, "add", str(key))
        await outside.executing(2)
        assert (outside.pool.waiting, outside.pool.running) == (3, 2)
        assert sorted(outside.pool.processes()) == sorted(outside.pool.executing().values())
        outside.pool.stop_run(4)
        (end,) = await outside.ended(4)
        assert (end.stopped, end.started_ns) == (True, 0)
        assert outside.pool.withdraw(3600) == []
        assert outside.pool.withdraw(-1) == [3, 5]
        for key in (1, 2):
            outside.pool.stop_run(key)
        await outside.ended(1, 2)
        for key in (6, 7, 8):
            outside.run(key, ADD, "add", str(key))
        with pytest.raises(ValueError, match="key 8 belongs to a run"):
            outside.run(8, ADD, "add")
        await outside.executing(7)
        outside.pool.stop_run(6)
        await outside.executing(8)

    play(part, tmp_path, held)


def test_close_leaves_nothing_and_tells_nothing(tmp_path):
    ends = {}

    async def part(outside):
        nonlocal ends
        ends = outside.ends
        outside.run(1, ADD, "add")
        outside.run(2, ADD, "add")
        await outside.executing(1)

    play(part, tmp_path, script(tmp_path, "sleep 3600"), size=1)
    assert ends == {}


def test_a_killed_proplet_takes_its_programs_with_it(tmp_path):
    sleeping = script(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 3600")
    proplet = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.runtime.external.helpers import play
from tests.runtime.helpers import ADD
from pathlib import Path

async def part(outside):
    outside.run(1, ADD, "add")
    await outside.ended(1)

play(part, Path({str(tmp_path)!r}), {sleeping!r})
"""
    with subprocess.Popen([sys.executable, "-c", proplet]) as process:
        pid = int(asyncio.run(text_of(tmp_path / "pid")))
        assert not is_gone(pid)
        process.send_signal(signal.SIGKILL)
    asyncio.run(until(lambda: is_gone(pid), "the program to be gone"))
