"""Proplets that die, work that is handed back, and a system that can't start."""

import base64
import contextlib
import json
import socket
import sqlite3
import subprocess
import sys

import psutil
import wasmtime

from tests.e2e.local.harness import ADDITION, ENDED, System
from tests.waiting import until

#: Runs until it is stopped.
LOOP = base64.b64encode(wasmtime.wat2wasm('(module (func (export "main") (loop (br 0))))')).decode()
#: Sleeps in a host call for the given number of milliseconds, then returns 7.
SLEEP = base64.b64encode(
    wasmtime.wat2wasm(
        """(module
          (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "nap") (param i64) (result i32)
            (i32.store8 (i32.const 8) (i32.const 0))
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.mul (local.get 0) (i64.const 1000000)))
            (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
            (i32.const 7)))"""
    )
).decode()


def start(system, **fields):
    task = system.call("POST", "/tasks", fields)
    system.call("POST", f"/tasks/{task['id']}/start")
    return f"/tasks/{task['id']}"


def is_state(system, task, state):
    return (found := system.call("GET", task))["state"] == state and found


def test_killed_proplet_runs_its_task_again(system):
    system.up()
    task = start(system, name="nap", inputs=[700], file=SLEEP)
    until(lambda: is_state(system, task, 2))
    system.proplet_processes()[0].kill()
    again = until(lambda: (found := system.call("GET", task)).get("attempt") == 2 and found)
    assert "was lost" in again["reason"]
    done = until(lambda: is_state(system, task, ENDED))
    assert done["results"] == "7\n"
    assert "attempt 1 was lost" in done["reason"]


def test_task_that_keeps_losing_its_proplet_fails_with_the_reason(tmp_path):
    system = System(tmp_path / "data", "--max-losses", "1")
    try:
        system.up()
        task = start(system, name="main", file=LOOP)
        for attempt in (None, 2):
            until(
                lambda attempt=attempt: (
                    (t := system.call("GET", task))["state"] == 2 and t.get("attempt") == attempt
                )
            )
            until(system.proplet_processes)[0].kill()
        failed = until(lambda: is_state(system, task, 4))
        assert "not run again after 2 losses" in failed["error"]
    finally:
        system.clean_up()


def test_stop_hands_running_work_back(system):
    system.up()
    task = start(system, name="nap", inputs=[2000], file=SLEEP)
    until(lambda: is_state(system, task, 2))
    assert system.stop() == 0
    system.up()
    done = until(lambda: is_state(system, task, ENDED))
    assert (done["results"], done["attempt"]) == ("7\n", 2)
    assert system.stop() == 0


def test_stopped_while_work_runs_it_is_scheduled_in_the_store(system):
    """Not failed, and not taken for running: nobody runs it until the next start."""
    system.up()
    tasks = [start(system, name="main", file=LOOP) for _ in range(6)]
    until(lambda: is_state(system, tasks[0], 2))
    assert system.stop() == 0
    db = sqlite3.connect(system.data_dir / "propeller.db")
    found = db.execute("SELECT state, losses, error, reason FROM runs ORDER BY seq").fetchall()
    db.close()
    assert [row[:3] for row in found] == [(1, 0, "")] * 6
    reason = json.loads(found[0][3])
    assert (reason["kind"], reason["how"]) == ("handed_back", "the proplet is stopping")
    system.up()
    again = until(lambda: is_state(system, tasks[0], 2))
    assert again["attempt"] >= 2
    for task in tasks:
        system.call("POST", f"{task}/stop")
    assert [system.call("GET", task)["state"] for task in tasks] == [6] * 6, "interrupted"


def test_killed_process_of_a_guest_loses_its_attempt_alone(system):
    system.up()
    nap = start(system, name="nap", inputs=[2000], file=SLEEP)
    until(lambda: is_state(system, nap, 2))
    doomed = start(system, name="main", file=LOOP)
    until(lambda: busy_runner(system)).kill()
    again = until(lambda: (found := is_state(system, doomed, 2)) and found.get("attempt") == 2 and found)
    assert "attempt 1 was lost" in again["reason"]
    system.call("POST", f"{doomed}/stop")
    assert until(lambda: is_state(system, nap, ENDED))["results"] == "7\n"
    after = start(system, name="main", inputs=[1, 2], file=ADDITION)
    assert until(lambda: is_state(system, after, ENDED))["results"] == "3\n"


def busy_runner(system):
    """Find the process that spends its time in a loop."""
    (proplet,) = system.proplet_processes()
    for child in proplet.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.ppid() != proplet.pid and child.cpu_times().user > 0.3:
                return child
    return None


def test_killed_proplet_among_two_gives_its_work_to_the_other(tmp_path):
    system = System(tmp_path / "data", "--proplets", "2", "--concurrency", "2")
    try:
        system.up()
        until(lambda: sum(p["alive"] for p in system.call("GET", "/proplets")["proplets"]) == 2)
        tasks = [start(system, name="nap", inputs=[500], file=SLEEP) for _ in range(8)]
        until(lambda: is_state(system, tasks[0], 2))
        system.proplet_processes()[0].kill()
        done = [until(lambda task=task: is_state(system, task, ENDED)) for task in tasks]
        assert {task["results"] for task in done} == {"7\n"}
        assert system.stop() == 0
    finally:
        system.clean_up()


def test_second_manager_on_the_same_data_is_refused(system):
    system.up()
    assert refused(system.data_dir) == f"in use by another manager (process {system.process.pid})"
    start(system, name="main", inputs=[1, 2], file=ADDITION)


def test_taken_port_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "Address already in use" in refused(tmp_path / "data", "--port", str(port))


def test_data_directory_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    assert "can't be used" in refused(tmp_path / "file")


def refused(data_dir, *flags):
    """Return the part of the message that says why, after checking that it is one and nothing runs."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "propeller",
            "up",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--data-dir",
            str(data_dir),
            *flags,
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, "one sentence, no traceback"
    message = done.stderr.strip()
    return message.split(" is ", 1)[1].split(";")[0] if "in use by" in message else message


def test_full_disk_ends_it_with_a_message_and_keeps_what_was_answered(system):
    system.up()
    kept = system.call("POST", "/tasks", {"name": "main", "inputs": [1, 2], "file": ADDITION})["id"]
    size = (system.data_dir / "propeller.db-wal").stat().st_size
    psutil.Process(system.process.pid).rlimit(psutil.RLIMIT_FSIZE, (size + 200_000, size + 200_000))
    answered = []
    for number in range(1000):
        answer = system.http.post(
            "/tasks", json={"name": "main", "metadata": {"pad": "x" * 10_000, "n": number}}
        )
        if answer.status_code != 201:
            assert answer.status_code == 503
            break
        answered.append(answer.json()["id"])
    assert system.reap() == 1
    assert "can't be read or written" in system.log.read_text()
    system.up()
    for task_id in [kept, *answered]:
        assert system.call("GET", f"/tasks/{task_id}")["state"] == 0
