"""Guests that a real ``wasmtime`` command runs."""

import httpx

from propeller.runtime.external.runtime import find_program
from propeller.runtime.guest_run import Limits
from tests.guests.helpers import guest
from tests.parts.ports import free_port
from tests.runtime.external.helpers import SERVER, play
from tests.runtime.helpers import ADD, ARGUMENTS, FLOOD, LOOP, program

ADD_COMPONENT = """(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "x" s32) (param "y" s32) (result s32) (canon lift (core func $i "add"))))"""

#: Takes requests and forgets to answer them.


def test_a_function_of_a_module(tmp_path, wasmtime_program):
    async def part(outside):
        end = await outside.end(ADD, "add", "10", "20")
        assert (end.results, end.error, end.stopped) == ("30\n", "", False)
        assert 0 < end.started_ns < end.finished_ns
        assert (await outside.end(ADD, "add", "-7", "3")).results == "-4\n"

    play(part, tmp_path, wasmtime_program)


def test_a_function_of_a_component(tmp_path, wasmtime_program):
    async def part(outside):
        assert (await outside.end(ADD_COMPONENT, "add", "1", "2")).results == "3\n"

    play(part, tmp_path, wasmtime_program)


def test_a_program_gets_its_arguments_and_variables_and_nothing_else(tmp_path, wasmtime_program, monkeypatch):
    monkeypatch.setenv("OF_THE_PROPLET", "secret")
    env = {"A": "1 2", "PATH": "mine", "LD_PRELOAD": "/nowhere.so", "EMPTY": "", "LINES": "a\nb=ä"}

    async def part(outside):
        for name in ("_start", "", "fl-round-1", "anything"):
            end = await outside.end(ARGUMENTS, name, "--in", "x y", env=env)
            assert end.error == ""
            _, *arguments = end.results.split("\0")[:3]
            variables = end.results.split("\0")[3:-1]
            assert arguments == ["--in", "x y"]
            assert sorted(variables) == sorted(f"{key}={value}" for key, value in env.items())

    play(part, tmp_path, wasmtime_program)


def test_a_program_reads_its_standard_input(tmp_path, wasmtime_program):
    async def part(outside):
        for stdin, results in ((b"\xff\n" * 100_000, b"\xff\n" * 100_000), (b"text", "text"), (None, "")):
            assert (await outside.end(guest("cat"), "_start", stdin=stdin)).results == results

    play(part, tmp_path, wasmtime_program)


def test_a_program_finds_what_its_parents_returned(tmp_path, wasmtime_program):
    async def part(outside):
        end = await outside.end(ARGUMENTS, "_start", parents='{"a": "30"}')
        assert end.results.split("\0")[1:-1] == ['PROPELLER_PARENT_RESULTS={"a": "30"}']
        # A variable can't hold as much, and it may well be that nobody asks for it.
        end = await outside.end(ARGUMENTS, "_start", parents="[" + "1," * 65536 + "1]")
        assert (end.results.split("\0")[1:-1], end.error) == ([], "")

    play(part, tmp_path, wasmtime_program)


def test_options_of_the_program_are_the_tasks_business(tmp_path, wasmtime_program):
    async def part(outside):
        end = await outside.end(ADD, "_start", "1", "2", cli_args=["--invoke", "add"])
        assert end.results == "3\n"
        end = await outside.end(ADD, "add", "1", "2", cli_args=["-W", "max-memory-size=nothing"])
        assert end.error.startswith("Process exited with status: exit status: 2, stderr: error: ")
        assert "max-memory-size" in end.error

    play(part, tmp_path, wasmtime_program)


