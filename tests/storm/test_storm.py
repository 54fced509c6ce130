"""A short storm over each form; ``script/storm --minutes 3`` makes a long one."""

import pytest

from .__main__ import storm
from .commits import die_at_commits


@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", ["embedded", "fleet", "managers"])
def test_nothing_is_lost_in_a_storm(form):
    verdict, faults = storm(form, seconds=15, seed=15, large=200)
    assert verdict.is_good, verdict
    assert {"fork server killed", "manager killed", "manager stopped for a while"} <= faults.keys()


@pytest.mark.timeout(600)
def test_a_manager_may_die_at_any_commit(tmp_path):
    """At each third here, and at each one in script/prove."""
    verdicts = die_at_commits(tmp_path, tasks=6, every=3)
    assert len(verdicts) >= 6, "a run has more commits than that"
    assert all(verdict.is_good for verdict in verdicts), verdicts
