"""``python -m tests.simulation``: run many seeds, or one of them once more."""

import argparse
import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

from .nested import simulate_nested
from .planned import simulate_schedules
from .several import simulate_several
from .shrink import shrink
from .simulation import Outcome, simulate

WORLDS = {
    "main": simulate,
    "schedules": simulate_schedules,
    "nested": simulate_nested,
    "several": simulate_several,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    worlds = options.worlds or list(WORLDS)
    gc.collect()
    gc.freeze()  # what stays need not be looked through for garbage
    if options.seed is not None:
        outcomes = {name: WORLDS[name](options.seed) for name in worlds}
        for name, outcome in outcomes.items():
            print(outcome.transcript)
            if outcome.law:
                print(report(name, outcome))
        return any(outcome.law for outcome in outcomes.values())
    began = time.perf_counter()
    figures = Figures()
    seeds = range(options.start, options.start + options.seeds)
    for number, played in enumerate(_played(worlds, seeds, options.processes), start=1):
        figures.seeds += 1
        for one in played:
            figures.add(one)
            if one.broken is not None:
                told = report(one.world, one.broken)
                print(f"\n{told}\n", flush=True, file=sys.stderr if options.json else None)
        if figures.violations >= options.failures:
            break
        if sys.stderr.isatty():
            print(f"\r{number} of {options.seeds} seeds", end="", file=sys.stderr, flush=True)
    found = figures.told(time.perf_counter() - began)
    print(json.dumps(found, indent=2) if options.json else _in_words(found))
    return bool(figures.violations)


class Played(NamedTuple):
    """What came of one seed in one world."""

    world: str
    steps: int
    tasks: int
    faults: dict[str, int]
    #: What it took to compute it, s.
    cpu_s: float
    #: How a law is broken, if one is.
    broken: Outcome | None


def _play(worlds: Sequence[str], seed: int) -> list[Played]:
    found = []
    for world in worlds:
        began = time.process_time()
        outcome = WORLDS[world](seed)
        cpu_s = time.process_time() - began
        broken = outcome if outcome.law else None
        found.append(Played(world, outcome.steps, outcome.tasks_run, outcome.faults, cpu_s, broken))
    return found


def _played(worlds: Sequence[str], seeds: range, processes: int) -> Iterator[list[Played]]:
    """Play all seeds in order, some at once in processes of their own."""
    play = partial(_play, worlds)
    if processes == 1:
        yield from map(play, seeds)
        return
    with ProcessPoolExecutor(processes, get_context("fork")) as pool:
        yield from pool.map(play, seeds)


class Figures:
    """What many seeds come to."""

    def __init__(self) -> None:
        self.seeds = self.steps = self.violations = 0
        self.cpu_s = 0.0
        self.tasks: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def add(self, one: Played) -> None:
        self.cpu_s += one.cpu_s
        self.steps += one.steps
        self.tasks[one.world] += one.tasks
        self.faults.update(one.faults)
        self.violations += one.broken is not None

    def told(self, took_s: float) -> dict[str, object]:
        """Give all figures by name; rates are by time on the clock, and tasks by seconds of computing too."""
        tasks = sum(self.tasks.values())
        return {
            "seeds": self.seeds,
            "tasks": tasks,
            "tasks_by_world": dict(self.tasks),
            "steps": self.steps,
            "faults": sum(self.faults.values()),
            "faults_by_kind": dict(sorted(self.faults.items())),
            "violations": self.violations,
            "seconds": round(took_s, 1),
            "cpu_seconds": round(self.cpu_s, 2),
            "seeds_per_s": round(self.seeds / took_s, 1),
            "tasks_per_s": round(tasks / took_s, 1),
            "tasks_per_cpu_s": round(tasks / self.cpu_s, 1),
        }


def _in_words(told: dict[str, object]) -> str:
    return (
        f"{told['seeds']} seeds, {told['tasks']} tasks, {told['faults']} faults, {told['seconds']} s "
        f"({told['seeds_per_s']} seeds/s, {told['tasks_per_s']} tasks/s): {told['violations']} failed"
    )


def report(world: str, outcome: Outcome) -> str:
    """Tell how a law is broken, in as short a story as can be found."""
    told = f"{outcome.story}\n\nseed {outcome.seed} breaks a law: {outcome.text}\n"
    if world == "main":
        short = shrink(outcome)
        faults = ", ".join(f"{number} x {kind}" for kind, number in sorted(short.faults.items()))
        told += (
            f"\nThe same law in a short story: users ask {short.actions} times, faults: {faults or 'none'}\n"
            f"{short.story}\n{short.text}\n"
        )
    return f"{told}run it again with: script/simulate --seed {outcome.seed} --world {world}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/simulate", description="Simulate the whole system.")
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds to run (500)")
    parser.add_argument("--from", dest="start", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="run this one, and print its transcript's hash")
    parser.add_argument("--failures", type=int, default=1, help="stop after so many failures (1)")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--processes", type=int, default=cores, help="how many seeds are played at once (one a core)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--world", dest="worlds", action="append", choices=WORLDS, help="only this world (all of them)"
    )
    options = parser.parse_args(arguments)
    for flag in ("seeds", "processes"):
        if getattr(options, flag) < 1:
            parser.error(f"--{flag}: give 1 or more")
    if options.json and options.seed is not None:
        parser.error("--json: has the figures of many seeds; give --seeds and --from in place of --seed")
    return options


if __name__ == "__main__":
    sys.exit(main())