def test_failures_say_what_the_program_said(tmp_path, wasmtime_program):
    noise = program(
        "(drop (call $write (i32.const 2) (i32.const 1024) (i32.const 4))) (call $exit (i32.const 3))",
        data="oops",
    )
    shout = program("(drop (call $write (i32.const 1) (i32.const 1024) (i32.const 4)))", data="fine")

    async def part(outside):
        end = await outside.end(noise, "_start")
        assert (end.results, end.error) == ("", "Process exited with status: exit status: 3, stderr: oops")
        assert end.failure.exit_code == 3
        assert (await outside.end(shout, "_start")).results == "fine"
        trap = '(module (func (export "f") unreachable))'
        assert "unreachable" in (await outside.end(trap, "f")).error
        assert "is not WebAssembly" in (await outside.end(b"junk", "f")).error
        assert "is damaged" in (await outside.end(b"\0asm\1\0\0\0\7\5\xff", "f")).error
        missing = await outside.end(ADD, "sub", "1", "2")
        assert "exit status: 1" in missing.error
        assert "NUL" in (await outside.end(ADD, "add", "1\0", "2")).error
        long = await outside.end(ADD, "add", "1", "2" * 2**18)
        assert long.error == "no process to run it could be started: Argument list too long"

    play(part, tmp_path, wasmtime_program)


def test_an_endless_guest_is_stopped(tmp_path, wasmtime_program):
    async def part(outside):
        outside.run(1, LOOP, "loop")
        await outside.executing(1)
        outside.pool.stop_run(1)
        (end,) = await outside.ended(1)
        assert end.stopped
        assert end.error == "the task was stopped"

    play(part, tmp_path, wasmtime_program)


def test_a_guest_that_floods_fails(tmp_path, wasmtime_program):
    async def part(outside):
        end = await outside.end(FLOOD, "_start")
        assert end.results == ""
        assert end.error == (
            "the program wrote more than the limit of 1,000,000 bytes to standard output; limits.output raises it"
        )

    play(part, tmp_path, wasmtime_program, limits=Limits(output_bytes=1_000_000))


def status_at(port):
    return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code


def test_a_server_serves_until_it_is_stopped(tmp_path, wasmtime_program):
    port, asked = free_port(), free_port()

    async def part(outside):
        serves = {"port": port, "is_resident": True}
        outside.run(1, SERVER, "web", **serves)
        outside.run(2, SERVER, "web", cli_args=["--port", str(asked)], **serves)
        await outside.is_up(1, 2)
        found = [int(outside.up[key].removeprefix("started at port ")) for key in (1, 2)]
        assert port <= found[0] < port + 100
        assert found[1] == asked
        assert [status_at(one) for one in found] == [500, 500]
        taken = await outside.end(SERVER, "web", cli_args=[f"--addr=127.0.0.1:{asked}"], **serves)
        assert taken.error == f"port {asked} can't be listened on: Address already in use"
        assert taken.is_refused
        for key in (1, 2):
            outside.pool.stop_run(key)
        for end in await outside.ended(1, 2):
            assert (end.stopped, end.results) == (True, "")
        bad = await outside.end(SERVER, "web", cli_args=["--port=x"], **serves)
        assert bad.error == 'cli_args: --port "x" names no port; give one from 1 to 65535'
        outside.run(3, SERVER, "web", cli_args=["--addr", f"127.0.0.1:{asked}"], **serves)
        await outside.is_up(3)
        assert status_at(asked) == 500

    play(part, tmp_path, wasmtime_program)


def test_who_only_asks_others_for_http_is_no_server(tmp_path, wasmtime_program):
    client = ADD_COMPONENT.replace(
        "(component", '(component (import "wasi:http/incoming-handler@0.2.0" (instance))', 1
    )

    async def part(outside):
        # The command has no such interface to offer; it says so rather than listen.
        end = await outside.end(client, "add", "1", "2")
        assert end.error.startswith("Process exited") or end.results == "3\n"

    play(part, tmp_path, wasmtime_program)


def test_what_can_be_found(tmp_path, caplog, monkeypatch):
    path = tmp_path / "runs-wasm"
    assert find_program(str(path)) is None
    assert f"{path}: no program" in caplog.text
    path.write_text("#!/bin/sh\n")
    assert find_program(str(path)) is None, "nobody may execute it"
    path.chmod(0o755)
    assert find_program(str(path)) == str(path)
    assert find_program("runs-wasm") is None
    assert "runs-wasm: not found on PATH; the embedded runtime is used instead" in caplog.text
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("runs-wasm") == str(path)
    assert find_program(f"{tmp_path}/") is None
