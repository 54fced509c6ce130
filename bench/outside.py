"""The measurements of `propeller up` as a process of its own, over HTTP."""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

import psutil

from bench.figures import Figure
from bench.http import Http, Stream
from bench.system import FILE, percentiles

_SECONDS_MAX = 30


class Up:
    """`propeller up`, from the start of its process to its end."""

    def __init__(
        self, directory: Path, *options: str, variables: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.began = time.perf_counter()
        command = [sys.executable, "-m", "propeller", "up", "--host", "127.0.0.1", "--port", "0", *options]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(directory)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        assert self.process.stdout is not None
        found = re.search(r"http://([\d.]+):(\d+)", self.process.stdout.readline())
        assert found, "propeller up did not start"
        self.http = Http(found[1], int(found[2]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.communicate(timeout=_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def create(self, inputs: list[int]) -> str:
        return self.http.post("/tasks?file=false", {"name": "main", "inputs": inputs, "file": FILE})["id"]

    def start(self, task_id: str) -> None:
        self.http.post(f"/tasks/{task_id}/start")

    def follow(self) -> Stream:
        return self.http.follow()


def start_up(directory: Path, scale: float) -> list[Figure]:
    """(f) From the start of the process to the first result, and what an idle system uses."""
    ready, first = [], []
    idle = {}
    for number in range(max(2, int(5 * scale))):
        with Up(directory / str(number)) as up:
            up.http.get("/health")
            ready.append(time.perf_counter() - up.began)
            stream = up.follow()
            task = up.create([1, 2])
            up.start(task)
            assert stream.result_of(task) == "3\n"
            first.append(time.perf_counter() - up.began)
            stream.close()
            if number == 0:
                idle = idle_percent(up.process.pid, seconds=max(1, 5 * scale))
    return [
        Figure(name="healthy, p50", value=statistics.median(ready), unit="s"),
        Figure(name="first result, p50", value=statistics.median(first), unit="s", at_most=1.5),
        Figure(name="first result, slowest", value=max(first), unit="s"),
        Figure(name="idle manager", value=idle["manager"], unit="% of a core", at_most=1, target="≤ 1 %"),
        Figure(name="idle, proplets too", value=idle["all"], unit="% of a core", at_most=1, target="≤ 1 %"),
    ]


def idle_percent(pid: int, seconds: float) -> dict[str, float]:
    """CPU time of a process, and of all that it started, while nobody asks for anything."""
    time.sleep(min(1, seconds))  # what the last request left behind is not idleness
    manager = psutil.Process(pid)
    family = [manager, *manager.children(recursive=True)]

    def used() -> list[float]:
        return [sum(process.cpu_times()[:2]) for process in family]

    before = used()
    time.sleep(seconds)
    shares = [(end - begin) / seconds * 100 for begin, end in zip(before, used(), strict=True)]
    return {"manager": shares[0], "all": sum(shares)}


def over_http(directory: Path, scale: float) -> list[Figure]:
    """(h) One task over HTTP: create with its module, start, result seen on the stream of events."""
    count = max(10, int(200 * scale))
    legs: dict[str, list[float]] = {"create": [], "start": [], "result after that": [], "whole": []}
    bare = []
    with Up(directory) as up:
        stream = up.follow()
        for number in range(count + 10):
            begin = time.perf_counter()
            task = up.create([number, 2])
            created = time.perf_counter()
            up.start(task)
            started = time.perf_counter()
            assert stream.result_of(task) == f"{number + 2}\n"
            end = time.perf_counter()
            up.http.get("/health")
            bare.append((time.perf_counter() - end) * 1e3)
            spans = (created - begin, started - created, end - started, end - begin)
            for times, span in zip(legs.values(), spans, strict=True):
                times.append(span * 1e3)
        stream.close()
    found = {name: percentiles(times[10:]) for name, times in legs.items()}  # the first ones warm up
    # Three commits lie on the way: created, started, ended.
    return [
        Figure(
            name="whole, p50", value=found["whole"]["p50"], unit="ms", floor="commit p50 ms", floor_count=3
        ),
        Figure(
            name="whole, p99", value=found["whole"]["p99"], unit="ms", floor="commit p99 ms", floor_count=3
        ),
        *(
            Figure(name=f"{name}, p50", value=found[name]["p50"], unit="ms", floor="commit p50 ms")
            for name in ("create", "start", "result after that")
        ),
        Figure(name="bare GET /health, p50", value=percentiles(bare[10:])["p50"], unit="ms"),
    ]


def invoke(directory: Path, scale: float) -> list[Figure]:
    """Deploy once, and invoke over HTTP many times."""
    with Up(directory) as up:
        task = up.http.post("/tasks?file=false", {"name": "main", "latent": True, "file": FILE})["id"]
        up.start(task)
        while not up.http.get(f"/tasks/{task}?file=false").get("up"):
            pass
        times = []
        for number in range(max(50, int(1000 * scale))):
            began = time.perf_counter()
            answer = up.http.post(f"/tasks/{task}/invoke", {"inputs": [number, 1]})
            times.append((time.perf_counter() - began) * 1e3)
            assert answer["results"] == f"{number + 1}\n"
    found = percentiles(times)
    return [
        Figure(name="warm invoke, p50", value=found["p50"], unit="ms", at_most=3),
        Figure(name="warm invoke, p99", value=found["p99"], unit="ms"),
    ]


MEASURES: dict[str, Callable[[Path, float], list[Figure]]] = {
    "start_up": start_up,
    "over_http": over_http,
    "invoke": invoke,
}
