"""Time, logs, daemons, servers and latent tasks in a program of the machine: scripts, where it must be exact."""

import socket

import pytest

from propeller.runtime.guest_run import Limits
from tests.parts.ports import free_port
from tests.runtime.external.helpers import SERVER, is_gone, play, script, text_of
from tests.runtime.helpers import ADD, LOOP, program, until

#: Prints a line to each stream, and goes on for ever.
TALKER = program(
    """(drop (call $write (i32.const 1) (i32.const 1024) (i32.const 3)))
    (drop (call $write (i32.const 2) (i32.const 1027) (i32.const 4))) (loop $l (br $l))""",
    data="outerr\\n",
)


def printed(outside, key, stream):
    pieces = [piece for piece in outside.pieces if (piece.key, piece.stream) == (key, stream)]
    return b"".join(piece.data for piece in pieces)


# -- time and output -----------------------------------------------------------------------------------------


def test_a_guest_that_takes_too_long_is_ended(tmp_path, wasmtime_program):
    async def part(outside):
        end = await outside.end(LOOP, "loop")
        assert end.error == "it ran longer than the limit of 0.2 s; timeout raises it"
        assert not end.stopped
        end = await outside.end(LOOP, "loop", limits=Limits(timeout_ns=100_000_000))
        assert end.error == "it ran longer than the limit of 0.1 s; timeout raises it"

    play(part, tmp_path, wasmtime_program, limits=Limits(timeout_ns=200_000_000))


def test_the_limit_of_time_takes_all_that_the_program_started(tmp_path):
    stubborn = script(
        tmp_path, f"trap '' TERM INT HUP; sleep 3600 & echo $! > {tmp_path}/child; while :; do wait; done"
    )

    async def part(outside):
        end = await outside.end(ADD, "add", limits=Limits(timeout_ns=2_000_000_000))
        assert end.error == "it ran longer than the limit of 2 s; timeout raises it"
        pid = int(await text_of(tmp_path / "child"))
        await until(lambda: is_gone(pid), "the program's child to be gone")

    play(part, tmp_path, stubborn)


def test_a_run_has_a_limit_of_output_of_its_own(tmp_path):
    async def part(outside):
        end = await outside.end(ADD, "add", limits=Limits(output_bytes=3))
        assert end.error == (
            "the program wrote more than the limit of 3 bytes to standard output; limits.output raises it"
        )
        assert (await outside.end(ADD, "add", limits=Limits(output_bytes=5))).results == "four\n"
        assert (await outside.end(ADD, "add")).results == "four\n"

    play(part, tmp_path, script(tmp_path, "echo four"))


# -- logs ----------------------------------------------------------------------------------------------------


def test_errors_are_logs_while_it_runs(tmp_path):
    async def part(outside):
        outside.run(1, ADD, "add")
        await outside.printed(1, b"it begins\n")
        assert outside.ends == {}
        (tmp_path / "gate").write_text("go\n")
        (end,) = await outside.ended(1)
        assert (end.results, end.error) == ("result\n", "")
        assert printed(outside, 1, "stderr") == b"it begins\nit ends\n"
        assert printed(outside, 1, "stdout") == b"", "that is the result"

    waits = f"while ! [ -s {tmp_path}/gate ]; do sleep 0.01; done"
    play(part, tmp_path, script(tmp_path, f"echo it begins >&2; {waits}; echo result; echo it ends >&2"))


def test_logs_are_cut_and_harm_nobody(tmp_path):
    flood = "yes error | head -c 3000000"

    async def part(outside):
        limits = Limits(log_bytes=100_001, output_bytes=10)
        outside.run(1, ADD, "add", limits=limits)
        outside.run(2, ADD, "add", limits=limits, env={"STAYS": "yes"}, is_resident=True)
        assert [(end.results, end.error) for end in await outside.ended(1, 2)] == [("", "")] * 2
        for key, stream in ((1, "stderr"), (2, "stderr"), (2, "stdout")):
            assert printed(outside, key, stream) == b"error\n" * 16666 + b"error"
            cuts = [p.is_cut for p in outside.pieces if (p.key, p.stream) == (key, stream)]
            assert cuts == [False] * (len(cuts) - 1) + [True]

    play(part, tmp_path, script(tmp_path, f"{flood} >&2; [ -z $STAYS ] || {flood}"))


# -- daemons -------------------------------------------------------------------------------------------------


def test_a_daemon_is_up_and_speaks_until_it_is_stopped(tmp_path, wasmtime_program):
    async def part(outside):
        outside.run(1, TALKER, "_start", is_resident=True)
        await outside.is_up(1)
        assert outside.up[1] == ""
        await outside.printed(1, b"out")
        await outside.printed(1, b"err\n")
        outside.pool.stop_run(1)
        (end,) = await outside.ended(1)
        assert (end.stopped, end.results, end.error) == (True, "", "the task was stopped")
        assert (printed(outside, 1, "stdout"), printed(outside, 1, "stderr")) == (b"out", b"err\n")

    play(part, tmp_path, wasmtime_program)


