"""``python -m tests.simulation``: run many seeds, or one of them once more."""

import argparse
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence

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
    for number in range(options.seeds):
        for name in worlds:
            began_cpu = time.process_time()
            outcome = WORLDS[name](options.start + number)
            figures.add(name, outcome, time.process_time() - began_cpu)
            if outcome.law:
                print(f"\n{report(name, outcome)}\n", flush=True, file=sys.stderr if options.json else None)
        figures.seeds += 1
        if figures.violations >= options.failures:
            break
        if sys.stderr.isatty():
            print(f"\r{number + 1} of {options.seeds} seeds", end="", file=sys.stderr, flush=True)
    told = figures.told(time.perf_counter() - began)
    print(json.dumps(told, indent=2) if options.json else _in_words(told))
    return bool(figures.violations)


class Figures:
    """What many seeds come to."""

    def __init__(self) -> None:
        self.seeds = self.steps = self.violations = 0
        #: How long it computed: what worlds took, and not that a story was shrunk.
        self.cpu_s = 0.0
        self.tasks: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def add(self, world: str, outcome: Outcome, cpu_s: float) -> None:
        self.cpu_s += cpu_s
        self.steps += outcome.steps
        self.tasks[world] += outcome.tasks_run
        self.faults.update(outcome.faults)
        self.violations += bool(outcome.law)

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
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--world", dest="worlds", action="append", choices=WORLDS, help="only this world (all of them)"
    )
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error("--seeds: give 1 or more")
    if options.json and options.seed is not None:
        parser.error("--json: has the figures of many seeds; give --seeds and --from in place of --seed")
    return options


if __name__ == "__main__":
    sys.exit(main())
