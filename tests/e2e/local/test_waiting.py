"""What waits for a time goes on after the manager was killed, and is done once."""

import base64
import itertools

import pytest
import wasmtime

from tests.waiting import until

DIVISION = base64.b64encode(
    wasmtime.wat2wasm(
        '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s))'
    )
).decode()
ENDLESS = base64.b64encode(wasmtime.wat2wasm('(module (func (export "main") (loop br 0)))')).decode()


@pytest.fixture
def killed(system):
    """Give a function that kills the manager and starts it again on the same data."""
    system.up()

    def kill():
        system.kill()
        system.up()

    return kill


def ended(system, task_id):
    return until(lambda: (task := system.call("GET", f"/tasks/{task_id}"))["state"] >= 3 and task)


def test_a_retry_waits_on_and_no_attempt_is_lost_or_doubled(system, killed):
    retry = {"max_attempts": 3, "delay": "1500ms", "backoff": 1}
    new = {"id": "a", "name": "main", "inputs": [1, 0], "file": DIVISION, "retry": retry}
    system.call("POST", "/tasks", new)
    system.call("POST", "/tasks/a/start")
    for wanted in (1, 2):
        until(lambda: "retry_at" in system.call("GET", "/tasks/a"))
        killed()
        until(lambda wanted=wanted: system.call("GET", "/tasks/a").get("attempt", 1) > wanted)
    task = ended(system, "a")
    assert (task["state"], task["attempt"], task["error_kind"]) == (4, 3, "trap")
    attempts = system.call("GET", "/tasks/a/attempts")["attempts"]
    assert [(one["attempt"], one["state"]) for one in attempts] == [(1, 4), (2, 4), (3, 4)]
    assert all(one["finish_time"] <= two["start_time"] for one, two in itertools.pairwise(attempts))


def test_a_deadline_and_the_time_of_a_workflow_hold_through_a_kill(system, killed):
    endless = {"name": "main", "file": ENDLESS}
    system.call("POST", "/tasks", {"id": "d", **endless, "deadline": "2s"})
    tasks = [{"id": "w", **endless, "workflow_id": "g"}]
    system.call("POST", "/workflows", {"timeout": "2s", "tasks": tasks})
    system.call("POST", "/tasks/d/start")
    system.call("POST", "/workflows/g/start")
    until(lambda: system.call("GET", "/tasks/w")["state"] == 2)
    killed()
    for task_id in ("d", "w"):
        assert ended(system, task_id)["error_kind"] == "deadline"
