"""Runs the measurements, each in a fresh process, and prints a table and JSON."""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import floors, measures


def main() -> int:
    arguments = argparse.ArgumentParser(prog="bench", description=__doc__)
    arguments.add_argument("--small", action="store_true", help="a fiftieth of the size: does it run?")
    arguments.add_argument("--only", help="comma-separated names", default=",".join(measures.ALL))
    arguments.add_argument("--json", type=Path, help="write all figures to this file")
    given = arguments.parse_args()
    scale = 0.02 if given.small else 1.0
    figures: dict[str, dict[str, float]] = {"floor": {}}
    with tempfile.TemporaryDirectory(prefix="propeller-bench-", dir=Path.cwd()) as work:
        count = max(20, int(500 * scale))
        floor = figures["floor"]
        floor.update({f"fsync_{name}_ms": ms for name, ms in floors.fsync_ms(Path(work), count).items()})
        floor.update({f"commit_{name}_ms": ms for name, ms in floors.commit_ms(Path(work), count).items()})
        floor["calls_per_s"] = floors.calls_per_s(os.cpu_count() or 1, int(5_000 * scale))
        for name in given.only.split(","):
            print(f"{name} ...", file=sys.stderr, flush=True)
            directory = Path(work) / name
            directory.mkdir()
            with multiprocessing.get_context("spawn").Pool(1) as fresh:
                figures[name] = fresh.apply(measures.ALL[name], (directory, scale))
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def show(figures: dict[str, dict[str, float]]) -> None:
    floor = figures["floor"]
    cores = os.cpu_count() or 1
    #: Measurement, figure, what it is held against, and the target for the ratio or the figure.
    aims = {
        ("chain", "step_p50_ms"): ("fsync'd commit", floor["commit_p50_ms"], "at most 6 x"),
        ("chain", "step_p99_ms"): (
            "its own p50",
            figures.get("chain", {}).get("step_p50_ms", 0),
            "at most 5 x",
        ),
        ("chain", "run_p50_ms"): ("bare call, ms", 1e3 * cores / floor["calls_per_s"], ""),
        ("fan", "tasks_per_s"): ("bare calls/s", floor["calls_per_s"], ""),
        ("independent", "tasks_per_s"): ("bare calls/s", floor["calls_per_s"], "at least 4000/s"),
        ("instant", "tasks_per_s"): ("bare calls/s", floor["calls_per_s"], "at least 8000/s"),
        ("growth", "large_us"): ("bare call, µs", 1e6 / floor["calls_per_s"], ""),
        ("growth", "large_to_small"): ("", 0, "at most 1.3"),
        ("start_up", "first_result_s"): ("", 0, "at most 1.5 s"),
        ("over_http", "p50_ms"): ("fsync'd append", floor["fsync_p50_ms"], ""),
    }
    table = Table("measurement", "figure", "value", "floor", "value : floor", "target")
    for name, found in figures.items():
        for key, value in found.items():
            what, base, target = aims.get((name, key), ("", 0, ""))
            ratio = f"{value / base:.2f}" if base else ""
            table.add_row(name, key, f"{value:,.4g}", f"{what} {base:,.4g}" if base else "", ratio, target)
    Console(width=None if sys.stdout.isatty() else 130).print(table)


if __name__ == "__main__":
    sys.exit(main())
