"""The measurements of a fleet behind a broker: all programs are real, and durable on both sides."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.fleet import Fleet, until
from bench.simulated import fan_out, heartbeats
from bench.system import FILE, Took, percentiles
from propeller.wire.rfc3339 import parse_time

_PROPLETS = 4
_ROUNDS = 3
#: More, as two rates are compared that are close to each other.
_SIGNED_ROUNDS = 7
_COMPLETED = 3


def independent(directory: Path, scale: float, *, qos: int, at_least: float | None = None) -> list[Figure]:
    """Tasks that do not depend on each other, in one workflow."""
    count = max(100, int(10_000 * scale))
    specs = [_task(number) for number in range(count)]
    with Fleet(directory, proplets=_PROPLETS, qos=qos) as fleet:
        _run_workflow(fleet, specs[:200])  # every proplet has the module, and what it may hold is known
        rounds = [_run_workflow(fleet, specs)[1] for _ in range(_ROUNDS)]
    rates = [count / took.run_s for took in rounds]
    floor = "mqtt messages/s"
    return [
        Figure(
            name="create, tasks", value=statistics.median(count / took.create_s for took in rounds), unit="/s"
        ),
        Figure(name="run, tasks", value=statistics.median(rates), unit="/s", floor=floor, at_least=at_least),
        Figure(name="slowest round, tasks", value=min(rates), unit="/s", floor=floor),
    ]


def chain(directory: Path, scale: float) -> list[Figure]:
    """Tasks one after the other: from a parent's end to its child's start, each on another proplet."""
    count = max(10, int(200 * scale))
    steps, runs = [], []
    with Fleet(directory, proplets=_PROPLETS) as fleet:
        _run_workflow(fleet, [_task(number) for number in range(40)])
        for name in "abc"[:_ROUNDS]:
            specs = [
                {**_task(n), "id": f"{name}-{n}", "depends_on": [f"{name}-{n - 1}"] if n else []}
                for n in range(count)
            ]
            workflow_id, _ = _run_workflow(fleet, specs)
            tasks = {task["id"]: task for task in fleet.http.get(f"/workflows/{workflow_id}")["tasks"]}
            spans = [
                (parse_time(tasks[spec["id"]]["start_time"]), parse_time(tasks[spec["id"]]["finish_time"]))
                for spec in specs
            ]
            runs += [(end - begin) / 1e6 for begin, end in spans]
            steps += [(begin - end) / 1e6 for (_, end), (begin, _) in pairwise(spans)]
    step, run = percentiles(steps), percentiles(runs)
    # Two messages lie on the way, and two commits: the proplet's and the manager's.
    return [
        Figure(
            name="end to start, p50",
            value=step["p50"],
            unit="ms",
            floor="mqtt p50 ms",
            floor_count=2,
            at_most=2.5,
        ),
        Figure(
            name="end to start, p99",
            value=step["p99"],
            unit="ms",
            floor="mqtt p99 ms",
            floor_count=2,
            at_most=10,
        ),
        Figure(name="start to end, p50", value=run["p50"], unit="ms", floor="call ms"),
    ]


def signed(directory: Path, scale: float) -> list[Figure]:
    """Tasks through a fleet that signs all it says, and through one that signs nothing, in turn."""
    count = max(100, int(10_000 * scale))
    specs = [_task(number) for number in range(count)]
    rates: dict[str, list[float]] = {"without": [], "with": []}
    with (
        Fleet(directory / "without", proplets=_PROPLETS) as without,
        Fleet(directory / "with", proplets=_PROPLETS, is_signed=True) as with_signatures,
    ):
        both = {"without": without, "with": with_signatures}
        for fleet in both.values():
            _run_workflow(fleet, specs[:200])
        for number in range(_SIGNED_ROUNDS):
            for name in sorted(both, reverse=bool(number % 2)):
                rates[name].append(count / _run_workflow(both[name], specs)[1].run_s)
    shares = [one / other for one, other in zip(rates["with"], rates["without"], strict=True)]
    return [
        *(
            Figure(name=f"{name} signatures, tasks", value=statistics.median(rates[name]), unit="/s")
            for name in rates
        ),
        Figure(name="with to without", value=statistics.median(shares), unit="", at_least=0.95),
    ]


def factory_fan(directory: Path, scale: float) -> list[Figure]:
    """One task, and then 200 at once, through a Mosquitto as it comes, with QoS 2 and our own defaults."""
    count = max(20, int(200 * scale))
    took: list[float] = []
    with Fleet(directory, proplets=_PROPLETS, qos=2, is_tuned=False) as fleet:
        _run_workflow(fleet, [_task(number) for number in range(40)])
        for name in "abc"[:_ROUNDS]:
            leaves = [{**_task(n), "depends_on": [f"root-{name}"]} for n in range(count)]
            took.append(_run_workflow(fleet, [{**_task(0), "id": f"root-{name}"}, *leaves])[1].run_s)
    return [
        Figure(name=f"1 to {count}, median", value=statistics.median(took), unit="s", at_most=1.0),
        Figure(name=f"1 to {count}, slowest", value=max(took), unit="s"),
    ]


def _task(number: int) -> dict[str, Any]:
    return {"name": "main", "inputs": [number, 1], "file": FILE}


def _run_workflow(fleet: Fleet, specs: list[dict[str, Any]]) -> tuple[str, Took]:
    """Create and run a workflow; its end is asked for again and again."""
    began = time.perf_counter()
    workflow_id = fleet.http.post("/workflows?file=false", {"tasks": specs})["tasks"][0]["workflow_id"]
    created = time.perf_counter()
    fleet.http.post(f"/workflows/{workflow_id}/start")

    def is_over() -> bool:
        (newest,) = fleet.http.get("/workflows?limit=1")["workflows"]  # the list alone is without tasks
        assert newest["workflow_id"] == workflow_id
        return newest["counts"]["completed"] == len(specs)

    until(is_over)
    return workflow_id, Took(created - began, time.perf_counter() - created)


MEASURES: dict[str, Callable[[Path, float], list[Figure]]] = {
    "mqtt_independent": partial(independent, qos=1, at_least=4_000),
    "mqtt_independent_qos2": partial(independent, qos=2),
    "mqtt_signed": signed,
    "mqtt_factory_fan": factory_fan,
    "mqtt_chain": chain,
    "mqtt_heartbeats": heartbeats,
    "mqtt_fan_out": fan_out,
}
