"""What there is in all, and what failed last."""

import json

import pytest

from propeller.cli.status import _role


def test_all_is_counted_and_the_newest_failures_are_shown(shell):
    shell("run", "addition.wat", "1", "2")
    before = json.loads(shell("status", "--json").stdout)
    assert list(before) == ["manager", "overview", "failures"]
    failed = shell("run", "division.wat", "1", "0")
    assert failed.returncode == 1
    done = json.loads(shell("status", "--json").stdout)
    assert done["overview"]["tasks"]["total"] == before["overview"]["tasks"]["total"] + 1
    assert done["failures"]["total"] == before["failures"]["total"] + 1
    newest = done["failures"]["failures"][0]
    assert newest["error_kind"] == "trap"

    shown = shell("status")
    assert shown.returncode == 0, shown.stderr
    for words in ("leads", "tasks", "workflows", "jobs", "1 alive", "slots", "failures", newest["task_id"]):
        assert words in shown.stdout, words
    assert "division by zero" in " ".join(shown.stdout.split())
    none = shell("status", "--since", "0s")
    assert newest["task_id"] not in none.stdout
    wrong = shell("status", "--since", "soon")
    assert (wrong.returncode, "--since: 'soon' is no time" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({"role": "leader"}, "leads"),
        ({"role": "follower", "leader": "http://b:7070"}, "follows http://b:7070"),
        ({"role": "follower"}, "follows, but nobody leads at present"),
        ({}, "leads"),  # a manager that only knows the contract
    ],
)
def test_it_says_which_manager_leads(health, words):
    assert _role(health) == words
