"""What a store of 1,000,000 tasks that have ended, and 100,000 that wait, costs those who work with it.

The tasks are always the same (``large_store``). The manager is `propeller up`, asked over HTTP.
"""

import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

import psutil

from bench import postgres
from bench.figures import Figure
from bench.http import Http
from bench.large_store import STEP_NS, Filled, fill
from bench.outside import Up
from bench.reading import rate_of_job
from bench.system import percentiles, run_loop
from propeller.store import moving
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.sqlite.store import SqliteStore

_ROUNDS = 5
_START_S = 60
_LOOK = "propeller.store.sqlite.looking"
_KINDS = {
    "a record": ("a ", "its ", "history"),
    "a list of tasks": ("tasks: ",),
    "a list of workflows": ("workflows: ",),
    "a list of jobs": ("jobs: ",),
    "a look at the whole": ("overview", "failures", "pace", "proplets", "health"),
}


def looks(filled: Filled) -> dict[str, str]:
    """Give what is asked for, by the name of its figure."""
    middle = quote(datetime.fromtimestamp(filled.middle / 1e9, UTC).isoformat().replace("+00:00", "Z"))
    old = filled.tasks[len(filled.tasks) // 3]
    count = filled.ended + filled.live
    tasks = "/tasks?file=false"
    of_tasks = {
        "first page": "",
        "newest first": "order=newest",
        "offset 10": f"offset={count // 10}",
        "offset half": f"offset={count // 2}",
        "offset almost all": f"offset={count - 150}",
        "state=completed": "state=completed",
        "state=completed, newest": "state=completed&order=newest",
        "state=failed, deep": f"state=failed&offset={filled.ended // 40}",
        "state=completed, deep": f"state=completed&offset={filled.ended // 2}",
        "state=pending": "state=pending",
        "state=pending, deep": f"state=pending&offset={filled.live // 2}",
        "state=scheduled": "state=scheduled",
        "state=running": "state=running",
        "state=interrupted": "state=interrupted",
        "state=skipped, newest": "state=skipped&order=newest",
        "name": "name=infer-7",
        "name, deep": "name=infer-7&offset=2000",
        "name unknown": "name=nothing",
        "name and state": "name=infer-7&state=failed",
        "metadata": "metadata[team]=team-3",
        "metadata, deep": "metadata[team]=team-3&offset=20000",
        "metadata of few": "metadata[batch]=77",
        "metadata twice": "metadata[team]=team-3&metadata[batch]=77",
        "metadata and state": "metadata[team]=team-3&state=failed",
        "since": f"since={middle}",
        "since, newest": f"since={middle}&order=newest",
        "since and state": f"since={middle}&state=failed",
        "id prefix": f"id_prefix={old[:2]}",
        "id prefix of one": f"id_prefix={old[:8]}",
        "workflow": f"workflow_id={filled.workflow}",
        "workflow and state": f"workflow_id={filled.workflow}&state=completed",
        "job": f"job_id={filled.job}",
        "job and name": f"job_id={filled.job}&name=infer-7",
        "proplet": f"proplet_id={filled.proplet}",
        "proplet, newest": f"proplet_id={filled.proplet}&order=newest",
        "search by id": f"search={old[:8]}",
        "search by name": "search=infer-7",
        "search nothing": "search=nothing",
        "cursor": "cursor=",
        "cursor, state": "cursor=&state=failed",
        "cursor, name": "cursor=&name=infer-7",
        "cursor, name unknown": "cursor=&name=nothing",
    }
    found = {f"tasks: {name}": f"{tasks}&{query}" for name, query in of_tasks.items()}
    of_groups = {
        "first page": "",
        "deep": "offset=20000",
        "status": "status=completed",
        "status, deep": "status=completed&offset=5000",
        "status=pending": "status=pending",
        "name": "name=nightly-7",
        "id prefix": f"id_prefix={filled.workflow[:2]}",
        "search": "search=nightly-7",
        "search nothing": "search=nothing",
        "label": "label=team%3Dteam-3",
        "label of one": "label=run%3D77",
        "label key": "label=team",
        "label and status": "label=team%3Dteam-3&status=failed",
        "since": f"since={middle}",
        "until": f"until={middle}",
        "ended": "ended=true",
        "not ended": "ended=false",
        "earlier": "earlier=20",
    }
    for kind, brief in (("workflows", ""), ("jobs", "tasks=false&")):
        found |= {f"{kind}: {name}": f"/{kind}?{brief}limit=50&{query}" for name, query in of_groups.items()}
    return found | {
        "a task": f"/tasks/{old}?file=false",
        "its attempts": f"/tasks/{old}/attempts",
        "its history": f"/tasks/{old}/events",
        "history of a late one": f"/tasks/{filled.recent}/events",
        "its logs": f"/tasks/{old}/logs",
        "its metrics": f"/tasks/{old}/metrics",
        "a workflow": f"/workflows/{filled.workflow}?file=false",
        "its graph": f"/workflows/{filled.workflow}/graph",
        "a job": f"/jobs/{filled.job}?file=false",
        "overview": "/overview",
        "failures": "/failures",
        "pace": "/pace",
        "proplets": "/proplets",
        "health": "/health",
    }


class Asked(NamedTuple):
    """How long answers took, ms, by what was asked for."""

    times: dict[str, list[float]]

    def figures(self) -> Iterator[Figure]:
        """Give the slowest median of each kind, and tell which look it is."""
        for kind, begins in _KINDS.items():
            medians = {
                name: statistics.median(times)
                for name, times in self.times.items()
                if name.startswith(begins)
            }
            slowest = max(medians, key=lambda name: medians[name])
            print(f"  {kind}: the slowest of {len(medians)} is {slowest}", file=sys.stderr, flush=True)
            yield Figure(name=f"{kind}, slowest p50", value=medians[slowest], unit="ms", at_most=20)


class Place(NamedTuple):
    """A store: the directory of its manager, and the variables that name its database if it has one."""

    directory: Path
    variables: Mapping[str, str] = MappingProxyType({})


def million(directory: Path, scale: float) -> list[Figure]:
    """Measure a store in SQLite."""
    filled = run_loop(_filled(directory / "store", scale))
    return _measured(filled, Place(directory / "store"), Place(directory / "empty"), scale)


def million_postgres(directory: Path, scale: float) -> list[Figure]:
    """Measure the same store in PostgreSQL, as `propeller db copy` brings it there."""
    with postgres.server():
        source = directory / "source"
        filled = run_loop(_filled(source, scale))
        began = time.perf_counter()
        database = run_loop(_copied(source))
        rate = (filled.ended + filled.live) / (time.perf_counter() - began)
        store = Place(directory / "store", postgres.variables(database))
        empty = Place(directory / "empty", postgres.variables(run_loop(postgres.fresh_database())))
        return [Figure(name="copied, tasks", value=rate, unit="/s"), *_measured(filled, store, empty, scale)]


def _measured(filled: Filled, store: Place, empty: Place, scale: float) -> list[Figure]:
    """Start on a store, ask it everything, work beside it, and have most of it deleted."""
    ended, live = filled.ended, filled.live
    jobs, seconds = max(100, int(5_000 * scale)), max(2.0, 20 * scale)
    with _started(empty) as up:
        empty_bytes, alone = _memory(up), _rate(up, jobs)
    with _started(store) as up:
        start_s = up.answered_s
        bytes_ = _memory(up)
        asked = Asked({name: _times(up.http, path) for name, path in looks(filled).items()})
        after_bytes = _memory(up)
        beside = _rate(up, jobs)
        quiet = _latencies(up, seconds)
        _kill(up)
    with _started(store) as up:
        killed_s = up.answered_s
        _wait_for_look(up)  # else it goes on beside what is measured next
    keep_s = int((0.4 * ended + live) * STEP_NS / 1e9)
    with _started(store, "--keep-ended", f"{keep_s}s") as up:
        before, began = up.http.get("/tasks?limit=1")["total"], time.perf_counter()
        busy = _latencies(up, seconds)
        gone = before - up.http.get("/tasks?limit=1")["total"]
        gone_rate = gone / (time.perf_counter() - began)
    return [
        Figure(name="start", value=start_s, unit="s", at_most=10),
        Figure(name="start after kill -9", value=killed_s, unit="s", at_most=10),
        Figure(name="memory, a task that waits", value=(bytes_ - empty_bytes) / live, unit="bytes"),
        Figure(name="memory for all lists", value=(after_bytes - bytes_) / 2**20, unit="MiB"),
        *asked.figures(),
        Figure(name="a job alone, tasks", value=alone, unit="/s", floor="calls/s"),
        Figure(name="a job on this store", value=beside / alone, unit="x"),
        Figure(name="deleted, tasks", value=gone_rate, unit="/s"),
        *(
            Figure(name=f"{name}, p99 during deletion", value=busy[name] / quiet[name], unit="x")
            for name in quiet
        ),
    ]


async def _filled(directory: Path, scale: float) -> Filled:
    ended, live = int(1_000_000 * scale), int(100_000 * scale)
    store = SqliteStore(directory, durability="normal")
    try:
        return await fill(store, ended=ended, live=live, now=time.time_ns())
    finally:
        await store.close()


async def _copied(source: Path) -> PostgresSettings:
    database = await postgres.fresh_database()
    await moving.copy(source, database)
    shutil.rmtree(source)
    return database


class _started(Up):  # noqa: N801  used as a phrase: with _started(store)
    """`propeller up`, when it has loaded what lives: only then the overview says what waits."""

    def __init__(self, store: Place, *options: str) -> None:
        super().__init__(store.directory, *options, variables=store.variables)
        until = time.monotonic() + _START_S
        while not self._has_loaded():
            assert time.monotonic() < until, "the manager does not begin to lead"
        #: From the start of the process, s.
        self.answered_s = time.perf_counter() - self.began

    def _has_loaded(self) -> bool:
        """Ask for the overview; a manager that waits for the lead of another refuses it after a while."""
        try:
            return bool(self.http.get("/overview"))
        except AssertionError:
            return False


def _kill(up: Up) -> None:
    """End the manager as a crash would, and let what it started end by itself."""
    family = psutil.Process(up.process.pid).children(recursive=True)
    up.process.kill()
    up.process.wait()
    psutil.wait_procs(family, timeout=10)


def _wait_for_look(up: Up) -> None:
    """Wait until all of a store in SQLite was looked at, which a program of its own does after a crash."""
    family = psutil.Process(up.process.pid).children()
    psutil.wait_procs([one for one in family if _LOOK in one.cmdline()])


def _rate(up: Up, count: int) -> float:
    """Run a job twice, for the first warms up; tell how many tasks ended in a second."""
    return max(rate_of_job(up, count) for _ in range(2))


def _memory(up: Up) -> int:
    return int(psutil.Process(up.process.pid).memory_info().rss)


def _times(http: Http, path: str) -> list[float]:
    return [_took_ms(lambda: http.get(path)) for _ in range(_ROUNDS)]


def _took_ms(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1e3


def _latencies(up: Up, seconds: float) -> dict[str, float]:
    """Ask for health, and create and start a task, again and again; give the 99th percentiles, ms."""
    times: dict[str, list[float]] = {"GET /health": [], "create and start": []}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        times["GET /health"].append(_took_ms(lambda: up.http.get("/health")))
        times["create and start"].append(_took_ms(lambda: up.start(up.create([1, 2]))))
    return {name: percentiles(found)["p99"] for name, found in times.items()}


MEASURES = {"million": million, "million_postgres": million_postgres}
