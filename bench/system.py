"""A system to be measured: in this process with real proplets, or as `propeller up`."""

import asyncio
import base64
import gc
import hashlib
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from propeller.assembly import UpConfig, running_manager
from propeller.core.events import CreateTasks, NewGroup, StartGroup
from propeller.core.model import GroupKind, JobMode, Module, Spec, Task
from propeller.core.states import COMPLETED
from propeller.manager.service import Manager

FILE = "AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoJAQcAIAAgAWoL"
WASM = base64.b64decode(FILE)
MODULE = Module(hashlib.sha256(WASM).hexdigest(), len(WASM))
#: No measurement takes longer; one that does has hung.
SECONDS_MAX = 180


def percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
    }


def instant_proplet(proplet_id: str, descriptor: int) -> list[str]:
    program = str(Path(__file__).with_name("instant_proplet.py"))
    return [sys.executable, program, str(descriptor), proplet_id]


@asynccontextmanager
async def manager(directory: Path, *, is_instant: bool = False) -> AsyncIterator[Manager]:
    """Run a manager in this process; its first task has been run when it is handed over."""
    gc.set_threshold(50_000, 20, 100)
    command = instant_proplet if is_instant else None
    async with running_manager(UpConfig(data_dir=directory, proplet_command=command)) as running:
        await run_group(running, GroupKind.JOB, [job_task("warm-up", 0)], "warm-up")
        yield running


def measured(work):
    """Run a coroutine on a loop like that of `propeller up`."""

    async def limited():
        return await asyncio.wait_for(work, SECONDS_MAX)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(limited())


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


async def run_group(
    running: Manager, kind: GroupKind, specs: Sequence[Spec], group_id: str
) -> dict[str, float]:
    """Create and run a workflow or job; return how long each took, in s."""
    began = time.perf_counter()
    mode = JobMode.PARALLEL if kind is GroupKind.JOB else None
    group = NewGroup(id=group_id, kind=kind, mode=mode)
    await running.ask(CreateTasks(specs=tuple(specs), group=group), {MODULE: WASM})
    created = time.perf_counter()
    last = running.feed.last_id
    await running.ask(StartGroup(kind, group_id))
    left = len(specs)
    async for event in running.feed.follow(last):
        if event is not None and event[1].state.has_ended:
            assert event[1].state is COMPLETED, event
            left -= 1
            if not left:
                break
    return {"create_s": created - began, "run_s": time.perf_counter() - created}


async def tasks_of(running: Manager, kind: GroupKind, group_id: str) -> list[Task]:
    records = await running.store.group(kind, group_id)
    assert records is not None
    return records.tasks


class Up:
    """`propeller up` as a process."""

    def __init__(self, directory: Path) -> None:
        self.began = time.perf_counter()
        command = [sys.executable, "-m", "propeller", "up", "--host", "127.0.0.1", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(directory)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        found = re.search(r"http://[\d.]+:\d+", self.process.stdout.readline())
        assert found, "propeller up did not start"
        self.base = found[0]

    def __enter__(self) -> "Up":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=20)
