"""The figures of many seeds, as JSON for programs."""

import json

import pytest

from propeller.core import failfast
from tests.prove import figures_of

from .__main__ import WORLDS, main
from .planned import simulate_schedules


def test_figures_of_all_worlds_are_json_and_nothing_else(capsys):
    assert main(["--seeds", "1", "--from", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["seeds"] == 1
    assert told["violations"] == 0
    assert list(told["tasks_by_world"]) == list(WORLDS)
    assert told["tasks"] == sum(told["tasks_by_world"].values()) > 0
    assert told["faults"] == sum(told["faults_by_kind"].values()) > 0
    assert told["cpu_seconds"] > 0
    assert told["tasks_per_cpu_s"] > 0


@pytest.mark.parametrize("processes", ["1", "2"])
def test_as_much_is_found_by_one_process_as_by_several(processes, capsys):
    assert main(["--seeds", "9", "--world", "schedules", "--json", "--processes", processes]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["seeds"] == 9
    assert told["tasks"] == sum(simulate_schedules(seed).tasks_run for seed in range(9))


def test_a_broken_law_is_told_beside_the_figures_in_a_short_story(monkeypatch, capsys):
    monkeypatch.setattr(failfast, "stop_others", lambda *_: None)
    assert main(["--seeds", "100", "--world", "main", "--json"]) == 1
    out, err = capsys.readouterr()
    told = figures_of(out)
    assert told is not None
    assert told["violations"] == 1
    assert 1 <= told["seeds"] < 100
    assert "breaks a law" in err
    assert "The same law in a short story: users ask" in err
    assert "run it again with: script/simulate --seed" in err


def test_a_simulation_that_ends_without_figures_is_seen():
    assert figures_of("") is None
    assert figures_of("Traceback") is None


def test_figures_are_not_of_one_story(capsys):
    with pytest.raises(SystemExit):
        main(["--seed", "3", "--json"])
    assert "--json: has the figures of many seeds" in capsys.readouterr().err
