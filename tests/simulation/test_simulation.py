"""The laws hold for 1,000 seeds, and a seed is always the same story."""

import cProfile
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .simulation import simulate

ROOT = Path(__file__).parents[2]
SEEDS = 1000
#: So many calls of functions, Python's own too, a task may cost, on the average of so many seeds.
CALLS_MAX, COUNTED = 9_000, 8
CHUNK = 25


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_law_is_broken(first):
    for seed in range(first, first + CHUNK):
        outcome = simulate(seed)
        if outcome.law:
            pytest.fail(
                f"{outcome.story}\n\nseed {seed} breaks a law: {outcome.text}\n"
                f"run it again with: script/simulate --seed {seed}",
                pytrace=False,
            )
        assert outcome.steps > 100, f"seed {seed}: next to nothing happened, so nothing was checked"


def test_the_same_seed_is_the_same_story():
    assert simulate(7).transcript == simulate(7).transcript
    assert simulate(7).transcript != simulate(8).transcript


def test_a_story_does_not_hang_on_the_order_of_hashes():
    """Sets and dicts of strings iterate in another order in each process, unless told otherwise."""
    transcripts = {simulate(7).transcript}
    for hash_seed in ("1", "2"):
        command = [sys.executable, "-m", "tests.simulation", "--seed", "7"]
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
        transcripts.add(ended.stdout.split()[0])
    assert len(transcripts) == 1


def test_much_happens_in_the_simulated_worlds():
    """A simulation in which nothing goes wrong proves nothing."""
    ran = [simulate(seed).tasks_run for seed in range(10)]
    assert sum(ran) > 100


def test_a_task_costs_little_to_simulate():
    """Count calls and not seconds: they are the same on every machine, however busy it is.

    Laws that look at everything after each turn made three times as many.
    """
    profile = cProfile.Profile()
    ran = 0
    for seed in range(COUNTED):
        profile.enable()
        ran += simulate(seed).tasks_run
        profile.disable()
    calls = sum(entry.callcount for entry in profile.getstats())
    assert calls / ran < CALLS_MAX
