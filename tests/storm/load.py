"""What a storm asks for: small workflows whose every result is known beforehand, and what came of them."""

import base64
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import wasmtime

COMPLETED, FIRST_END = 3, 3
#: ``add(a, b, ms)`` sleeps for so many milliseconds, and adds.
ADD = base64.b64encode(
    wasmtime.wat2wasm(
        """(module
          (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "add") (param $a i32) (param $b i32) (param $ms i64) (result i32)
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.mul (local.get $ms) (i64.const 1000000)))
            (if (i64.ne (local.get $ms) (i64.const 0))
              (then (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))
            (i32.add (local.get $a) (local.get $b))))"""
    )
).decode()
_AGAIN_S = 0.1


@dataclass
class Verdict:
    """What came of a storm."""

    tasks: int = 0
    #: Accepted, and not there or not completed in the end.
    lost: list[str] = field(default_factory=list)
    #: With more than one end in the log of events.
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    #: How many times guests were placed, all in all.
    attempts: int = 0

    @property
    def is_good(self) -> bool:
        return self.tasks > 0 and not (self.lost or self.twice or self.wrong)


class Load:
    """Some clients that create and start workflows until they are told to stop.

    They ask again where a crash ate the answer.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._is_over = threading.Event()
        #: The result of each task that was accepted.
        self._expected: dict[str, str] = {}
        self._accepted: list[str] = []
        #: Where the manager is now; set whenever one was started.
        self.url = ""

    def run(self, clients: int) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._ask_on, args=(n,), daemon=True) for n in range(clients)]
        for thread in threads:
            thread.start()
        return threads

    def stop(self) -> None:
        self._is_over.set()

    def _ask_on(self, client: int) -> None:
        chance, number = random.Random(self._seed * 1000 + client), 0
        while not self._is_over.is_set():
            self._workflow(f"w{client}.{number}", chance)
            number += 1

    def _workflow(self, name: str, chance: random.Random) -> None:
        """Let each task add to what one before it returned: chains and fans, some a few at a time only.

        That a task has a deadline, and would be tried again if it failed, must change nothing.
        """
        size = chance.randint(2, 12)
        tasks: list[dict[str, Any]] = []
        totals: list[int] = []
        for number in range(size):
            parent = chance.randrange(max(number - 3, 0), number) if number else None
            more = chance.randrange(1000)
            totals.append(more + (totals[parent] if parent is not None else 0))
            of_parent = {"from": f"{name}-{parent}"} if parent is not None else 0
            tasks.append(
                {
                    "id": f"{name}-{number}",
                    "name": "add",
                    "file": ADD,
                    "workflow_id": name,
                    "inputs": [of_parent, more, chance.choice((0, 0, 5, 50, 700))],
                    "depends_on": [f"{name}-{parent}"] if parent is not None else [],
                }
            )
        whole: dict[str, Any] = {"tasks": tasks, "max_parallel": chance.choice((None, None, 1, 3))}
        if chance.random() < 0.5:
            whole |= {"timeout": "1h", "defaults": {"retry": {}, "deadline": "1h", "queue_timeout": "1h"}}
        self._ask("POST", "/workflows?file=false", whole)
        self._expected |= {f"{name}-{number}": f"{total}\n" for number, total in enumerate(totals)}
        self._accepted.append(name)
        while not self._has_begun(name):
            self._try("POST", f"/workflows/{name}/start")

    def _has_begun(self, name: str) -> bool:
        counts = self._ask("GET", f"/workflows/{name}?file=false")["counts"]
        return bool(counts["pending"] < sum(counts.values()))

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask until there is an answer; that it exists already means that an earlier try was heard."""
        while True:
            answer = self._try(method, path, body)
            if answer is not None and (answer.is_success or answer.status_code == httpx.codes.CONFLICT):
                return answer.json()
            assert answer is None or answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR, answer.text
            time.sleep(_AGAIN_S)

    def _try(self, method: str, path: str, body: Any = None) -> httpx.Response | None:
        try:
            return httpx.request(method, self.url + path, json=body, timeout=30, trust_env=False)
        except httpx.TransportError:
            return None

    # -- what came of it -----------------------------------------------------------------------------------

    def wait_for_end(self, seconds: float) -> None:
        """Wait until all workflows have ended, or for so long."""
        deadline = time.monotonic() + seconds
        for name in self._accepted:
            while time.monotonic() < deadline:
                if self._ask("GET", f"/workflows/{name}?file=false")["state"] >= FIRST_END:
                    break
                time.sleep(_AGAIN_S)

    def judge(self) -> Verdict:
        verdict = Verdict(tasks=len(self._expected))
        for name in self._accepted:
            found = {task["id"]: task for task in self._ask("GET", f"/workflows/{name}?file=false")["tasks"]}
            for task_id in [one for one in self._expected if one.startswith(f"{name}-")]:
                self._judge(task_id, found.get(task_id), verdict)
        ends = self._ends()
        verdict.twice = [task_id for task_id in self._expected if ends[task_id] > 1]
        return verdict

    def _judge(self, task_id: str, task: dict[str, Any] | None, verdict: Verdict) -> None:
        if task is None or task["state"] != COMPLETED:
            said = (
                "is gone"
                if task is None
                else f"is {task['state']}: {task.get('error') or task.get('reason')}"
            )
            verdict.lost.append(f"{task_id} {said}")
            return
        verdict.attempts += task.get("attempt", 1)
        if task["results"] != self._expected[task_id]:
            verdict.wrong.append(f"{task_id} is {task['results']!r}, not {self._expected[task_id]!r}")

    def _ends(self) -> Counter[str]:
        """Count the ends of each task in the log of events, up to the end of a task that marks where it is."""
        marker = {"id": "marker", "name": "add", "file": ADD, "inputs": [1, 1, 0]}
        self._ask("POST", "/tasks", marker)
        self._ask("POST", "/tasks/marker/start")
        ends: Counter[str] = Counter()
        with httpx.stream("GET", f"{self.url}/events?after=0", timeout=60, trust_env=False) as answer:
            for line in answer.iter_lines():
                event = json.loads(line[5:]) if line.startswith("data:") else {"state": 0}
                if event["state"] >= FIRST_END:
                    ends[event["task_id"]] += 1
                    if event["task_id"] == "marker":
                        return ends
        raise AssertionError("the stream of events ended")
