"""How fast a job of many tasks runs while somebody looks, beside how fast it runs while nobody does."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from bench.figures import Figure
from bench.outside import Up
from bench.system import FILE

_SECONDS_MAX = 60
_ROUNDS = 3
#: What is asked for, by the name of its figure.
LOOKS = {
    "the list of jobs": "/jobs",
    "a page of its tasks": "/tasks?job_id={job}&limit=20",
    "all of its tasks": "/jobs/{job}?file=false",
    "its events": "/events?job_id={job}",
}
#: A list costs its page; what has to do with all tasks may cost them.
_AT_LEAST = {"the list of jobs": 0.9, "a page of its tasks": 0.9}


def reading(directory: Path, scale: float) -> list[Figure]:
    """(r) The rate of a job while it is looked at every 5 ms, divided by its rate while it is not."""
    count = max(100, int(5_000 * scale))
    with Up(directory) as up:
        rate_of_job(up, count, "")
        alone = []
        beside: dict[str, list[float]] = {name: [] for name in LOOKS}
        for _ in range(
            _ROUNDS if scale >= 1 else 1
        ):  # they take turns, so that a slow moment weighs on all of them
            alone.append(rate_of_job(up, count, ""))
            for name, path in LOOKS.items():
                beside[name].append(rate_of_job(up, count, path))
    rate = statistics.median(alone)
    return [
        Figure(name="nobody looks, tasks", value=rate, unit="/s", floor="calls/s"),
        *(
            Figure(
                name=f"beside {name}",
                value=statistics.median(rates) / rate,
                unit="x",
                at_least=_AT_LEAST.get(name),
            )
            for name, rates in beside.items()
        ),
    ]


def rate_of_job(up: Up, count: int, path: str = "") -> float:
    """Run a job while a path is asked for; tell how many of its tasks ended in a second."""
    tasks = [{"name": "main", "inputs": [number, 1], "file": FILE} for number in range(count)]
    created = up.http.post("/jobs?file=false", {"name": "read", "execution_mode": "parallel", "tasks": tasks})
    job_id = created["job_id"]
    with _reader(up, path.format(job=job_id)):
        up.http.close()  # it may have been idle for too long
        up.http.post(f"/jobs/{job_id}/start")
        until = time.monotonic() + _SECONDS_MAX
        while (seen := up.http.get("/jobs?tasks=false&limit=1")["jobs"][0])["state"] < 3:
            assert time.monotonic() < until, "the job did not end"
            time.sleep(0.1)
    assert (seen["job_id"], seen["state"]) == (job_id, 3)
    up.http.delete(f"/jobs/{job_id}")  # so that each is the only one
    return count / (_time(seen["finish_time"]) - _time(seen["start_time"]))


@contextmanager
def _reader(up: Up, path: str) -> Iterator[None]:
    """Ask again and again from a process of its own; ``""`` asks for nothing."""
    if not path:
        yield
        return
    command = [sys.executable, "-m", "bench.asking", *map(str, up.http.address), path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def _time(text: str) -> float:
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")


MEASURES: dict[str, Callable[[Path, float], list[Figure]]] = {"reading": reading}
