"""``python -m tests.prove``: the long form of what the tests do for a moment; at the end, one page of figures.

Two lanes go at once: one only computes (the simulation), the other does harm to real programs.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.e2e.managers.many import play_alone
from tests.fuzz.__main__ import CORPUS, fuzz
from tests.fuzz.targets import TARGETS
from tests.storm.__main__ import FORMS, storm
from tests.storm.commits import die_at_commits

ROOT = Path(__file__).parents[1]
#: How the lane of real programs divides its minutes; what was accepted takes some more to end.
_STORM_SHARE = 0.11
_FUZZ_SHARE = 0.1
#: How many seeds are simulated by one process.
_SEEDS_AT_ONCE = 100
_TAKE_OVERS = 100
_TASKS_OF_COMMITS = 10

#: What a part found, in words, and how much of it must not be.
Found = tuple[str, int]


class Page:
    """The figures, line by line; a line may say that something is wrong."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self.violations = 0

    def play(self, what: str, part: Callable[[], Found]) -> None:
        """Play a part; that it finds what must not be does not keep the next one from playing."""
        try:
            found, violations = part()
        except Exception as error:
            traceback.print_exc()
            found, violations = repr(error), 1
        self.violations += violations
        self._lines.append((what, found))
        print(f"{datetime.now(UTC):%H:%M:%S} {what}: {found}", file=sys.stderr, flush=True)

    def __str__(self) -> str:
        rows = "\n".join(f"| {what} | {found} |" for what, found in sorted(self._lines))
        return f"| what | figures |\n|---|---|\n{rows}\n\nviolations: {self.violations}"


def kinds(counts: Counter[str]) -> str:
    listed = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
    return f"{counts.total():,} faults ({listed})"


# -- the lane that computes ----------------------------------------------------------------------------------


def planted() -> Found:
    """Catch all planted faults."""
    done = _run(sys.executable, "-m", "pytest", "tests/simulation", "-m", "planted", "-v", "--no-header")
    found = re.search(r"(\d+) passed", done.stdout)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    return f"{found[1] if found else 0} caught", int(done.returncode != 0)


def simulated(until: float) -> Found:
    """Run seeds that no run before has seen, until the time is over."""
    total: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    cpu_s = 0.0
    first = int(time.time())
    while time.monotonic() < until:
        seeds = ("--seeds", str(_SEEDS_AT_ONCE), "--from", str(first + total["seeds"]))
        # One core is for the other lane.
        done = _run(sys.executable, "-m", "tests.simulation", "--json", "--processes", "1", *seeds)
        told = figures_of(done.stdout)
        if told is None or told["violations"]:
            print(done.stderr, file=sys.stderr)
        if told is None:
            total["violations"] += 1
            break
        total.update({key: told[key] for key in ("seeds", "tasks", "violations")})
        faults.update(told["faults_by_kind"])
        cpu_s += told["cpu_seconds"]
    rate = total["tasks"] / cpu_s if cpu_s else 0
    found = (
        f"{total['seeds']:,} seeds of each world, {total['tasks']:,} tasks, {rate:,.0f} of them in a second of "
        f"computing, {kinds(faults)}, {total['violations']} violations"
    )
    return found, total["violations"]


def computed(page: Page, until: float) -> None:
    page.play("planted faults", planted)
    page.play("simulation", partial(simulated, until))


def figures_of(stdout: str) -> dict[str, Any] | None:
    """Read the figures that the simulation printed; None where it ended without any, which is a violation too."""
    try:
        return json.loads(stdout)
    except ValueError:
        return None


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


# -- the lane of real programs -------------------------------------------------------------------------------


def stormed(form: str, seconds: float, seed: int) -> Found:
    verdict, faults = storm(form, seconds, seed)
    for said in (*verdict.lost, *verdict.twice, *verdict.wrong)[:50]:
        print(f"{form}: {said}", file=sys.stderr)
    found = (
        f"{verdict.tasks:,} tasks, {verdict.attempts:,} attempts, {kinds(faults)}, "
        f"{len(verdict.lost)} lost, {len(verdict.twice)} recorded twice, {len(verdict.wrong)} wrong"
    )
    violations = len(verdict.lost) + len(verdict.twice) + len(verdict.wrong)
    return found, violations + (verdict.tasks == 0)


def died_at_each_commit(directory: Path) -> Found:
    verdicts = die_at_commits(directory, tasks=_TASKS_OF_COMMITS)
    bad = sum(not verdict.is_good for verdict in verdicts)
    return f"{len(verdicts)} runs, {bad} violations", bad


def taken_over(seed: int) -> Found:
    return str(play_alone(_TAKE_OVERS, seed)), 0


def fuzzed(seconds: float) -> Found:
    bad = {target: said for target in TARGETS if (said := fuzz(target, max(int(seconds / len(TARGETS)), 1)))}
    kept = sum(1 for _ in CORPUS.rglob("*"))
    for said in bad.values():
        print(said, file=sys.stderr)
    return f"{len(TARGETS)} targets, {kept:,} inputs kept, {len(bad)} violations", len(bad)


def harmed(page: Page, minutes: float) -> None:
    seed = int(time.time())
    with tempfile.TemporaryDirectory(prefix="propeller-prove-") as directory:
        for form in FORMS:
            page.play(f"storm, {form}", partial(stormed, form, minutes * 60 * _STORM_SHARE, seed))
        page.play("a death at each commit", partial(died_at_each_commit, Path(directory, "commits")))
        page.play("take-overs", partial(taken_over, seed))
        page.play("fuzzing", partial(fuzzed, minutes * 60 * _FUZZ_SHARE))


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/prove", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="about how long (30)")
    options = parser.parse_args()
    page, began = Page(), time.monotonic()
    computing = threading.Thread(target=computed, args=(page, began + options.minutes * 60))
    computing.start()
    try:
        harmed(page, options.minutes)
    finally:
        computing.join()
        print(f"{datetime.now(UTC):%Y-%m-%d}, {(time.monotonic() - began) / 60:.0f} minutes\n\n{page}")
    return bool(page.violations)


if __name__ == "__main__":
    sys.exit(main())
