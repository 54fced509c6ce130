"""What may stand for an id, what is said where nothing fits, and what is done to several at once."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import failed


@pytest.fixture(scope="module")
def flows(shell):
    """Three workflows that were never started, two of them of one name; the oldest first."""
    made = []
    for number, name in enumerate(("nightly", "weekly", "nightly")):
        task = {"id": f"naming-{number}{number}", "name": "main", "workflow_id": f"flow-{number}{number}"}
        made.append(shell.system.call("POST", "/workflows", {"name": name, "tasks": [task]})["tasks"][0])
    return [task["workflow_id"] for task in made]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("flow-11", 1),
        ("flow-1", 1),
        ("weekly", 1),
        ("@latest", 2),
        ("nightly@latest", 2),
        ("flow-0@latest", 0),
    ],
)
def test_what_stands_for_a_workflow(shell, flows, given, meant):
    shown = json.loads(shell("workflows", "view", given, "--json").stdout)
    assert shown["workflow_id"] == flows[meant]


def test_tasks_and_proplets(shell, flows):
    assert json.loads(shell("tasks", "view", "naming-1", "--json").stdout)["id"] == "naming-11"
    assert json.loads(shell("tasks", "view", "@latest", "--json").stdout)["id"] == "naming-22"
    (proplet,) = shell.system.call("GET", "/proplets")["proplets"]
    for given in (proplet["id"], proplet["id"][:-1], proplet["name"]):
        assert proplet["id"] in shell("proplets", "view", given).stdout


def test_what_is_said_where_nothing_or_too_much_fits(shell, flows):
    several = (
        "nightly may be each of these workflows: flow-22, flow-00; write more of the id, or nightly@latest"
    )
    assert failed(shell("workflows", "delete", "nightly"), 1, several)
    assert failed(shell("workflows", "start", "flow-"), 1, "flow-22, flow-11, flow-00; write more")
    assert failed(
        shell("tasks", "view", "flow-11"), 1, "there is no task flow-11, but a workflow: propeller work"
    )
    said = "there is no workflow zzz; there are flow-22, flow-11, flow-00; see: propeller workflows list"
    assert failed(shell("workflows", "view", "zzz"), 1, said)
    assert failed(shell("proplets", "view", "zzz"), 1, "there is no proplet zzz; there are ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["tasks", "view", "zzz"], 1, "there is no task zzz"),
        (["tasks", "view"], 2, "Missing argument"),
        (["-m", "http://127.0.0.1:9", "health"], 1, "no answer from"),
    ],
)
def test_errors_are_json_where_json_was_asked_for(shell, arguments, code, said):
    done = shell(*arguments, "--json")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in json.loads(done.stderr)["error"]


def test_lists_are_filtered_and_the_newest_comes_first(shell, flows):
    def listed(*flags):
        return json.loads(shell("tasks", "list", *flags, "--json").stdout)

    assert [task["id"] for task in listed("--limit", "3")["tasks"]] == [f"naming-{n}{n}" for n in (2, 1, 0)]
    assert [task["id"] for task in listed("--workflow", "weekly", "--state", "pending")["tasks"]] == [
        "naming-11"
    ]
    assert listed("--workflow", "weekly", "--state", "failed")["total"] == 0
    assert listed("--since", "0s")["total"] == 0
    assert listed("--name", "main", "--since", "10m")["total"] >= 3
    names = json.loads(shell("workflows", "list", "--name", "nightly", "--json").stdout)
    assert [flow["workflow_id"] for flow in names["workflows"]] == ["flow-22", "flow-00"]
    assert failed(shell("tasks", "list", "--since", "soon"), 2, "--since: 'soon' is no time")
    assert failed(shell("tasks", "list", "--state", "faild"), 1, 'state: "faild" is none; use pending,')


def test_a_list_takes_as_many_pages_as_it_needs(shell):
    tasks = [{"id": f"many-{number}", "name": "f", "job_id": "many"} for number in range(230)]
    shell.system.call("POST", "/jobs", {"name": "many", "tasks": tasks})
    everything = json.loads(shell("tasks", "list", "--job", "many", "--all", "--json").stdout)
    assert [task["id"] for task in everything["tasks"]] == [
        f"many-{number}" for number in reversed(range(230))
    ]
    part = json.loads(shell("tasks", "list", "--job", "many", "-l", "150", "-o", "90", "--json").stdout)
    assert [task["id"] for task in part["tasks"]] == [f"many-{number}" for number in reversed(range(140))]
    assert shell("jobs", "delete", "many").stdout == "ok\n"


def test_several_are_stopped_and_deleted_at_once(shell):
    tasks = [{"id": f"bulk-{n}", "name": "f", "workflow_id": "bulk"} for n in range(3)]
    tasks[2]["depends_on"] = ["bulk-0"]
    shell.system.call("POST", "/workflows", {"tasks": tasks})
    done = shell("tasks", "stop", "bulk-0", "bulk-1", "bulk-7")
    assert (done.returncode, done.stdout) == (1, "2 tasks stopped\n")
    assert "error: task bulk-7: there is no task bulk-7" in done.stderr
    assert failed(
        shell("tasks", "delete", "--workflow", "bulk"), 1, "3 tasks would be deleted; say so with --yes"
    )
    done = shell("tasks", "delete", "--workflow", "bulk", "--yes", "--json")
    answer = json.loads(done.stdout)
    assert (sorted(answer["deleted"]), answer["failed"]) == (["bulk-0", "bulk-1", "bulk-2"], {})
    assert failed(shell("tasks", "delete"), 2, "name one or more tasks, or choose them with flags")
    assert failed(shell("tasks", "delete", "a", "--all"), 2, "or choose them with flags, not both")


def test_watching_does_not_stop_it(shell):
    (shell.work / "watched.yaml").write_text(
        "module: division.wat\n"
        "tasks: [{id: top, inputs: [1, 2]}, {id: low, inputs: [1, 0], depends_on: [top]}]\n"
    )
    started = json.loads(shell("workflows", "run", "watched.yaml", "--detach", "--json").stdout)
    done = shell("workflows", "watch", started["workflow_id"])
    assert done.returncode == 1, "a task of it failed"
    assert "1 completed, 1 failed" in done.stdout
    assert re.search("low-[0-9a-f]{8} failed: main failed: integer division by zero", done.stdout)


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("bash", ".bash_completions/propeller.sh", {"COMP_WORDS": "propeller work", "COMP_CWORD": "1"}),
        ("zsh", ".zfunc/_propeller", {"_TYPER_COMPLETE_ARGS": "propeller work"}),
        (
            "fish",
            ".config/fish/completions/propeller.fish",
            {"_TYPER_COMPLETE_ARGS": "propeller work", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        ),
    ],
)
def test_a_shell_completes_commands(shell, tmp_path, monkeypatch, name, where, words):
    script = shell("completion", name).stdout
    monkeypatch.setitem(shell.env, "HOME", str(tmp_path))
    assert (
        shell("completion", name, "--install").stdout
        == f"installed in {tmp_path / where}; a new {name} has it\n"
    )
    assert (tmp_path / where).read_text().strip() == script.strip()
    for variable, value in {"_PROPELLER_COMPLETE": f"complete_{name}", **words}.items():
        monkeypatch.setitem(shell.env, variable, value)
    assert "workflows" in shell().stdout


def test_a_real_bash_completes_flags_too(shell, tmp_path):
    (tmp_path / "script").write_text(shell("completion", "bash").stdout)
    line = (
        "source ./script; COMP_WORDS=(propeller tasks list --st); COMP_CWORD=3; _propeller_completion propeller; "
        'echo "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=tmp_path,
        env={**shell.env, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "--state\n", done.stderr
