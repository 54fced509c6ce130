"""Commands beside what happens meanwhile: Ctrl-C, terminals, readers that go away, managers that come back."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from propeller.core.states import INTERRUPTED, RUNNING
from tests.e2e.local.harness import System
from tests.parts.machine import need_terminals
from tests.waiting import until


def states(shell):
    page = shell.system.call("GET", "/tasks?file=false")
    return {task["id"]: task["state"] for task in page["tasks"]}


def started(shell, before):
    """Wait for a task that was not there before to run, and return its id."""
    return until(
        lambda: next(
            (id_ for id_, state in states(shell).items() if id_ not in before and state == RUNNING),
            None,
        )
    )


def test_ctrl_c_stops_the_task(shell):
    before = states(shell)
    process = shell.begin("run", "endless.wat", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    task_id = started(shell, before)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert f"task {task_id} was stopped" in err
    assert shell.system.call("GET", f"/tasks/{task_id}")["state"] == INTERRUPTED


def test_ctrl_c_stops_the_workflow_and_shows_where_it_was(shell):
    (shell.work / "endless.yaml").write_text(
        "module: endless.wat\ntasks: [{id: first}, {id: next, depends_on: [first]}]\n"
    )
    before = states(shell)
    process = shell.begin(
        "workflows", "run", "endless.yaml", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    task_id = started(shell, before)
    assert task_id.startswith("first-")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "2 interrupted" in out
    assert err.startswith("stopping workflow ")
    assert {states(shell)[id_] for id_ in states(shell).keys() - before.keys()} == {INTERRUPTED}


def test_stopped_by_somebody_else(shell):
    before = states(shell)
    process = shell.begin("run", "endless.wat", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    task_id = started(shell, before)
    assert shell("tasks", "stop", task_id).stdout == "ok\n"
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert f"error: task {task_id}: Interrupted" in err


def on_a_terminal(shell, *arguments):
    """Run a command on a terminal of its own, and return its exit code and what that shows."""
    need_terminals()
    ours, theirs = pty.openpty()
    process = shell.begin(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the other end was closed
        pass
    finally:
        os.close(ours)
    return process.wait(30), shown.decode()


def test_a_guest_does_not_speak_to_the_terminal(shell):
    (shell.work / "loud.wat").write_text(
        """(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\\10\\00\\00\\00\\0a\\00\\00\\00") (data (i32.const 16) "\\1b[31mred\\0a\\07")
        (func $print (param i32) (drop (call $w (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8))))
        (func (export "_start") (call $print (i32.const 1)) (call $print (i32.const 2))))"""
    )
    printed, harmless = "\x1b[31mred\n\x07", "\\x1b[31mred\r\n\\x07"
    before = states(shell)
    code, shown = on_a_terminal(shell, "run", "loud.wat")
    assert (code, shown.endswith(harmless)) == (0, True)
    (task_id,) = states(shell).keys() - before.keys()
    for command in ("results", "logs"):
        assert on_a_terminal(shell, "tasks", command, task_id) == (0, harmless)
        done = shell("tasks", command, task_id)
        assert printed in (done.stdout, done.stderr)


def test_on_a_terminal_a_workflow_is_a_tree_in_colour(shell):
    (shell.work / "tree.yaml").write_text(
        "module: addition.wat\n"
        "tasks: [{id: top, inputs: [1, 2]}, {id: below, inputs: [3, 4], depends_on: [top]}]\n"
    )
    shell.env["TERM"] = "xterm"
    code, shown = on_a_terminal(shell, "workflows", "run", "tree.yaml")
    assert code == 0
    assert "\x1b[" in shown
    assert "Ctrl-C stops it" in shown
    end = shown[shown.rindex("workflow ") :]
    assert end.index("top") < end.index("└── ", end.index("top")) < end.index("below")
    assert "2 completed" in end

    code, shown = on_a_terminal(shell, "tasks", "list")
    assert "\x1b[32mCompleted" in shown
    code, shown = on_a_terminal(shell, "tasks", "view", "nobody")
    assert (code, "\x1b[31merror: there is no task nobody" in shown) == (1, True)


@pytest.fixture
def nobody_reads():
    """A stream whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("arguments", [("tasks", "list", "--json"), ("tasks", "list"), ("--version",)])
def test_who_reads_may_go(shell, nobody_reads, arguments):
    process = shell.begin(*arguments, stdout=nobody_reads, stderr=subprocess.PIPE, text=True)
    assert (process.communicate(timeout=30)[1], process.returncode) == ("", 1)


def test_who_reads_errors_may_go(shell, nobody_reads):
    process = shell.begin("tasks", "view", "nobody", stdout=nobody_reads, stderr=nobody_reads)
    assert process.wait(30) == 1


def test_output_that_finds_no_place_is_a_failure_in_words(shell):
    with Path("/dev/full").open("w") as full:
        process = shell.begin("--version", stdout=full, stderr=subprocess.PIPE, text=True)
        said = process.communicate(timeout=30)[1]
    assert (said, process.returncode) == (
        "error: the output could not be written: No space left on device\n",
        1,
    )


def test_results_in_any_locale(shell):
    (shell.work / "umlaut.wat").write_text(
        """(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\\10\\00\\00\\00\\03\\00\\00\\00") (data (i32.const 16) "\\c3\\bc\\0a")
          (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
    )
    assert shell("run", "umlaut.wat").stdout == "ü\n"
    env = {**shell.env, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "propeller", "run", "umlaut.wat"]
    done = subprocess.run(command, cwd=shell.work, env=env, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"\\xfc\n")


@pytest.fixture
def restartable(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    system = System(tmp_path / "data", "--port", str(port))
    yield system
    system.clean_up()


def test_a_run_outlasts_a_crash_of_the_manager(shell, restartable):
    restartable.up()
    url = str(restartable.http.base_url)
    process = shell.begin(
        "run", "endless.wat", "--json", "-m", url, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: [t for t in restartable.call("GET", "/tasks")["tasks"] if t["state"] == RUNNING])
    restartable.kill()
    restartable.up()
    (task,) = restartable.call("GET", "/tasks")["tasks"]
    restartable.call("POST", f"/tasks/{task['id']}/stop")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(out)["state"] == INTERRUPTED
