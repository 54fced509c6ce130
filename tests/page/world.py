"""A system in which much goes on: runs, failures, a fan, a schedule, a fleet. Pages of it are looked at."""

import os
import sqlite3
import time
from pathlib import Path

from tests.e2e.local.harness import System
from tests.page.works import DIVISION, FAILED, NAP, RUNNING, ended, job, says, single, task, workflow
from tests.waiting import until

#: So long that what runs is still running when the last page has been looked at.
_LONG_MS = 600_000
_STEP_S = 10
_STEPS = 330


#: A program that says what it does, line by line.
TALKER = says(
    *(
        f"{'read' if at % 3 else 'wrote'} /var/log/app-{at:03}.log{'' if at % 3 else '.zst'}: "
        f"{(at * 7919) % 90000 + 4096:,} bytes\n"
        for at in range(180)
    )
)


def make(system: System) -> dict[str, str]:
    """Have much go on; gives the address of each page that is worth a look, below the page."""
    env = {**os.environ, "PROPLET_METRICS_INTERVAL": "1"}
    system.up(env=env)
    system.stop()
    _write_pace(system.data_dir / "propeller.db")
    system.up(env=env)
    until(lambda: sum(one["alive"] for one in system.call("GET", "/proplets")["proplets"]) == 4)
    report = _reports(system)
    failed = _failed(system)
    images = _images(system)
    etl = _etl(system)
    imports = _jobs(system)
    single(system, id="compress-logs", name="_start", file=TALKER)
    alone = single(system, id="checksum-archive", name="nap", inputs=[_LONG_MS], file=NAP)
    single(system, id="later", name="nap", inputs=[1], file=NAP, start=False)
    for one in ("extract-events", "shard-04", alone):
        ended(system, f"/tasks/{one}", RUNNING)
    proplet = system.call("GET", f"/tasks/{alone}")["proplet_id"]
    return {
        "overview": "overview",
        "workflows": "workflows",
        "jobs": "jobs",
        "graph": f"workflows/{etl}",
        "graph-task": f"workflows/{failed}?task=train-model",
        "graph-folded": f"workflows/{images}",
        "timeline": f"workflows/{report}?view=timeline",
        "table": f"workflows/{etl}?view=table",
        "job": f"jobs/{imports}",
        "tasks": "tasks",
        "task": "tasks/train-model",
        "task-logs": "tasks/compress-logs?part=logs",
        "task-history": "tasks/train-model?part=history",
        "task-module": "tasks/train-model?part=module",
        "fleet": "proplets",
        "fleet-table": "proplets?view=table",
        "proplet": f"proplets/{proplet}",
        "events": "events",
        "new": "new",
        "new-workflow": "new?kind=workflow",
    }


def _write_pace(database: Path) -> None:
    """Write the last hour into the store of a manager that is stopped, as if it had run then."""
    now = int(time.time()) // _STEP_S
    rows = []
    for at in range(_STEPS):
        swing = abs((at % 90) - 45)
        done, bad = 260 + 6 * swing + at * 7919 % 60, 9 if at % 37 == 0 else 0
        waiting = max(0, 16 * (swing - 20) + at * 104729 % 40)
        rows.append((now - _STEPS + at, done + bad, done, bad, 0, waiting, 90 + 2 * swing + at % 9))
    with sqlite3.connect(database) as db:
        db.execute("DELETE FROM pace")
        db.executemany(
            "INSERT INTO pace (step, started, completed, failed, ended_otherwise, waiting, running) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
    db.close()


def nap(task_id: str, ms: int, *after: str) -> object:
    return task(task_id, ms, after=list(after), file=NAP) | {"name": "nap"}


def _reports(system: System) -> str:
    """Run a report several times, which took longer and longer, and failed once."""
    labels = {"team": "finance", "every": "night"}
    for run, ms in enumerate((60, 90, 80, 140, 120, 180, 260)):
        steps = [nap(f"load-{run}", ms), nap(f"sum-{run}", ms, f"load-{run}")]
        if run == 4:
            steps.append(task(f"send-{run}", 1, 0, after=[f"sum-{run}"], file=DIVISION))
        made = workflow(system, "nightly-report", *steps, labels=labels)
        ended(system, f"/workflows/{made}", FAILED if run == 4 else 3)
    regions = ["north", "south", "east", "west"]
    steps = [
        nap("fetch-orders", 300),
        nap("fetch-rates", 700),
        *(nap(f"sum-{one}", 200 + 250 * at, "fetch-orders") for at, one in enumerate(regions)),
        nap("convert", 400, "fetch-rates", *(f"sum-{one}" for one in regions)),
        nap("render-pdf", 500, "convert"),
        nap("mail", 80, "render-pdf"),
    ]
    made = workflow(system, "nightly-report", *steps, labels=labels)
    ended(system, f"/workflows/{made}")
    return made


def _failed(system: System) -> str:
    steps = [
        nap("read-samples", 120),
        nap("split", 60, "read-samples"),
        task(
            "train-model", 84, 0, after=["split"], file=DIVISION, retry={"max_attempts": 3, "delay": "50ms"}
        ),
        nap("evaluate", 40, "train-model"),
        nap("publish", 40, "evaluate"),
    ]
    made = workflow(system, "train-classifier", *steps, labels={"team": "research"})
    ended(system, f"/workflows/{made}", FAILED)
    return made


def _images(system: System) -> str:
    """Run a fan of hundreds, most of which have ended."""
    steps = [nap("list-images", 20)]
    steps += [nap(f"resize-{at:03}", _LONG_MS if at > 590 else 2, "list-images") for at in range(600)]
    steps.append(nap("pack", 20, *(f"resize-{at:03}" for at in range(600))))
    made = workflow(system, "resize-images", *steps, labels={"team": "web"})
    until(lambda: system.call("GET", f"/workflows/{made}?tasks=false")["counts"]["completed"] > 500)
    return made


def _etl(system: System) -> str:
    """Run what has all states in it: done, failed, skipped, running, and still to come."""
    steps = [
        nap("extract-users", 120),
        nap("extract-orders", 240),
        nap("extract-events", _LONG_MS),
        nap("clean-users", 90, "extract-users"),
        nap("clean-orders", 90, "extract-orders"),
        task("check-orders", 7, 0, after=["clean-orders"], file=DIVISION),
        nap("report-orders", 20, "check-orders"),
        nap("clean-events", 90, "extract-events"),
        nap("join", 90, "clean-users", "clean-orders", "clean-events"),
        nap("load-warehouse", 90, "join"),
        task("notify", 1, 1, after=["load-warehouse", "check-orders"]) | {"run_if": "always"},
    ]
    made = workflow(system, "warehouse", *steps, labels={"team": "data", "tier": "gold"})
    ended(system, "/tasks/check-orders", FAILED)
    return made


def _jobs(system: System) -> str:
    for run in range(3):
        made = job(
            system,
            "import-prices",
            *(nap(f"import-{run}-{shop}", 30 + 40 * run) for shop in ("berlin", "paris", "rome")),
            execution_mode="parallel",
        )
        ended(system, f"/jobs/{made}")
    job(
        system,
        "backup",
        nap("dump", 20),
        nap("upload", 20),
        schedule="0 3 * * *",
        timezone="Europe/Paris",
        start=False,
    )
    return job(
        system,
        "reindex",
        *(nap(f"shard-{at:02}", _LONG_MS if at == 4 else 60) for at in range(12)),
        execution_mode="sequential",
    )
