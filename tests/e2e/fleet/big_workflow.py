"""A workflow of several hundred tasks of which every result is known beforehand."""

import base64
import json
import random
from typing import Any

import wasmtime

from tests.e2e.fleet.harness import Fleet

COMPLETED, FAILED, SKIPPED = 3, 4, 5
#: ``main(a, b)`` adds after some 100 ms, or traps if b is 0.
WAT = """
(module (func (export "main") (param i32 i32) (result i32) (local $n i32)
  (drop (i32.div_s (local.get 0) (local.get 1)))
  (loop $again
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $n) (i32.const 250_000_000))))
  (i32.add (local.get 0) (local.get 1))))
"""
MODULE = base64.b64encode(bytes(wasmtime.wat2wasm(WAT))).decode()


class BigWorkflow:
    """Layers of tasks with random parents; some fail on purpose, and have a handler behind them."""

    def __init__(self, size: int = 300, seed: int = 3) -> None:
        chance = random.Random(seed)
        self.tasks: list[dict[str, Any]] = []
        self.expected: dict[str, tuple[int, str | None]] = {}
        self.parents: dict[str, list[str]] = {}
        #: What failed, or was skipped because something before it failed.
        self._after_failure: set[str] = set()
        for number in range(size):
            task_id = f"big-{number:03}"
            parents = chance.sample(list(self.expected)[-24:], k=min(number, chance.choice([0, 1, 1, 2, 3])))
            fails = chance.random() < 0.05
            run_if = "failure" if parents and chance.random() < 0.1 else ""
            self.parents[task_id] = parents
            self.tasks.append(
                {
                    "id": task_id,
                    "name": "main",
                    "file": MODULE,
                    "inputs": [number, 0 if fails else 1],
                    "depends_on": parents,
                    **({"run_if": run_if} if run_if else {}),
                }
            )
            outcome = self.expected[task_id] = self._outcome(number, parents, run_if, fails=fails)
            is_behind_one = not run_if and not self._after_failure.isdisjoint(parents)
            if outcome[0] == FAILED or (outcome[0] == SKIPPED and is_behind_one):
                self._after_failure.add(task_id)

    def _outcome(
        self, number: int, parents: list[str], run_if: str, *, fails: bool
    ) -> tuple[int, str | None]:
        states = [self.expected[parent][0] for parent in parents]
        hears_of_one = not self._after_failure.isdisjoint(parents)
        runs = hears_of_one if run_if else all(state == COMPLETED for state in states)
        if not runs:
            return SKIPPED, None
        return (FAILED, None) if fails else (COMPLETED, f"{number + 1}\n")

    def start(self, fleet: Fleet) -> str:
        workflow_id = str(fleet.post("/workflows", {"tasks": self.tasks})["tasks"][0]["workflow_id"])
        fleet.post(f"/workflows/{workflow_id}/start")
        return workflow_id

    def check(self, fleet: Fleet, workflow_id: str) -> None:
        """See that every task ended once, in order, as it should have."""
        found = {task["id"]: task for task in fleet.get(f"/workflows/{workflow_id}")["tasks"]}
        outcomes = {task_id: (task["state"], task.get("results")) for task_id, task in found.items()}
        assert outcomes == self.expected
        for task_id, parents in self.parents.items():
            if found[task_id]["state"] == SKIPPED:
                continue
            for parent in parents:
                if found[parent]["state"] != SKIPPED:
                    assert as_key(found[parent]["finish_time"]) <= as_key(found[task_id]["start_time"]), (
                        f"{task_id} began before {parent} ended"
                    )
        ends: dict[str, int] = {}
        for event in events(fleet):
            if event["state"] >= COMPLETED and event["task_id"] in self.expected:
                ends[event["task_id"]] = ends.get(event["task_id"], 0) + 1
        assert ends == dict.fromkeys(self.expected, 1), "each ends once"


def as_key(time: str) -> str:
    """Make a time comparable as text: trailing zeros of the nanoseconds are left out on the wire."""
    whole, _, rest = time.removesuffix("Z").partition(".")
    return f"{whole}.{rest:<09}"


def events(fleet: Fleet) -> list[dict[str, Any]]:
    """Read the whole story so far: up to the end of a task that is run to mark it."""
    marker = fleet.task()
    fleet.post(f"/tasks/{marker}/start")
    found = []
    with fleet.http.stream("GET", "/events?after=0") as answer:
        for line in answer.iter_lines():
            if line.startswith("data:"):
                event = json.loads(line[5:])
                if event["task_id"] == marker and event["state"] == COMPLETED:
                    return found
                found.append(event)
    raise AssertionError("the stream ended")