def test_daemons_take_no_slots(tmp_path, wasmtime_program):
    async def part(outside):
        outside.run(1, LOOP, "loop")
        await outside.executing(1)
        for key in (2, 3):
            outside.run(key, LOOP, "loop", is_resident=True)
        await outside.is_up(2, 3)
        assert outside.pool.running == 3
        outside.run(4, LOOP, "loop")
        outside.run(5, ADD, "add", is_preparation=True)
        assert (await outside.ended(5))[0].error == ""
        assert outside.pool.waiting == 1
        for key in (1, 2, 3):
            outside.pool.stop_run(key)
        await outside.executing(4)

    play(part, tmp_path, wasmtime_program, size=1)


def test_a_daemon_that_crashes_says_so_and_one_that_can_not_begin_is_refused(tmp_path, wasmtime_program):
    trap = '(module (func (export "f") unreachable))'

    async def part(outside):
        crash = await outside.end(trap, "f", is_resident=True)
        assert "unreachable" in crash.error
        assert not crash.is_refused
        assert 0 < crash.started_ns < crash.finished_ns
        junk = await outside.end(b"junk", "f", is_resident=True)
        assert "is not WebAssembly" in junk.error
        assert junk.is_refused

    play(part, tmp_path, wasmtime_program)


# -- servers -------------------------------------------------------------------------------------------------

#: Listens where it is told to, once it may.
SLOW_SERVER = """exec python3 - "$@" <<'END'
import pathlib, socket, sys, time
gate = pathlib.Path({gate!r})
while not gate.exists():
    time.sleep(0.01)
host, _, port = sys.argv[sys.argv.index("--addr") + 1].rpartition(":")
end = socket.create_server((host, int(port)))
print("listening", flush=True)
while True:
    end.accept()[0].close()
END"""


def test_a_server_is_up_once_its_port_answers(tmp_path):
    port = free_port()

    async def part(outside):
        outside.run(1, SERVER, "web", cli_args=["--port", str(port)], port=port, is_resident=True)
        await outside.executing(1)
        assert outside.up == {}
        (tmp_path / "gate").touch()
        await outside.is_up(1)
        assert outside.up == {1: f"started at port {port}"}
        await outside.printed(1, b"listening\n")

    play(part, tmp_path, script(tmp_path, SLOW_SERVER.format(gate=str(tmp_path / "gate"))))


def test_a_server_that_never_listened_was_never_up(tmp_path):
    async def part(outside):
        end = await outside.end(SERVER, "web", port=free_port(), is_resident=True)
        assert end.error == "Process exited with status: exit status: 7, stderr: no room"
        assert outside.up == {}

    play(part, tmp_path, script(tmp_path, "echo no room >&2; exit 7"))


def test_servers_that_name_no_port_get_one_each(tmp_path):
    first = free_port()

    async def part(outside):
        with socket.create_server(("0.0.0.0", first)):
            for key in (1, 2):
                outside.run(key, SERVER, "web", port=first, is_resident=True)
            await outside.is_up(1, 2)
        ports = {int(said.removeprefix("started at port ")) for said in outside.up.values()}
        assert len(ports) == 2
        assert all(first < port < first + 100 for port in ports)

    (tmp_path / "gate").touch()
    play(part, tmp_path, script(tmp_path, SLOW_SERVER.format(gate=str(tmp_path / "gate"))))


NO_HOST = "names no host; give an address of the proplet's machine, as in 127.0.0.1:8080 or [::1]:8080"


@pytest.mark.parametrize(
    ("cli_args", "said"),
    [
        (["--port"], 'cli_args: --port "" names no port; give one from 1 to 65535'),
        (["--addr=127.0.0.1:0"], 'cli_args: --addr "127.0.0.1:0" names no port; give one from 1 to 65535'),
        (["--addr", "192.0.2.1:8222"], "port 8222 can't be listened on: Cannot assign requested address"),
        (["--addr", "::1:8222"], f'cli_args: --addr "::1:8222" {NO_HOST}'),
        (["--addr", "ü" * 100 + ":8222"], f'cli_args: --addr "{"ü" * 80}…" {NO_HOST}'),
        (["--port=a\0b:8222"], f'cli_args: --port "a\0b:8222" {NO_HOST}'),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path, cli_args, said):
    async def part(outside):
        end = await outside.end(SERVER, "web", cli_args=cli_args, port=8222, is_resident=True)
        assert (end.error, end.is_refused) == (said, True)

    play(part, tmp_path, script(tmp_path, "exit 9"))


# -- latent tasks --------------------------------------------------------------------------------------------


def test_a_preparation_reads_the_module_and_starts_nothing(tmp_path):
    async def part(outside):
        for module in (ADD, LOOP):
            end = await outside.end(module, "add", is_preparation=True)
            assert (end.error, end.started_ns) == ("", 0)
        for module, said in ((b"junk", "is not WebAssembly"), (SERVER, "can't be invoked")):
            end = await outside.end(module, "handle", is_preparation=True)
            assert said in end.error
            assert end.is_refused
        assert not (tmp_path / "began").exists()

    play(part, tmp_path, script(tmp_path, f"touch {tmp_path}/began"))
