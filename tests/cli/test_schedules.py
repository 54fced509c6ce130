"""Schedules on the command line, and in files."""

import json
import re
import shlex
from pathlib import Path

import pytest

from propeller.cli.runfile import read_run_file
from propeller.errors import Invalid

PAGE = Path(__file__).parents[2] / "docs" / "workflows.md"
FILE = """
name: planned
schedule: 0 2 * * MON-FRI
timezone: Europe/Paris
schedule_options: {overlap: queue, catch_up: latest, jitter: 30s}
module: addition.wat
tasks:
  - {id: a, name: main, inputs: [1, 2]}
  - {id: b, name: main, depends_on: [a], inputs: ["${a}", 3]}
"""


def answered(run, *words):
    done = run(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_schedule_is_shown_paused_and_resumed(shell):
    options = ("--schedule", "0 2 * * *", "--timezone", "Asia/Tokyo", "--is-recurring")
    options += ("--schedule-options", "overlap=allow,jitter=90s,start=2030-01-01T00:00:00Z")
    task = answered(shell, "tasks", "create", "main", "--file", "addition.wat", *options)
    assert task["next_run"] == "2030-01-01T17:00:00Z"
    shown = answered(shell, "tasks", "schedule", task["id"])
    assert shown["next"][:2] == ["2030-01-01T17:00:00Z", "2030-01-02T17:00:00Z"]
    assert len(shown["next"]) == 10
    assert shown["schedule_options"] == {
        "catch_up": "skip",
        "overlap": "allow",
        "jitter": "1m30s",
        "start": "2030-01-01T00:00:00Z",
    }
    text = shell("tasks", "schedule", task["id"]).stdout
    assert "0 2 * * *" in text
    assert text.count("2030-01-") == 11  # the start among the options, and ten times
    assert answered(shell, "tasks", "schedule", task["id"], "--pause")["paused"] is True
    assert "paused" in shell("tasks", "schedule", task["id"]).stdout
    assert answered(shell, "tasks", "schedule", task["id"], "--resume")["next"] == shown["next"]
    assert shell("tasks", "schedule", task["id"], "--pause", "--resume").returncode == 2
    assert "next run" in shell("tasks", "view", task["id"]).stdout
    shell("tasks", "delete", task["id"])


@pytest.mark.parametrize("kind", ["workflow", "job"])
def test_a_file_with_a_schedule_is_not_started_at_once(shell, kind):
    path = shell.work / "nightly.yaml"
    path.write_text(FILE)
    done = shell(f"{kind}s", "run", str(path))
    assert done.returncode == 0, done.stderr
    assert f"{kind} " in done.stderr
    assert "runs by itself; to pause that: propeller" in done.stderr
    assert "0 2 * * MON-FRI" in done.stdout
    (group,) = answered(shell, f"{kind}s", "list", "--name", "planned")[f"{kind}s"]
    assert (group["schedule"], group["timezone"]) == ("0 2 * * MON-FRI", "Europe/Paris")
    assert group["schedule_options"] == {"catch_up": "latest", "overlap": "queue", "jitter": "30s"}
    name = group[f"{kind}_id"]
    started = shell(f"{kind}s", "start", name)
    assert started.stderr.startswith(f"run {name}-20")
    run_id = started.stderr.split()[1]
    assert shell(f"{kind}s", "watch", run_id).returncode == 0
    assert answered(shell, f"{kind}s", "view", run_id)["tasks"][1]["results"] == "6\n"
    shell(f"{kind}s", "delete", run_id, name, "--yes")


def test_the_example_of_the_page_can_be_run_as_it_stands(shell):
    section = PAGE.read_text().split("\n## Schedules\n")[1].split("\n## ")[0]
    (content,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    (commands,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    (shell.work / "nightly.yaml").write_text(content)
    shell("workflows", "delete", "--name", "nightly", "--yes")  # those of other tests
    for line in commands.splitlines():
        program, *words = shlex.split(line, comments=True)
        done = shell(*words)
        assert (program, done.returncode) == ("propeller", 0), (line, done.stderr)
    shown = answered(shell, "workflows", "schedule", "nightly")
    assert (shown["schedule"], shown["timezone"], shown["paused"]) == (
        "0 2 * * MON-FRI",
        "Europe/Paris",
        True,
    )
    assert len(shown["runs"]) == 1
    shell("workflows", "delete", "--all", "--yes")


def test_a_file_says_what_is_wrong_with_its_schedule(tmp_path):
    path = tmp_path / "flow.yaml"
    path.write_text(
        "schedule: '@daily'\nschedule_options: {over_lap: queue}\ntasks: [{image_url: x, name: f}]"
    )
    with pytest.raises(Invalid, match=r"schedule_options\.over_lap: .*did you mean overlap\?"):
        read_run_file(path)
