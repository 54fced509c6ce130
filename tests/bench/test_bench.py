"""Each measurement at a fiftieth of its size, so that none rots; how fast it is, is no test's business."""

import json
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from bench import one
from bench.figures import Figure, drift, judge
from tests.parts.machine import need_browser

ROOT = Path(__file__).parent.parent.parent
FIGURES = {
    "chain": ["end to start, p50", "end to start, p99", "start to end, p50", "start to end, p99"],
    "fan": ["create", "run", "run, tasks"],
    "independent": ["create, tasks", "run, tasks", "create and run, tasks", "slowest round, tasks"],
    "instant": ["create, tasks", "run, tasks", "create and run, tasks", "slowest round, tasks"],
    "growth": [
        *("run, a task of 100", "run, a task of 200", "run, a task of 1,000", "run, 1,000 : 100"),
        *("create, a task of 100", "create, a task of 200", "create, a task of 1,000", "create, 1,000 : 100"),
    ],
    "memory": ["a pending task of 1,000", "a pending task of 1,000 more"],
    "disk": [
        *("written, a task of a job", "written, a task while lists are read", "written, a step of a chain"),
        "written, a task, with all that follows",
        *("largest -wal", "largest -wal while lists are read", "largest -wal in the chain"),
        *("database and -wal, 400 tasks", "end to start, p50", "end to start, p99"),
    ],
    "start_up": [
        *("healthy, p50", "first result, p50", "first result, slowest"),
        *("idle manager", "idle, proplets too"),
    ],
    "over_http": [
        *("whole, p50", "whole, p99", "create, p50", "start, p50", "result after that, p50"),
        "bare GET /health, p50",
    ],
    "guests": [
        *("instantiate and call, bare", "the same as a run", "a program that prints"),
        *("warm start of a 2 MB component", "warm start of a 12 MB component"),
        *("computing on all processes", "tiny runs on all processes"),
    ],
    "reading": [
        "nobody looks, tasks",
        *(f"beside {look}" for look in ("the list of jobs", "a page of its tasks", "all of its tasks")),
        "beside its events",
    ],
    "waiting": ["a job alone, tasks", "beside 2,000 that wait", "idle manager", "idle manager that waits"],
    "million": [
        *("start", "start after kill -9", "memory, a task that waits", "memory for all lists"),
        *("a record, slowest p50", "a list of tasks, slowest p50", "a list of workflows, slowest p50"),
        *("a list of jobs, slowest p50", "a look at the whole, slowest p50"),
        *("a job alone, tasks", "a job on this store", "deleted, tasks"),
        *("GET /health, p99 during deletion", "create and start, p99 during deletion"),
    ],
    "overload": [
        *("requests that can be done", "done at ten times that", "refused"),
        *("GET /health of another client, p99", "a stop of another client, p99"),
        "a task to its result of another client, p99",
        *("memory before", "memory at most", "as fast as before after"),
    ],
    "followers": [
        *("nobody follows, tasks", "beside 20 followers of all events"),
        *("beside 20 followers of those of the job", "beside 20 followers of those in brief"),
        *("beside 20 followers of those of another job", "the manager's time for a task"),
        *("the same beside all events", "the same beside those of the job"),
        *("the same beside those in brief", "the same beside those of another job"),
        "the last of all events came after",
    ],
    "invoke": ["warm invoke, p50", "warm invoke, p99"],
    "mqtt_independent": ["create, tasks", "run, tasks", "slowest round, tasks"],
    "mqtt_signed": ["without signatures, tasks", "with signatures, tasks", "with to without"],
    "mqtt_factory_fan": ["1 to 20, median", "1 to 20, slowest"],
    "mqtt_chain": ["end to start, p50", "end to start, p99", "start to end, p50"],
    "mqtt_heartbeats": [
        f"{size}, {what}"
        for size in (20, 60, 200)
        for what in ("manager", "GET /health, p50", "GET /health, p99")
    ],
    "mqtt_fan_out": ["result to first start", "result to start 50", "longest silence of a heart meanwhile"],
}
UI_FIGURES = [
    *(
        f"{what}, {size}"
        for size in ("100", "200", "1,000")
        for what in ("first picture", "panning", "change drawn, p50", "change drawn, slowest")
    ),
    *("manager for a viewer, 100", "manager for a viewer, 1,000", "the same, 1,000 less 100"),
]
FIGURES["growth_instant"] = FIGURES["growth"]
FIGURES["million_postgres"] = ["copied, tasks", *FIGURES["million"]]
FIGURES["mqtt_independent_qos2"] = FIGURES["mqtt_independent"]
#: These fill a store first.
LARGE = ["million", "million_postgres"]


