"""What many tasks that wait for a time cost: nothing until it comes."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from bench.figures import Figure
from bench.system import MODULE, WASM, create_group, job_task, manager, run_group, run_loop, workflow_task
from propeller.core.events import CreateTasks, StartGroup
from propeller.core.model import Spec
from propeller.manager.service import Manager

_HOUR_NS = 3_600_000_000_000
_AT_A_TIME = 10_000
_ROUNDS = 3


def waiting(directory: Path, scale: float) -> list[Figure]:
    """The rate of a job beside 100,000 tasks with a time to come, divided by its rate without them."""
    many, count = max(200, int(50_000 * scale)), max(100, int(3_000 * scale))
    seconds = max(1.0, 5 * scale)
    return run_loop(_waiting(directory, many, count, seconds))


async def _waiting(directory: Path, many: int, count: int, seconds: float) -> list[Figure]:
    async with manager(directory) as running:
        alone, idle = await _rate(running, "alone", count), await _idle(seconds)
        for specs in _scheduled(many):
            await running.ask(
                CreateTasks(specs=specs, chosen_ids=tuple(spec.id for spec in specs)), {MODULE: WASM}
            )
        for number, specs in enumerate(_queued(many)):
            kind = await create_group(running, f"queue-{number}", specs)
            await running.ask(StartGroup(kind, f"queue-{number}"))
        beside, idle_beside = await _rate(running, "beside", count), await _idle(seconds)
    return [
        Figure(name="a job alone, tasks", value=alone, unit="/s", floor="calls/s"),
        Figure(name=f"beside {2 * many:,} that wait", value=beside / alone, unit="x", at_least=0.95),
        Figure(name="idle manager", value=idle, unit="% of a core"),
        Figure(name="idle manager that waits", value=idle_beside, unit="% of a core"),
    ]


def _scheduled(many: int) -> Iterator[tuple[Spec, ...]]:
    """Make tasks that run next year."""
    for start in range(0, many, _AT_A_TIME):
        yield tuple(
            Spec(id=f"yearly-{number}", name="main", module=MODULE, schedule="@yearly", is_recurring=True)
            for number in range(start, min(start + _AT_A_TIME, many))
        )


def _queued(many: int) -> Iterator[list[Spec]]:
    """Make tasks that no proplet takes, and that wait for one for an hour."""
    for group, start in enumerate(range(0, many, _AT_A_TIME)):
        specs = [
            workflow_task(f"queue-{group}", number, ()) for number in range(min(_AT_A_TIME, many - start))
        ]
        yield [
            msgspec.structs.replace(spec, pin="nobody", deadline_ns=2 * _HOUR_NS, queue_timeout_ns=_HOUR_NS)
            for spec in specs
        ]


async def _rate(running: Manager, name: str, count: int) -> float:
    """Run a job a few times; give how many of its tasks ended in a second."""
    rates = []
    for number in range(_ROUNDS):
        job = f"{name}-{number}"
        took = await run_group(running, job, [job_task(job, task) for task in range(count)])
        rates.append(count / took.run_s)
    return statistics.median(rates)


async def _idle(seconds: float) -> float:
    """Give the processor time of the manager while nothing happens, percent of a core."""
    process = psutil.Process()
    before, began = sum(process.cpu_times()[:2]), time.perf_counter()
    await asyncio.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - began) * 100


MEASURES = {"waiting": waiting}
