"""The measurements; each is a function from a fresh directory and a scale (1.0 is full size) to figures."""

import json
import statistics
import time
from itertools import pairwise
from pathlib import Path

import httpx
import psutil

from bench.system import (
    FILE,
    Up,
    job_task,
    manager,
    measured,
    percentiles,
    run_group,
    tasks_of,
    workflow_task,
)
from propeller.core.events import CreateTasks, NewGroup
from propeller.core.model import GroupKind

Figures = dict[str, float]


def chain(directory: Path, scale: float) -> Figures:
    """(a) Tasks one after the other: from a parent's end to its child's start, and from start to end."""
    count = max(10, int(200 * scale))

    async def work():
        async with manager(directory) as running:
            specs = [workflow_task("chain", n, [n - 1] if n else []) for n in range(count)]
            await run_group(running, GroupKind.WORKFLOW, specs, "chain")
            return await tasks_of(running, GroupKind.WORKFLOW, "chain")

    tasks = measured(work())
    steps = percentiles([(b.started_at - a.finished_at) / 1e6 for a, b in pairwise(tasks)])
    runs = percentiles([(task.finished_at - task.started_at) / 1e6 for task in tasks])
    return {
        "step_p50_ms": steps["p50"],
        "step_p99_ms": steps["p99"],
        "run_p50_ms": runs["p50"],
        "run_p99_ms": runs["p99"],
    }


def fan(directory: Path, scale: float) -> Figures:
    """(b) One task, then many side by side, then one."""
    width = max(20, int(5_000 * scale))

    async def work():
        async with manager(directory) as running:
            middle = [workflow_task("fan", n, [0]) for n in range(1, width + 1)]
            last = workflow_task("fan", width + 1, range(1, width + 1))
            specs = [workflow_task("fan", 0, []), *middle, last]
            return await run_group(running, GroupKind.WORKFLOW, specs, "fan")

    took = measured(work())
    return {**took, "tasks_per_s": (width + 2) / took["run_s"]}


def independent(directory: Path, scale: float, *, is_instant: bool = False) -> Figures:
    """(c) Tasks that do not depend on each other; the median of three rounds."""
    count = max(100, int(10_000 * scale))

    async def work():
        async with manager(directory, is_instant=is_instant) as running:
            return [
                await run_group(running, GroupKind.JOB, [job_task(f"r{n}", i) for i in range(count)], f"r{n}")
                for n in range(3)
            ]

    rounds = measured(work())
    run_s = statistics.median(took["run_s"] for took in rounds)
    whole_s = statistics.median(took["run_s"] + took["create_s"] for took in rounds)
    return {"tasks_per_s": count / run_s, "with_create_per_s": count / whole_s}


def instant(directory: Path, scale: float) -> Figures:
    """(d) The same with a proplet that answers at once: the manager alone."""
    return independent(directory, scale, is_instant=True)


def growth(directory: Path, scale: float) -> Figures:
    """(e) Cost per task as one workflow grows: layers of 100 tasks, each with two parents."""
    sizes = [max(200, int(size * scale)) for size in (1_000, 10_000, 50_000)]

    def parents(number: int) -> list[int]:
        above = number - number % 100 - 100
        return [] if above < 0 else sorted({above + number % 100, above + (number * 7 + 1) % 100})

    async def work():
        async with manager(directory) as running:
            rounds = []
            for size in [sizes[0], *sizes]:  # the first one warms up
                name = f"g{len(rounds)}"
                specs = [workflow_task(name, n, parents(n)) for n in range(size)]
                rounds.append(await run_group(running, GroupKind.WORKFLOW, specs, name))
            return rounds[1:]

    rounds = measured(work())
    costs = [took["run_s"] / size * 1e6 for took, size in zip(rounds, sizes, strict=True)]
    names = ("small_us", "medium_us", "large_us")
    return {**dict(zip(names, costs, strict=True)), "large_to_small": costs[-1] / costs[0]}


def start_up(directory: Path, scale: float) -> Figures:
    """(f) From `propeller up` to the first result, and what an idle system uses."""
    times = []
    idle = 0.0
    for number in range(max(2, int(5 * scale))):
        with Up(directory / str(number)) as up, httpx.Client(base_url=up.base, trust_env=False) as http:
            task = http.post("/tasks", json={"name": "main", "inputs": [1, 2], "file": FILE}).json()["id"]
            http.post(f"/tasks/{task}/start")
            while http.get(f"/tasks/{task}?file=false").json()["state"] < 3:
                time.sleep(0.002)
            times.append(time.perf_counter() - up.began)
            if number == 0:
                idle = idle_percent(up.process.pid, seconds=max(1, 5 * scale))
    return {"first_result_s": statistics.median(times), "idle_cpu_percent": idle}


def idle_percent(pid: int, seconds: float) -> float:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]

    def used() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in family)

    before = used()
    time.sleep(seconds)
    return (used() - before) / seconds * 100


def memory(directory: Path, scale: float) -> Figures:
    """(g) What a pending task takes in the manager's memory."""
    count = max(1_000, int(50_000 * scale))

    async def work():
        async with manager(directory) as running:
            before = psutil.Process().memory_info().rss
            specs = tuple(job_task("pending", n) for n in range(count))
            await running.ask(CreateTasks(specs=specs, group=NewGroup(id="pending", kind=GroupKind.JOB)))
            return (psutil.Process().memory_info().rss - before) / count

    return {"bytes_per_task": measured(work())}


def over_http(directory: Path, scale: float) -> Figures:
    """(h) One task over HTTP: create with its module, start, result seen on the stream of events."""
    times = []
    with (
        Up(directory) as up,
        httpx.Client(base_url=up.base, trust_env=False, timeout=30) as http,
        http.stream("GET", "/events") as stream,
    ):
        lines = stream.iter_lines()
        next(lines)
        for number in range(max(10, int(200 * scale)) + 5):
            began = time.perf_counter()
            body = {"name": "main", "inputs": [number, 2], "file": FILE}
            task = http.post("/tasks?file=false", json=body).json()["id"]
            http.post(f"/tasks/{task}/start")
            for line in lines:
                if line.startswith("data:") and (event := json.loads(line[5:]))["state"] >= 3:
                    assert (event["task_id"], event["results"]) == (task, f"{number + 2}\n")
                    break
            times.append((time.perf_counter() - began) * 1e3)
    found = percentiles(times[5:])  # the first ones warm up
    return {"p50_ms": found["p50"], "p99_ms": found["p99"]}


ALL = {
    "chain": chain,
    "fan": fan,
    "independent": independent,
    "instant": instant,
    "growth": growth,
    "start_up": start_up,
    "memory": memory,
    "over_http": over_http,
}
