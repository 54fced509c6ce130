"""What a storm asks for: workflows whose every result is known beforehand, and what came of them."""

import json
import random
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.storm.guest import ADD, complaint, marks

COMPLETED, FIRST_END = 3, 3
_AGAIN_S = 0.1
#: How many workflows of a client are under way at once: then all of them end soon after the storm does.
_LARGE_AT_ONCE, _SMALL_AT_ONCE = 2, 50
#: Longer than the clock may have been moved by when a manager starts again, which then knows no other.
LONG = "5000h"


@dataclass
class Verdict:
    """What came of a storm."""

    tasks: int = 0
    #: Accepted, and not there or not completed in the end.
    lost: list[str] = field(default_factory=list)
    #: With more than one end in the log of events.
    twice: list[str] = field(default_factory=list)
    #: With another result, or whose guests left marks that can't be.
    wrong: list[str] = field(default_factory=list)
    #: How many times guests were placed, all in all.
    attempts: int = 0

    @property
    def is_good(self) -> bool:
        return self.tasks > 0 and not (self.lost or self.twice or self.wrong)


class Expected(NamedTuple):
    """What is to come of a task."""

    result: str
    #: Of its marks.
    key: int
    #: The keys of those that it depends on.
    parents: tuple[int, ...]


class Load:
    """Some clients that create and start workflows until they are told to stop.

    They ask again where a crash ate the answer.
    """

    def __init__(self, seed: int, marks_in: Path, *, large: int) -> None:
        """Take the directory for the marks of guests, and the size of the workflows of the first client."""
        self._seed = seed
        self._marks_in = marks_in
        self._large = large
        self._is_over = threading.Event()
        #: What is to come of each workflow that was accepted, by task.
        self._expected: dict[str, dict[str, Expected]] = {}
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
        most = _LARGE_AT_ONCE if client == 0 else _SMALL_AT_ONCE
        under_way: deque[str] = deque()
        while not self._is_over.is_set():
            if len(under_way) >= most:
                if self.has_ended(under_way[0]):
                    under_way.popleft()
                else:
                    time.sleep(_AGAIN_S)
                continue
            size = self._large if client == 0 else chance.randint(2, 12)
            name = f"w{client}.{number}"
            self.workflow(name, (client * 1000 + number) << 12, size, chance)
            under_way.append(name)
            number += 1

    def workflow(self, name: str, first_key: int, size: int, chance: random.Random | None = None) -> None:
        """Create and start a workflow whose tasks have this key and those behind it.

        Each task adds to what one before it returned: chains and fans, some a few at a time only. That a task has a deadline, and would be tried again if it failed, must change nothing.
        """
        chance = chance or random.Random(self._seed)
        tasks: list[dict[str, Any]] = []
        totals: list[int] = []
        expected: dict[str, Expected] = {}
        for number in range(size):
            parent = chance.randrange(max(number - 3, 0), number) if number else None
            others = {chance.randrange(number)} if number and chance.random() < 0.2 else set()
            needed = sorted(others | ({parent} if parent is not None else set()))
            more = chance.randrange(1000)
            totals.append(more + (totals[parent] if parent is not None else 0))
            of_parent = {"from": f"{name}-{parent}"} if parent is not None else 0
            key = first_key + number
            pause_ms = chance.choice((0, 0, 5, 50, 700)) if size < 100 else chance.choice((0, 0, 0, 5))
            tasks.append(
                {
                    "id": f"{name}-{number}",
                    "name": "add",
                    "file": ADD,
                    "workflow_id": name,
                    "inputs": [of_parent, more, pause_ms, key],
                    "depends_on": [f"{name}-{one}" for one in needed],
                }
            )
            expected[f"{name}-{number}"] = Expected(
                f"{totals[-1]}\n", key, tuple(first_key + one for one in needed)
            )
        whole: dict[str, Any] = {"tasks": tasks, "max_parallel": chance.choice((None, None, 1, 3))}
        if chance.random() < 0.5:
            whole |= {"timeout": LONG, "defaults": {"retry": {}, "deadline": LONG, "queue_timeout": LONG}}
        self._ask("POST", "/workflows?file=false", whole)
        self._expected[name] = expected
        while not self._has_begun(name):
            self._try("POST", f"/workflows/{name}/start")

    def _has_begun(self, name: str) -> bool:
        counts = self._ask("GET", f"/workflows/{name}?tasks=false")["counts"]
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

    def has_ended(self, name: str) -> bool:
        """Say whether a workflow is known to have ended."""
        answer = self._try("GET", f"/workflows/{name}?tasks=false")
        return answer is not None and answer.is_success and answer.json()["state"] >= FIRST_END

    # -- what came of it -----------------------------------------------------------------------------------

    def wait_for_end(self, seconds: float) -> None:
        """Wait until all workflows have ended, or for so long."""
        deadline = time.monotonic() + seconds
        for name in self._expected:
            while time.monotonic() < deadline:
                if self._ask("GET", f"/workflows/{name}?tasks=false")["state"] >= FIRST_END:
                    break
                time.sleep(_AGAIN_S)

    def judge(self) -> Verdict:
        verdict, ends = Verdict(), self._ends()
        for name, expected in self._expected.items():
            found = {task["id"]: task for task in self._ask("GET", f"/workflows/{name}?file=false")["tasks"]}
            for task_id, wanted in expected.items():
                self._judge(task_id, wanted, found.get(task_id), verdict)
            verdict.tasks += len(expected)
            verdict.twice += [task_id for task_id in expected if ends[task_id] > 1]
        return verdict

    def _judge(self, task_id: str, expected: Expected, task: dict[str, Any] | None, verdict: Verdict) -> None:
        if task is None or task["state"] != COMPLETED:
            said = (
                "is gone"
                if task is None
                else f"is {task['state']}: {task.get('error') or task.get('reason')}"
            )
            verdict.lost.append(f"{task_id} {said}")
            return
        verdict.attempts += task.get("attempt", 1)
        if task["results"] != expected.result:
            verdict.wrong.append(f"{task_id} is {task['results']!r}, not {expected.result!r}")
        parents = [marks(self._marks_in, key) for key in expected.parents]
        if wrong := complaint(marks(self._marks_in, expected.key), parents, task.get("attempt", 1)):
            verdict.wrong.append(f"{task_id} {wrong}")

    def _ends(self) -> Counter[str]:
        """Count the ends of each task in the log of events, up to the end of a task that marks where it is."""
        marker = {"id": "marker", "name": "add", "file": ADD, "inputs": [1, 1, 0, -1]}
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