def measured(directory, *names):
    """Measure by the script; give its figures by name."""
    written = directory / "figures.json"
    done = subprocess.run(
        [
            ROOT / "script" / "bench",
            "--small",
            "--only",
            ",".join(names),
            "--json",
            written,
            "--dir",
            directory,
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(name in done.stdout for name in names)
    return json.loads(written.read_text())["measurements"]


def test_each_measurement_is_known():
    assert {*one.MEASURES} == {*FIGURES, "ui"}


@pytest.mark.parametrize(
    "names", [[name for name in FIGURES if name not in LARGE], LARGE], ids=["small", "large"]
)
def test_all_measurements_give_their_figures(tmp_path, names):
    outcomes = measured(tmp_path, *names)
    found = {name: [figure["name"] for figure in found["figures"]] for name, found in outcomes.items()}
    assert found == {name: FIGURES[name] for name in names}
    for name, found in outcomes.items():
        assert min(found["floors"].values()) > 0
        for figure in found["figures"]:
            # Memory may have been taken back meanwhile, an idle system may use no time at all, and a fast one may
            # have room for all that is asked of it in so short a time.
            is_of_refusals = (name, figure["name"]) == ("overload", "refused")
            may_be_none = name == "memory" or figure["unit"] == "% of a core" or is_of_refusals
            assert figure["value"] > 0 or may_be_none, f"{name}: {figure}"
    assert not list(tmp_path.glob("propeller-bench-*")), "what was measured with stays behind"


def test_the_page_gives_its_figures(tmp_path):
    need_browser()
    found = measured(tmp_path, "ui")["ui"]["figures"]
    assert [figure["name"] for figure in found] == UI_FIGURES
    # What one viewer costs may be less than can be seen in a moment.
    assert all(figure["value"] > 0 for figure in found[:12])


def test_without_a_browser_the_page_says_what_to_do(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(one.Failed):
        one.measure("ui", tmp_path / "ui", 0.02)
    assert "error: this needs Chromium (Debian: apt-get install chromium)" in capfd.readouterr().err


def test_unknown_measurements_are_refused_with_those_that_are_known():
    command = [ROOT / "script" / "bench", "--only", "chain,chian"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "chian: choose from chain, fan" in done.stderr


def test_a_hung_measurement_is_ended_with_all_it_started(tmp_path, monkeypatch):
    monkeypatch.setattr(one, "SECONDS_MAX", 2)
    with pytest.raises(one.Failed, match="not over after 2 s"):
        one.measure("growth", tmp_path / "growth", 50.0)
    until = time.monotonic() + 10
    while left := _processes_in(tmp_path):
        assert time.monotonic() < until, left
        time.sleep(0.05)


def _processes_in(directory):
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(directory) in line]


def test_figures_are_held_against_floors_and_targets():
    floors = {"commit p50 ms": 0.2, "calls/s": 50_000.0}
    step = judge(Figure(name="s", value=1.3, unit="ms", floor="commit p50 ms", at_most_floors=6), floors)
    assert (step.ratio, step.target, step.is_met) == (pytest.approx(6.5), "≤ 6 x floor", False)
    rate = judge(Figure(name="r", value=9_000, unit="/s", floor="calls/s", at_least=8_000), floors)
    assert (rate.ratio, rate.target, rate.is_met) == (pytest.approx(0.18), "≥ 8,000 /s", True)
    whole = judge(Figure(name="w", value=1.2, unit="ms", floor="commit p50 ms", floor_count=3), floors)
    assert (whole.floor_name, whole.ratio) == ("3 x commit p50 ms", pytest.approx(2.0))
    assert (whole.target, whole.is_met) == ("", None)
    assert judge(Figure(name="x", value=1.3, unit="x", at_most=1.3), floors).is_met


def test_drift_looks_at_medians_and_rates_both_ways():
    before = {"commit p50 ms": 0.2, "commit p99 ms": 0.3, "calls/s": 50_000.0}
    after = {"commit p50 ms": 0.25, "commit p99 ms": 9.0, "calls/s": 25_000.0}
    assert drift(before, after) == drift(after, before) == pytest.approx(2.0)
