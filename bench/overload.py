"""Ten times as many requests as can be carried out, and a thousand who follow the events, over HTTP.

The proplet of the manager answers at once without Wasm, so that the manager is what there is too little of.
"""

import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

import psutil

from bench.figures import Figure
from bench.http import Http
from bench.system import FILE, percentiles

_SECONDS_MAX = 60
_TIMES = 10
_ROUNDS = 3
#: Another client's address than that of those who press.
_OTHER = "127.0.0.2"
_PROBE_EVERY_S = 0.05
_MIB = 2**20


class InstantUp:
    """A manager as a program, whose proplet answers at once."""

    def __init__(self, directory: Path) -> None:
        command = [sys.executable, "-m", "bench.instant_manager", str(directory)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        found = re.search(r"http://([\d.]+):(\d+)", self.process.stdout.readline())
        assert found, "the manager did not start"
        self.address = (found[1], int(found[2]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=_SECONDS_MAX)

    def memory_mib(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / _MIB

    def press(self, connections: int, rate: float, seconds: float) -> dict[str, Any]:
        """Create and start tasks; a ``rate`` of 0 sends as fast as there are answers."""
        given = [*self.address, connections, rate, seconds]
        command = [sys.executable, "-m", "bench.pressing", *map(str, given)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        found["rate"] = (found["statuses"].get("201", 0) + found["started"]) / seconds
        return found


class Probes(threading.Thread):
    """Another client, with one request at a time: how long each kind takes, ms, and the manager's memory."""

    def __init__(self, up: InstantUp) -> None:
        super().__init__()
        self._up = up
        self._http = HTTPConnection(*up.address, timeout=_SECONDS_MAX, source_address=(_OTHER, 0))
        self._is_over = threading.Event()
        self.times: dict[str, list[float]] = {"GET /health": [], "a stop": [], "a task to its result": []}
        self.memory_mib = 0.0

    def run(self) -> None:
        while not self._is_over.wait(_PROBE_EVERY_S):
            self.look()

    def look(self) -> None:
        began = time.perf_counter()
        self._ask("GET", "/health")
        self._note("GET /health", began)
        began = time.perf_counter()
        self._ask("POST", "/tasks/none/stop")
        self._note("a stop", began)
        began = time.perf_counter()
        body = json.dumps({"name": "main", "inputs": [1, 2], "file": FILE})
        status, task = self._ask("POST", "/tasks?file=false", body)
        assert status == 201, task
        self._ask("POST", f"/tasks/{task['id']}/start")
        while self._ask("GET", f"/tasks/{task['id']}?file=false")[1]["state"] < 3:
            pass
        self._note("a task to its result", began)
        self.memory_mib = max(self.memory_mib, self._up.memory_mib())

    def end(self) -> None:
        """End it, whether it was started or only looked when it was told to."""
        self._is_over.set()
        if self.is_alive():
            self.join()
        self._http.close()

    def _note(self, kind: str, began: float) -> None:
        self.times[kind].append((time.perf_counter() - began) * 1e3)

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        self._http.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = self._http.getresponse()
        return answer.status, json.loads(answer.read())


def overload(directory: Path, scale: float) -> list[Figure]:
    """Offer ten times what can be done over 6,000 connections of one client; another client looks on."""
    seconds, connections = max(1.0, 15 * scale), max(200, int(6_000 * scale))
    with InstantUp(directory) as up:
        up.press(64, 0, seconds / 5)
        before = [up.press(64, 0, seconds / 3)["rate"]]
        idle = Probes(up)
        for _ in range(5):
            idle.look()
        usual_ms = statistics.median(idle.times["a task to its result"])
        idle.end()
        memory_mib = up.memory_mib()
        probes = Probes(up)
        probes.start()
        found = up.press(connections, _TIMES * before[0], seconds)
        ended = time.perf_counter()
        probes.end()
        recovery_s = _recovery(up, usual_ms, ended)
        before.append(up.press(64, 0, seconds / 3)["rate"])
    rate = statistics.mean(before)
    refused = sum(count for status, count in found["statuses"].items() if status in ("429", "503"))
    return [
        Figure(name="requests that can be done", value=before[0], unit="/s"),
        Figure(name="done at ten times that", value=found["rate"] / rate, unit="x", at_least=0.8),
        Figure(name="refused", value=refused / seconds, unit="/s"),
        *(
            Figure(name=f"{kind} of another client, p99", value=percentiles(times)["p99"], unit="ms")
            for kind, times in probes.times.items()
        ),
        Figure(name="memory before", value=memory_mib, unit="MiB"),
        Figure(name="memory at most", value=probes.memory_mib, unit="MiB"),
        Figure(name="as fast as before after", value=recovery_s, unit="s", at_most=5),
    ]


def _recovery(up: InstantUp, usual_ms: float, ended: float) -> float:
    """Give how long after the end a task takes no more than twice its usual time, s."""
    probes = Probes(up)
    while True:
        probes.look()
        passed_s = time.perf_counter() - ended
        if probes.times["a task to its result"][-1] <= 2 * usual_ms + 5 or passed_s > _SECONDS_MAX:
            probes.end()
            return passed_s


def followers(directory: Path, scale: float) -> list[Figure]:
    """The rate of a job beside 1,000 followers of its events, divided by its rate with none."""
    count, tasks = max(20, int(1_000 * scale)), max(200, int(10_000 * scale))
    kinds = {
        "nobody": "",
        "all events": "/events",
        "those of the job": "/events?job_id={job}",
        "those in brief": "/events?brief=true",
        "those of another job": "/events?job_id=none",
    }
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    costs: dict[str, list[float]] = {kind: [] for kind in kinds}
    late: list[float] = []
    with InstantUp(directory) as up:
        _rate_beside(up, tasks, 0, "")
        for _ in range(_ROUNDS if scale >= 1 else 1):
            for kind, path in kinds.items():
                rate, cost_s, late_s = _rate_beside(up, tasks, count if path else 0, path)
                rates[kind].append(rate)
                costs[kind].append(cost_s)
                if kind == "all events":
                    late.append(late_s)
    alone, cost_s = statistics.median(rates["nobody"]), statistics.median(costs["nobody"])
    return [
        Figure(name="nobody follows, tasks", value=alone, unit="/s"),
        *(
            Figure(
                name=f"beside {count:,} followers of {kind}",
                value=statistics.median(found) / alone,
                unit="x",
                at_least=0.9,
            )
            for kind, found in rates.items()
            if kind != "nobody"
        ),
        Figure(name="the manager's time for a task", value=cost_s * 1e6, unit="us"),
        *(
            Figure(
                name=f"the same beside {kind}", value=statistics.median(found) / cost_s, unit="x", at_most=1.1
            )
            for kind, found in costs.items()
            if kind != "nobody"
        ),
        Figure(name="the last of all events came after", value=statistics.median(late), unit="s"),
    ]


def _rate_beside(up: InstantUp, tasks: int, count: int, path: str) -> tuple[float, float, float]:
    """Run a job; give its tasks that ended in a second, the manager's time for each, how late events came."""
    manager = psutil.Process(up.process.pid)
    http = Http(*up.address)
    specs = [{"name": "main", "inputs": [number, 1], "file": FILE} for number in range(tasks)]
    job = {"name": "followed", "execution_mode": "parallel", "tasks": specs}
    job_id = http.post("/jobs?file=false", job)["job_id"]
    with _following(up, count, path.format(job=job_id)) as end:
        _until_quiet(manager)  # to let them begin is no part of the work
        looks = [(time.time(), sum(manager.cpu_times()[:2]))]
        http.post(f"/jobs/{job_id}/start")
        until = time.monotonic() + _SECONDS_MAX
        while (seen := http.get("/jobs?tasks=false&limit=1")["jobs"][0])["state"] < 3:
            assert time.monotonic() < until, "the job did not end"
            for _ in range(5):
                time.sleep(0.02)
                looks.append((time.time(), sum(manager.cpu_times()[:2])))
        looks.append((time.time(), sum(manager.cpu_times()[:2])))
        began, ended = (
            datetime.fromisoformat(seen[key]).timestamp() for key in ("start_time", "finish_time")
        )
        used_s = _used_at(ended, looks) - looks[0][1]
        last_at = end()
    http.delete(f"/jobs/{job_id}")
    http.close()
    return tasks / max(ended - began, 0.001), max(used_s, 0.001) / tasks, max(last_at - ended, 0.0)


def _used_at(moment: float, looks: list[tuple[float, float]]) -> float:
    """Give the processor time that was used up to a moment between two looks; what comes later is no work."""
    after = next(place for place, (at, _) in enumerate(looks) if at >= moment)
    (began, used), (ended, more) = looks[after - 1], looks[after]
    return used + (more - used) * (moment - began) / (ended - began)


def _until_quiet(process: psutil.Process) -> None:
    """Wait until a process has nothing to do."""
    used = -1.0
    while (now := sum(process.cpu_times()[:2])) > used + 0.02:
        used = now
        time.sleep(1)


@contextmanager
def _following(up: InstantUp, count: int, path: str) -> Iterator[Callable[[], float]]:
    """Follow in a process of its own; what is given waits until no more comes, and tells when that was."""
    if not count:
        yield lambda: 0.0
        return
    command = [sys.executable, "-m", "bench.following", *map(str, up.address), str(count), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        reading = psutil.Process(process.pid)

        def end() -> float:
            _until_quiet(reading)
            process.terminate()
            assert process.stdout is not None
            return float(json.loads(process.stdout.read())["last_at"])

        yield end
        process.kill()


MEASURES: dict[str, Callable[[Path, float], list[Figure]]] = {"overload": overload, "followers": followers}
