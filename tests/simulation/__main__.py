"""``python -m tests.simulation``: run many seeds, or one of them once more."""

import argparse
import gc
import sys
import time

from .nested import simulate_nested
from .planned import simulate_schedules
from .several import simulate_several
from .simulation import Outcome, simulate

WORLDS = (simulate, simulate_schedules, simulate_nested, simulate_several)


def main() -> int:
    options = _options()
    if options.seed is not None:
        outcomes = [world(options.seed) for world in WORLDS]
        for outcome in outcomes:
            print(outcome.transcript)
            if outcome.law:
                print(report(outcome))
        return any(outcome.law for outcome in outcomes)
    gc.collect()
    gc.freeze()  # what stays need not be looked through for garbage
    began = time.perf_counter()
    steps = 0
    failed = []
    for number in range(options.seeds):
        for world in WORLDS:
            outcome = world(options.start + number)
            steps += outcome.steps
            if outcome.law:
                failed.append(outcome)
                print(f"\n{report(outcome)}\n", flush=True)
        if len(failed) >= options.failures:
            break
        if sys.stderr.isatty():
            print(f"\r{number + 1} of {options.seeds} seeds", end="", file=sys.stderr, flush=True)
    took = time.perf_counter() - began
    done = number + 1
    print(f"{done} seeds, {steps} steps, {took:.1f} s ({done / took:.1f} seeds/s): {len(failed)} failed")
    return bool(failed)


def report(outcome: Outcome) -> str:
    return (
        f"{outcome.story}\n\nseed {outcome.seed} breaks a law: {outcome.text}\n"
        f"run it again with: script/simulate --seed {outcome.seed}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/simulate", description="Simulate the whole system.")
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds to run (500)")
    parser.add_argument("--from", dest="start", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="run this one, and print its transcript's hash")
    parser.add_argument("--failures", type=int, default=1, help="stop after so many failures (1)")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error("--seeds: give 1 or more")
    return options


sys.exit(main())
