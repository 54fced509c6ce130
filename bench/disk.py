"""What the store costs the disk: bytes written for a task, the largest write-ahead log, the size of all."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from bench.figures import Figure
from bench.system import job_task, manager, percentiles, run_group, run_loop, tasks_of, workflow_task
from propeller.core.model import GroupKind
from propeller.manager.service import Manager
from propeller.store.port import GroupFilter

_STORE, _LOG = "propeller.db", "propeller.db-wal"
_LOOK_EVERY_S = 0.002


class _LargestLog:
    """Looks at the write-ahead log again and again, from a thread of its own."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _LOG
        self._is_over = threading.Event()
        self.bytes = 0

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        self.bytes = 0
        self._is_over.clear()
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        yield
        self._is_over.set()
        thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(_LOOK_EVERY_S):
            with contextlib.suppress(FileNotFoundError):
                self.bytes = max(self.bytes, self._path.stat().st_size)


def written_bytes() -> int:
    """Count what this process has sent to the disk, or will."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


async def _read_lists(running: Manager) -> None:
    """Read without a pause, as two browsers would."""
    while True:
        await asyncio.gather(
            running.store.groups(GroupKind.JOB, 0, 10, GroupFilter(), tasks_max=10_000),
            running.store.groups(GroupKind.WORKFLOW, 0, 10, GroupFilter(), tasks_max=10_000),
        )


async def _stop(reading: "asyncio.Task[None]") -> None:
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading


def disk(directory: Path, scale: float) -> list[Figure]:
    """Ten jobs, the same again while lists are read without a pause, and a chain of steps.

    The manager is in this process, its proplet is not: what is counted is the store's.
    """
    jobs, count = 10, max(10, int(1_000 * scale))
    steps = max(10, int(600 * scale))
    log = _LargestLog(directory)

    async def load(running: Manager, round_: str) -> float:
        before = written_bytes()
        for name in (f"{round_}{number}" for number in range(jobs)):
            await run_group(running, name, [job_task(name, n) for n in range(count)])
        return (written_bytes() - before) / (jobs * count)

    async def work() -> list[Figure]:
        at_first = written_bytes()
        async with manager(directory) as running:
            with log.watched():
                quiet = await load(running, "quiet")
            quiet_log = log.bytes
            reading = asyncio.create_task(_read_lists(running))
            with log.watched():
                read = await load(running, "read")
            await _stop(reading)
            read_log = log.bytes
            before = written_bytes()
            with log.watched():
                specs = [workflow_task("chain", n, [n - 1] if n else []) for n in range(steps)]
                await run_group(running, "chain", specs)
            chain = (written_bytes() - before) / steps
            tasks = await tasks_of(running, GroupKind.WORKFLOW, "chain")
            size = sum((directory / name).stat().st_size for name in (_STORE, _LOG))
        whole = (written_bytes() - at_first) / (2 * jobs * count + steps)
        step = percentiles(
            [(child.started_at - parent.finished_at) / 1e6 for parent, child in pairwise(tasks)]
        )
        return [
            Figure(name="written, a task of a job", value=quiet / 1024, unit="KiB"),
            Figure(name="written, a task while lists are read", value=read / 1024, unit="KiB"),
            Figure(name="written, a step of a chain", value=chain / 1024, unit="KiB"),
            Figure(name="written, a task, with all that follows", value=whole / 1024, unit="KiB"),
            Figure(name="largest -wal", value=quiet_log / 2**20, unit="MiB", at_most=24),
            Figure(name="largest -wal while lists are read", value=read_log / 2**20, unit="MiB", at_most=24),
            Figure(name="largest -wal in the chain", value=log.bytes / 2**20, unit="MiB", at_most=24),
            Figure(name=f"database and -wal, {2 * jobs * count:,} tasks", value=size / 2**20, unit="MiB"),
            Figure(name="end to start, p50", value=step["p50"], unit="ms", floor="append p50 ms"),
            Figure(name="end to start, p99", value=step["p99"], unit="ms", floor="append p99 ms"),
        ]

    return run_loop(work())


MEASURES = {"disk": disk}
