"""The lead changes hands again and again while work goes on; at the end nothing is lost, doubled or out of order."""

import contextlib
import json
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.e2e.fleet.harness import print_logs
from tests.e2e.managers.harness import LOGGING, MS_NS, One, Several, a_server
from tests.waiting import until

COMPLETED, FIRST_END = 3, 3
SCHEDULE = "each-minute"
_CLIENTS = 2
_AGAIN_S = 0.05


class Found(NamedTuple):
    """What came of it."""

    take_overs: int
    tasks: int
    times: int
    events: int
    #: From the signal to the next lead by the database, s, by what was done.
    waits: dict[str, list[float]]

    def __str__(self) -> str:
        waits = ", ".join(
            f"after {how} {sorted(took)[len(took) // 2]:.2f} s (at most {max(took):.2f} s)"
            for how, took in sorted(self.waits.items())
        )
        return (
            f"{self.take_overs} take-overs: another leads {waits}; {self.tasks} tasks, {self.times} times of a "
            f"schedule, {self.events} events: none lost, none doubled"
        )


class Work:
    """Clients that create and start workflows and jobs at any of the managers, and one that follows events."""

    def __init__(self, several: Several, seed: int) -> None:
        self._several = several
        self._seed = seed
        self._is_over = threading.Event()
        self._numbers = iter(range(1, 2**31))
        self._lock = threading.Lock()
        #: The number that each task writes, by its id.
        self.tasks: dict[str, int] = {}
        self.groups: list[tuple[str, str]] = []
        self.events: list[tuple[int, str, int]] = []
        self.failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._kept, args=(self._follow, 0), daemon=True)]
        self._threads += [
            threading.Thread(target=self._kept, args=(self._ask_on, n), daemon=True) for n in range(_CLIENTS)
        ]

    def start(self) -> None:
        self.began = datetime.now(UTC)
        task = {"id": f"{SCHEDULE}-task", "name": "log", "file": LOGGING, "inputs": [0, 0]}
        task["workflow_id"] = SCHEDULE
        schedule = {"schedule": "* * * * *", "is_recurring": True, "schedule_options": {"overlap": "allow"}}
        self.ask("POST", "/workflows", {"tasks": [task], **schedule}, key="schedule")
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._is_over.set()

    def _kept(self, work: Any, number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            self.failures.append(error)

    def _ask_on(self, client: int) -> None:
        chance, number = random.Random(self._seed * 1000 + client), 0
        while not self._is_over.is_set():
            self._group(f"g{client}-{number}", chance)
            number += 1
            time.sleep(chance.uniform(0, 0.2))

    def _group(self, name: str, chance: random.Random) -> None:
        kind = chance.choice(("workflows", "jobs"))
        size = chance.randint(1, 8)
        tasks: list[dict[str, Any]] = []
        with self._lock:
            numbers = [next(self._numbers) for _ in range(size)]
        for place, number in enumerate(numbers):
            parents = [f"{name}-{chance.randrange(place)}"] if kind == "workflows" and place else []
            sleep_ns = chance.choice((0, 0, 20, 300)) * MS_NS
            task = {"id": f"{name}-{place}", "name": "log", "file": LOGGING, "inputs": [number, sleep_ns]}
            task[f"{kind[:-1]}_id"] = name
            tasks.append({**task, **({"depends_on": parents} if parents else {})})
        body: dict[str, Any] = {"name": name, "tasks": tasks}
        if kind == "jobs":
            body["execution_mode"] = chance.choice(("parallel", "sequential"))
        self.ask("POST", f"/{kind}", body, key=f"{name}-made")
        with self._lock:
            self.tasks |= {f"{name}-{place}": number for place, number in enumerate(numbers)}
            self.groups.append((kind, name))
        self.ask("POST", f"/{kind}/{name}/start", key=f"{name}-started")

    def ask(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """Ask one of the managers after another until there is an answer."""
        headers = {"Idempotency-Key": key} if key else {}
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                one = random.choice(self._up())
                answer = httpx.request(
                    method, one.url + path, json=body, headers=headers, timeout=20, trust_env=False
                )
                if answer.status_code not in (502, 503, 504):
                    assert answer.is_success, answer.text
                    return answer.json() if answer.content else None
            time.sleep(_AGAIN_S)
        raise AssertionError(f"{method} {path} has no answer")

    def _up(self) -> list[One]:
        return [one for one in list(self._several.managers.values()) if one.program.process is not None]

    def _follow(self, _: int) -> None:
        """Follow the events at the first manager, and from the last one on when that was started anew."""
        while not self._is_over.is_set():
            one = next(iter(self._several.managers.values()))
            with contextlib.suppress(httpx.TransportError):
                self._read(one, self.events[-1][0] if self.events else 0)
            time.sleep(_AGAIN_S)

    def _read(self, one: One, after: int, last: int = 0) -> None:
        """Read until the stream ends, the work is over, or up to ``last``."""
        with httpx.stream("GET", f"{one.url}/events?after={after}", timeout=5, trust_env=False) as answer:
            number = 0
            for line in answer.iter_lines():
                if line.startswith("id:"):
                    number = int(line[3:])
                elif line.startswith("data:") and number:
                    event = json.loads(line[5:])
                    self.events.append((number, event["task_id"], event["state"]))
                    number = 0
                if self.events and self._is_over.is_set() and self.events[-1][0] >= last:
                    return

    # -- what came of it -----------------------------------------------------------------------------------

    def check(self) -> tuple[int, int]:
        """Hold all that was asked for to what became of it; give how many times and events there were."""
        for thread in self._threads:
            thread.join(120)
        for kind, name in self.groups:
            until(lambda kind=kind, name=name: self._has_ended(kind, name), seconds=120)
        times = self._check_times()
        until(self._is_followed, seconds=60)
        assert not self.failures, self.failures
        written = Counter(self._several.logged())
        assert written.pop(0, 0) == times, "a time of the schedule has run twice, or not at all"
        missing = [task for task, number in self.tasks.items() if written[number] != 1]
        assert not missing, f"these have not run once: {[(one, written[self.tasks[one]]) for one in missing]}"
        assert len(written) == len(self.tasks)
        ids = [number for number, _, _ in self.events]
        assert ids == list(range(1, len(ids) + 1)), "the stream of events has a gap, or a double"
        ends = Counter(task for _, task, state in self.events if state >= FIRST_END)
        doubled = [task for task in self.tasks if ends[task] != 1]
        assert not doubled, f"these have not ended once: {doubled}"
        return times, len(ids)

    def _is_followed(self) -> bool:
        """Read the rest of the events."""
        last = int(self._several.server.sql("SELECT max(last_id) FROM events", self._several.database))
        if not self.events or self.events[-1][0] < last:
            with contextlib.suppress(httpx.TransportError):
                self._read(self._up()[0], self.events[-1][0] if self.events else 0, last)
        return bool(self.events) and self.events[-1][0] >= last

    def _has_ended(self, kind: str, name: str) -> bool:
        tasks = self.ask("GET", f"/{kind}/{name}?file=false")["tasks"]
        failed = [task for task in tasks if task["state"] > COMPLETED]
        assert not failed, failed
        return all(task["state"] == COMPLETED for task in tasks)

    def _check_times(self) -> int:
        """See that each whole minute since the schedule was made has one run, that has ended."""
        made = datetime.fromisoformat(self.ask("GET", f"/workflows/{SCHEDULE}")["created_at"][:19] + "+00:00")
        until(lambda: 3 < datetime.now(UTC).second < 57)
        now = datetime.now(UTC)
        expected = set()
        at = made.replace(second=0, microsecond=0) + timedelta(minutes=1)
        while at < now:
            expected.add(f"{SCHEDULE}-{at:%Y%m%dT%H%M%SZ}")
            at += timedelta(minutes=1)
        runs = self.ask("GET", f"/workflows?limit=1000&id_prefix={SCHEDULE}-")["workflows"]
        assert {run["workflow_id"] for run in runs} == expected
        for name in expected:
            until(lambda name=name: self._has_ended("workflows", name))
        return len(expected)


def take_over(several: Several, how: str) -> float:
    """End the lead of whoever has it, or let it stand still; give how long nobody else led, s."""
    leader = several.leader()
    until(leader.is_answered)
    token = several.token()
    began = time.monotonic()
    if how == "kill -9":
        leader.program.kill()
    elif how == "a stop":
        leader.send(signal.SIGTERM)
    else:
        leader.send(signal.SIGSTOP)
    until(lambda: several.token() > token or _is_too_late(began, how))
    took_s = time.monotonic() - began
    if how == "standing still":
        leader.send(signal.SIGCONT)
    elif how == "a stop":
        assert leader.program.process is not None
        assert leader.program.process.wait(30) == 0
        leader.program.process = None
    return took_s


def _is_too_late(began: float, how: str) -> bool:
    assert time.monotonic() - began < 30, f"nobody leads half a minute after {how}"
    return False


def play_alone(take_overs: int, seed: int) -> Found:
    """Start three managers and what they need, and play; what they said is printed if something is wrong."""
    with tempfile.TemporaryDirectory() as directory, a_server() as server, contextlib.ExitStack() as end:
        several = Several(Path(directory), server, proplets=2)
        end.callback(several.end)
        try:
            several.begin("a", "b", "c")
            return play(several, take_overs, seed)
        except BaseException:
            print_logs(several.directory)
            raise


def play(several: Several, take_overs: int, seed: int = 1) -> Found:
    """Let the lead change hands so often while work goes on, for a minute at least, and check all of it."""
    chance = random.Random(seed)
    work = Work(several, seed)
    work.start()
    first = several.token()
    waits: dict[str, list[float]] = {}
    minute = datetime.now(UTC).minute
    while several.token() - first < take_overs or datetime.now(UTC).minute == minute:
        how = chance.choice(("kill -9", "a stop", "standing still"))
        waits.setdefault(how, []).append(take_over(several, how))
        for one in several.managers.values():
            if one.program.process is None:
                several.begin_again(one)
        # One may still be starting: others are there meanwhile.
        until(lambda: sum(one.is_answered() for one in several.managers.values()) >= 2)
        assert not work.failures, work.failures
    work.stop()
    times, events = work.check()
    return Found(several.token() - first, len(work.tasks), times, events, waits)
