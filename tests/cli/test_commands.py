"""The command line against a real system: what it prints, and how it ends."""

import json
import os
import subprocess
import sys

import pytest
from tests.e2e.harness import System

ADDITION = '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Yield a function that runs ``propeller`` with these arguments in a directory with a module in it."""
    work = tmp_path_factory.mktemp("cli")
    (work / "addition.wat").write_text(ADDITION)
    system = System(work / "data")
    system.up()
    env = {**os.environ, "PROPELLER_MANAGER_URL": str(system.http.base_url)}

    def run(*arguments, stdin=None):
        command = [sys.executable, "-m", "propeller", *arguments]
        return subprocess.run(
            command, cwd=work, env=env, capture_output=True, text=True, timeout=60, check=False, input=stdin
        )

    run.work = work
    yield run
    system.clean_up()


def failed(done, code, text):
    assert done.returncode == code, done
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    return True


def test_run_prints_only_the_result(shell):
    done = shell("run", "addition.wat", "10", "20")
    assert (done.returncode, done.stdout) == (0, "30\n")


def test_run_says_why_a_task_failed(shell):
    assert failed(
        shell("run", "addition.wat", "10"), 1, "main takes 2 parameters (i32, i32), but 1 input was given"
    )


def test_run_of_what_is_no_module(shell):
    (shell.work / "text.wasm").write_text("hello")
    assert failed(shell("run", "text.wasm"), 1, "text.wasm: this is no WebAssembly")
    assert failed(shell("run", "missing.wasm"), 1, "missing.wasm: can't be read")


def test_one_task_by_hand(shell):
    made = json.loads(
        shell("tasks", "create", "main", "--inputs", "1,2", "--metadata", "team=ops", "--json").stdout
    )
    assert made["inputs"] == [1, 2], "numbers stay numbers"
    assert failed(shell("tasks", "start", made["id"]), 1, "has no module")
    assert shell("tasks", "upload", made["id"], "addition.wat").returncode == 0
    updated = json.loads(shell("tasks", "update", made["id"], "--inputs", "4,5", "--json").stdout)
    assert (updated["inputs"], updated["metadata"]) == ([4, 5], {"team": "ops"})
    assert shell("tasks", "start", made["id"]).stdout == "ok\n"
    assert "Completed" in until_ended(shell, made["id"])
    assert shell("tasks", "results", made["id"]).stdout == "9\n"
    assert made["id"] in shell("tasks", "list", "--metadata", "team=ops").stdout
    assert shell("tasks", "delete", made["id"]).stdout == "ok\n"
    assert failed(shell("tasks", "view", made["id"]), 1, "not found")


def until_ended(shell, task_id):
    while True:
        shown = shell("tasks", "view", task_id).stdout
        if "Completed" in shown or "Failed" in shown:
            return shown


def test_workflow_file_says_what_became_of_each_task(shell):
    (shell.work / "flow.json").write_text(
        json.dumps(
            {
                "module": "addition.wat",
                "tasks": [
                    {"id": "bad", "inputs": [1]},
                    {"id": "after", "inputs": [1, 2], "depends_on": ["bad"]},
                    {"id": "handler", "inputs": [3, 4], "depends_on": ["bad"], "run_if": "failure"},
                ],
            }
        )
    )
    done = shell("workflows", "run", "flow.json")
    assert done.returncode == 1
    assert "handler: Completed: 7" in done.stdout
    assert "after: Skipped: its parent bad" in done.stdout


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("tasks: []", "tasks: a list with at least one task"),
        ("tasks: [{id: a, depends_on: [b]}]", "tasks[0].depends_on: there is no task b"),
        ("tasks: [{id: a, module: addition.wat}, {id: a, module: addition.wat}]", "tasks[1].id: a is the id"),
        ("tasks: [{id: a, modul: x}]", "tasks[0]: modul: there is no such field"),
        ("tasks: [{id: a}]", "tasks[0].module: name a .wasm or .wat file"),
        ("a: [", "neither YAML nor JSON"),
    ],
)
def test_complaints_about_a_file_name_the_place(shell, content, complaint):
    (shell.work / "bad.yaml").write_text(content)
    assert failed(shell("workflows", "run", "bad.yaml"), 1, complaint)


def test_job_with_json(shell):
    tasks = json.dumps([{"id": "cli-a", "name": "main", "inputs": [1, 2]}])
    job = json.loads(shell("jobs", "create", "--name", "n", "--tasks", tasks, "--json").stdout)
    assert [task["id"] for task in job["tasks"]] == ["cli-a"]
    assert failed(shell("jobs", "create", "--tasks", tasks), 2, "name is required")
    assert failed(shell("jobs", "create", "--name", "n", "--tasks", "[{]"), 2, "not valid JSON")
    assert failed(shell("jobs", "start", job["job_id"]), 1, "has no module")
    assert job["job_id"] in shell("jobs", "list").stdout


def test_proplets_and_health(shell):
    page = json.loads(shell("proplets", "list", "--json").stdout)
    assert page["proplets"][0]["alive"] is True
    assert "pass" in shell("health").stdout


def test_unreachable_manager(shell):
    done = shell("--manager-url", "http://127.0.0.1:9", "health")
    assert failed(done, 1, "start one with: propeller up")


def test_demo_plays_the_tutorial(shell):
    done = shell("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    for result in ("30", "20", "300", "150", "100", "500", "3", "7", "11"):
        assert f" {result} " in done.stdout
    assert done.stdout.count("right") == 9
    assert "curl -X POST" in done.stdout
