"""Runs the measurements, each in a fresh process between two looks at the floors; prints a table and JSON."""

import argparse
import contextlib
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

from bench import postgres
from bench.embedded import MEASURES as EMBEDDED
from bench.figures import Figure, Outcome, drift, judge, mean
from bench.floors import Floors
from bench.one import MEASURES, Failed, measure
from bench.over_mqtt import MEASURES as OVER_MQTT
from bench.system import CONCURRENCY
from bench.table import show


def main() -> int:
    given = _arguments()
    machine = describe_machine(given.dir)
    if machine["file system"] in {"tmpfs", "ramfs"}:
        print(
            f"{given.dir} is in memory, where an fsync costs nothing: give a --dir on a disk", file=sys.stderr
        )
    scale = 0.02 if given.small else 1.0
    with (
        postgres.server() if given.storage == "postgres" else contextlib.nullcontext(),
        tempfile.TemporaryDirectory(prefix="propeller-bench-", dir=given.dir) as work,
        Floors(
            Path(work),
            processes=CONCURRENCY,
            scale=scale,
            with_broker=not OVER_MQTT.keys().isdisjoint(given.only),
        ) as floors,
    ):
        outcomes = {}
        before = floors.measure()
        for name in given.only:
            print(f"{name} ...", file=sys.stderr, flush=True)
            outcomes[name], before = _between_floors(
                partial(measure, name, Path(work) / name, scale, given.profile), floors, before
            )
    show(machine, outcomes)
    if given.json:
        document = {"machine": machine, "scale": scale, "measurements": outcomes}
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    return 1 if any(outcome.problem for outcome in outcomes.values()) else 0


def _between_floors(
    work: Callable[[], list[Figure]], floors: Floors, before: dict[str, float]
) -> tuple[Outcome, dict[str, float]]:
    """Measure; return also the floors after it, which are those before the next."""
    began = time.perf_counter()
    try:
        figures, problem = work(), ""
    except Failed as error:
        figures, problem = [], str(error)
    seconds = time.perf_counter() - began
    after = floors.measure()
    between = mean(before, after)
    outcome = Outcome(
        seconds=seconds,
        figures=[judge(figure, between) for figure in figures],
        floors=between,
        drift=drift(before, after),
        problem=problem,
    )
    return outcome, after


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a fiftieth of the size: does it run?")
    parser.add_argument(
        "--only", type=_names, metavar="A,B", default=list(MEASURES), help=", ".join(MEASURES)
    )
    parser.add_argument(
        "--storage",
        choices=("sqlite", "postgres"),
        default="sqlite",
        help=f"postgres: for {', '.join(EMBEDDED)}; its data goes to /tmp",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    parser.add_argument("--dir", type=Path, default=Path.cwd(), help="where the data goes; default: here")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="write a cProfile of each manager to DIR")
    given = parser.parse_args()
    if given.storage == "postgres" and not EMBEDDED.keys() >= set(given.only):
        parser.error(f"--storage postgres: measure only some of {', '.join(EMBEDDED)}")
    if given.profile:
        given.profile.mkdir(parents=True, exist_ok=True)
    return given


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(MEASURES)}")
    return names


def describe_machine(directory: Path) -> dict[str, object]:
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "file system": _file_system(directory),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "wasmtime": version("wasmtime"),
        "load": round(os.getloadavg()[0], 2),
    }


def _file_system(directory: Path) -> str:
    place = directory.resolve()
    found = [mount for mount in psutil.disk_partitions(all=True) if place.is_relative_to(mount.mountpoint)]
    return max(found, key=lambda mount: len(mount.mountpoint)).fstype if found else "unknown"


if __name__ == "__main__":
    sys.exit(main())
