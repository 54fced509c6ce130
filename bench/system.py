"""A system to be measured, in this process with its proplets beside it, and the tasks that it is given."""

import asyncio
import base64
import gc
import hashlib
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import uvloop

from bench import postgres
from propeller.assembly import ManagerParts, running_manager
from propeller.assembly.manager_parts import managing
from propeller.config.definitions import PROPLET
from propeller.config.programs import proplet_settings
from propeller.config.sources import resolve
from propeller.core.events import CreateTasks, NewGroup, StartGroup
from propeller.core.model import GroupKind, JobMode, Module, Spec, Task
from propeller.core.states import COMPLETED
from propeller.manager.service import Manager
from propeller.manager.supervisor import Launch

T = TypeVar("T")

#: `main(a, b)`, which adds.
FILE = "AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoJAQcAIAAgAWoL"
WASM = base64.b64decode(FILE)
MODULE = Module(hashlib.sha256(WASM).hexdigest(), len(WASM))
#: How many guests a proplet runs at once if nobody says otherwise.
CONCURRENCY = ManagerParts(data_dir=Path()).concurrency
#: Each run of a workflow or job is over sooner, or has hung.
_SECONDS_MAX = 120


class Took(NamedTuple):
    create_s: float
    run_s: float


def percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
    }


def run_loop(work: Coroutine[object, object, T]) -> T:
    """Run on a loop, and with a collector, like those of `propeller up`."""
    gc.set_threshold(10_000, 100, 100)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@asynccontextmanager
async def manager(directory: Path, *, is_instant: bool = False) -> AsyncIterator[Manager]:
    """Run a manager in this process; its proplet has run a task when it is handed over."""
    parts = ManagerParts(
        data_dir=directory,
        proplet=proplet_settings(resolve(PROPLET, {}), directory, {}),
        launch_of=instant_proplet if is_instant else None,
    )
    async with AsyncExitStack() as stack:
        if postgres.is_wanted():
            store = await stack.enter_async_context(postgres.fresh_store())
            running = (await stack.enter_async_context(managing(parts, store, None))).running.manager
        else:
            running, _ = await stack.enter_async_context(running_manager(parts))
        await run_group(running, "warm-up", [job_task("warm-up", 0)])
        gc.freeze()
        yield running


def instant_proplet(proplet_id: str, descriptor: int) -> Launch:
    return Launch([sys.executable, "-m", "bench.instant_proplet", str(descriptor), proplet_id])


def job_task(job: str, number: int) -> Spec:
    return Spec(id=f"{job}-{number}", name="main", inputs=(number, 1), module=MODULE, job_id=job)


def workflow_task(workflow: str, number: int, parents: Sequence[int]) -> Spec:
    return Spec(
        id=f"{workflow}-{number}",
        name="main",
        inputs=(number, 1),
        module=MODULE,
        workflow_id=workflow,
        depends_on=tuple(f"{workflow}-{parent}" for parent in parents),
    )


async def create_group(running: Manager, group_id: str, specs: Sequence[Spec]) -> GroupKind:
    """Create a workflow, or a parallel job where the tasks are a job's."""
    kind, mode = (GroupKind.JOB, JobMode.PARALLEL) if specs[0].job_id else (GroupKind.WORKFLOW, None)
    command = CreateTasks(specs=tuple(specs), group=NewGroup(id=group_id, kind=kind, mode=mode))
    await running.ask(command, {MODULE: WASM})
    return kind


async def run_group(running: Manager, group_id: str, specs: Sequence[Spec]) -> Took:
    """Create and run a workflow or job; its end is seen on the feed of events."""
    began = time.perf_counter()
    kind = await create_group(running, group_id, specs)
    created = time.perf_counter()
    last = running.feed.last_id
    async with asyncio.timeout(_SECONDS_MAX):
        await running.ask(StartGroup(kind, group_id))
        await _all_completed(running, last, len(specs))
    return Took(created - began, time.perf_counter() - created)


async def _all_completed(running: Manager, after: int, count: int) -> None:
    async for event in running.feed.follow(after):
        if event is not None and event[1].state.has_ended:
            assert event[1].state is COMPLETED, event
            count -= 1
            if not count:
                return


async def tasks_of(running: Manager, kind: GroupKind, group_id: str) -> list[Task]:
    records = await running.store.group(kind, group_id, tasks_max=10**9)
    assert records is not None
    return records.tasks
