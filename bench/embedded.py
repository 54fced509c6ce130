"""The measurements with the manager in this process, which leave HTTP out.

Each is a function from a fresh directory and a scale (1.0 is full size) to figures.
"""

import gc
import statistics
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import psutil

from bench.figures import Figure
from bench.system import (
    Took,
    create_group,
    job_task,
    manager,
    percentiles,
    run_group,
    run_loop,
    tasks_of,
    workflow_task,
)
from propeller.core.model import GroupKind, Spec, Task

Measure = Callable[[Path, float], list[Figure]]
#: Whoever measures once measures the weather.
_ROUNDS = "abc"


def chain(directory: Path, scale: float) -> list[Figure]:
    """(a) Tasks one after the other: from a parent's end to its child's start, and from start to end."""
    count = max(10, int(200 * scale))

    async def work() -> list[list[Task]]:
        async with manager(directory) as running:
            for name in _ROUNDS:
                specs = [workflow_task(name, n, [n - 1] if n else []) for n in range(count)]
                await run_group(running, name, specs)
            return [await tasks_of(running, GroupKind.WORKFLOW, name) for name in _ROUNDS]

    chains = run_loop(work())
    steps = percentiles(
        [
            (child.started_at - parent.finished_at) / 1e6
            for tasks in chains
            for parent, child in pairwise(tasks)
        ]
    )
    runs = percentiles([(task.finished_at - task.started_at) / 1e6 for tasks in chains for task in tasks])
    return [
        Figure(
            name="end to start, p50", value=steps["p50"], unit="ms", floor="append p50 ms", at_most_floors=6
        ),
        Figure(
            name="end to start, p99",
            value=steps["p99"],
            unit="ms",
            floor="append p99 ms",
            at_most=5 * steps["p50"],
            target="≤ 5 x p50",
        ),
        Figure(name="start to end, p50", value=runs["p50"], unit="ms", floor="call ms"),
        Figure(name="start to end, p99", value=runs["p99"], unit="ms", floor="call ms"),
    ]


def fan(directory: Path, scale: float) -> list[Figure]:
    """(b) One task, then many side by side, then one."""
    width = max(20, int(5_000 * scale))

    def specs(name: str) -> list[Spec]:
        middle = [workflow_task(name, n, [0]) for n in range(1, width + 1)]
        return [workflow_task(name, 0, []), *middle, workflow_task(name, width + 1, range(1, width + 1))]

    async def work() -> list[Took]:
        async with manager(directory) as running:
            return [await run_group(running, name, specs(name)) for name in _ROUNDS]

    rounds = run_loop(work())
    run_s = statistics.median(took.run_s for took in rounds)
    return [
        Figure(name="create", value=statistics.median(took.create_s for took in rounds), unit="s"),
        Figure(name="run", value=run_s, unit="s"),
        Figure(name="run, tasks", value=(width + 2) / run_s, unit="/s", floor="calls/s"),
    ]


def independent(directory: Path, scale: float, *, is_instant: bool, at_least: float) -> list[Figure]:
    """(c) and (d) Tasks that do not depend on each other, in one parallel job."""
    count = max(100, int(10_000 * scale))

    async def work() -> list[Took]:
        async with manager(directory, is_instant=is_instant) as running:
            return [
                await run_group(running, name, [job_task(name, n) for n in range(count)]) for name in _ROUNDS
            ]

    rounds = run_loop(work())
    rates = {
        "create": [count / took.create_s for took in rounds],
        "run": [count / took.run_s for took in rounds],
        "create and run": [count / (took.create_s + took.run_s) for took in rounds],
    }
    create, run, whole = (
        Figure(
            name=f"{name}, tasks",
            value=statistics.median(found),
            unit="/s",
            floor="" if name == "create" else "calls/s",
            at_least=at_least if name == "create and run" else None,
        )
        for name, found in rates.items()
    )
    slowest = Figure(name="slowest round, tasks", value=min(rates["create and run"]), unit="/s")
    return [create, run, whole, slowest]


def growth(directory: Path, scale: float, *, is_instant: bool) -> list[Figure]:
    """(e) Cost per task as one workflow grows: layers of 100 tasks, each with two parents.

    The sizes take turns, so that a slow moment and the growing store weigh on all of them.
    """
    sizes = [max(100, int(size * scale)) for size in (1_000, 10_000, 50_000)]

    def parents(number: int) -> list[int]:
        above = number - number % 100 - 100
        return [] if above < 0 else sorted({above + number % 100, above + (number * 7 + 1) % 100})

    async def work() -> dict[int, list[Took]]:
        rounds: dict[int, list[Took]] = {size: [] for size in sizes}
        async with manager(directory, is_instant=is_instant) as running:
            for turn in _ROUNDS:
                for index, size in enumerate([sizes[0], sizes[0], *sizes]):
                    name = f"{turn}-{index}"
                    specs = [workflow_task(name, n, parents(n)) for n in range(size)]
                    rounds[size].append(await run_group(running, name, specs))
        return rounds

    rounds = run_loop(work())
    run = {size: statistics.median(took.run_s for took in rounds[size]) / size * 1e3 for size in sizes}
    create = {size: statistics.median(took.create_s for took in rounds[size]) / size * 1e3 for size in sizes}
    ends = f"{sizes[-1]:,} : {sizes[0]:,}"
    floor = "" if is_instant else "call ms"
    return [
        *(Figure(name=f"run, a task of {size:,}", value=run[size], unit="ms", floor=floor) for size in sizes),
        Figure(name=f"run, {ends}", value=run[sizes[-1]] / run[sizes[0]], unit="x", at_most=1.3),
        *(Figure(name=f"create, a task of {size:,}", value=create[size], unit="ms") for size in sizes),
        Figure(name=f"create, {ends}", value=create[sizes[-1]] / create[sizes[0]], unit="x"),
    ]


def memory(directory: Path, scale: float) -> list[Figure]:
    """(g) What a pending task takes in the manager's memory."""
    count = max(1_000, int(50_000 * scale))

    async def work() -> list[int]:
        async with manager(directory) as running:
            sizes = [_resident()]
            for name in ("first", "second"):
                await create_group(running, name, [job_task(name, n) for n in range(count)])
                sizes.append(_resident())
            return sizes

    before, half, full = run_loop(work())
    return [
        Figure(name=f"a pending task of {count:,}", value=(half - before) / count, unit="B"),
        # The store's page cache is full by then.
        Figure(name=f"a pending task of {count:,} more", value=(full - half) / count, unit="B"),
    ]


def _resident() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


MEASURES: dict[str, Measure] = {
    "chain": chain,
    "fan": fan,
    "independent": partial(independent, is_instant=False, at_least=4_000),
    "instant": partial(independent, is_instant=True, at_least=8_000),
    "growth": partial(growth, is_instant=False),
    "growth_instant": partial(growth, is_instant=True),
    "memory": memory,
}
