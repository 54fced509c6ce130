"""The command line against a real system: what it prints, and how it ends."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import wasmtime

from propeller.cli import modules
from propeller.cli.sandbox import grants_of
from propeller.client.api import Client
from propeller.client.errors import ApiError
from tests.builders import padded
from tests.guests.helpers import guest
from tests.runtime.helpers import program


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


def test_run_tries_again_and_heeds_the_time_it_is_given(shell):
    done = shell("run", "division.wat", "1", "0", "--retry", "max_attempts=2,delay=1ms", "--json")
    task = json.loads(done.stdout)
    assert (done.returncode, task["attempt"], task["error_kind"]) == (1, 2, "trap")
    done = shell("run", "endless.wat", "--deadline", "100ms")
    assert (done.returncode, "deadline: the task had not ended within 0.1s" in done.stderr) == (1, True)
    done = shell("run", "addition.wat", "1", "2", "--queue-timeout", "1m", "--json")
    assert json.loads(done.stdout)["queue_timeout"] == "1m"


def test_run_leaves_no_task_that_was_refused_at_its_start(shell):
    """The manager takes a task whose inputs may still come, and refuses to start it without them."""
    before = json.loads(shell("tasks", "list", "--json").stdout)["total"]
    refused = shell("run", "addition.wat")
    assert failed(refused, 1, "main takes 2 parameters (i32, i32), but 0 inputs were given")
    assert json.loads(shell("tasks", "list", "--json").stdout)["total"] == before


def test_run_ends_with_the_exit_code_of_its_program(shell):
    bare = """(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (func (export "_start") (call $exit (i32.const {code}))))"""
    for code in (1, 125, 126, 2**32 - 1):
        (shell.work / "exits.wat").write_text(bare.replace("{code}", str(code)))
        done = shell("run", "exits.wat")
        assert failed(done, code if code <= 125 else 1, f"the program exited with code {code}")
    (shell.work / "exits.wat").write_text(program("(call $exit (i32.const 3))"))
    done = shell("run", "exits.wat", "--json")
    task = json.loads(done.stdout)
    assert (done.returncode, task["error_kind"], task["exit_code"]) == (3, "exit_code", 3)


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
    assert failed(shell("tasks", "view", made["id"]), 1, f"there is no task {made['id']}")


def until_ended(shell, task_id):
    while True:
        shown = shell("tasks", "view", task_id).stdout
        if "Completed" in shown or "Failed" in shown:
            return shown


def test_workflow_file_says_what_became_of_each_task(shell):
    (shell.work / "flow.json").write_text(
        json.dumps(
            {
                "module": "division.wat",
                "tasks": [
                    {"id": "bad", "inputs": [1, 0]},
                    {"id": "after", "inputs": [1, 2], "depends_on": ["bad"]},
                    {"id": "handler", "inputs": [14, 2], "depends_on": ["bad"], "run_if": "failure"},
                ],
            }
        )
    )
    done = shell("workflows", "run", "flow.json")
    assert done.returncode == 1
    assert re.search("^handler-[0-9a-f]{8}: Completed: 7$", done.stdout, re.MULTILINE)
    assert re.search("^after-[0-9a-f]{8}: Skipped: its parent bad", done.stdout, re.MULTILINE)
    (bad,) = re.findall(
        "^(bad-[0-9a-f]{8}) failed: main failed: integer division by zero", done.stdout, re.MULTILINE
    )
    assert f"propeller tasks logs {bad}" in done.stdout
    assert shell("tasks", "view", bad).returncode == 0, "an id as it is printed"


def test_the_examples_of_conditions_do_what_the_page_says(shell):
    page = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text()
    section = page.split("\n## Conditions\n")[1].split("\n## ")[0]
    chain, branch = re.findall("```yaml\n(.*?)```", section, re.DOTALL)
    assert ends_of(shell, chain) == {
        "build": "failed",
        "test": "Skipped",
        "release": "Skipped",
        "rescue": "Completed",
        "report": "Completed",
    }
    assert ends_of(shell, branch) == {
        "sum": "Completed",
        "as-hoped": "Completed",
        "otherwise": "Skipped",
        "join": "Completed",
    }


def ends_of(shell, content):
    (shell.work / "example.yaml").write_text(content)
    done = shell("workflows", "run", "example.yaml")
    found = re.findall(r"^([\w-]+)-[0-9a-f]{8}:? (Completed|Skipped|failed)", done.stdout, re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("tasks: []", "tasks: a list with at least one task"),
        ("tasks: [{id: a, depends_on: [b]}]", "tasks[0].depends_on: there is no task b"),
        ("tasks: [{id: a, module: addition.wat}, {id: a, module: addition.wat}]", "tasks[1].id: a is the id"),
        ("tasks: [{id: a, modul: x}]", "tasks[0].modul: there is no such field"),
        ("tasks: [{id: a}]", "tasks[0].module: name a .wasm or .wat file"),
        ("a: [", "neither YAML nor JSON"),
    ],
)
def test_complaints_about_a_file_name_the_place(shell, content, complaint):
    (shell.work / "bad.yaml").write_text(content)
    assert failed(shell("workflows", "run", "bad.yaml"), 1, complaint)


def test_the_same_file_runs_twice_and_answers_in_json(shell):
    (shell.work / "twice.json").write_text(
        json.dumps(
            {
                "name": "twice",
                "tasks": [
                    {"id": "a", "inputs": [1, 2]},
                    {"id": "b", "inputs": [3, 4], "depends_on": ["a"]},
                ],
            }
        )
    )
    seen = set()
    for _ in range(2):
        done = shell("workflows", "run", "twice.json", "--module", "addition.wat", "--json")
        answer = json.loads(done.stdout)
        assert [task["results"] for task in answer["tasks"]] == ["3\n", "7\n"]
        assert answer["name"] == "twice"
        seen.add(answer["workflow_id"])
    assert len(seen) == 2
    shown = shell("workflows", "view", answer["workflow_id"]).stdout
    assert re.search(r"a-[0-9a-f]{8} +Completed", shown)
    assert shell("workflows", "start", answer["workflow_id"]).stdout == "ok\n"
    assert shell("workflows", "delete", answer["workflow_id"]).stdout == "ok\n"


def test_job_file(shell):
    (shell.work / "job.yaml").write_text(
        "execution_mode: sequential\nmodule: division.wat\n"
        "tasks: [{id: a, inputs: [6, 2]}, {id: b, inputs: [1, 0]}, {id: c, inputs: [3, 4]}]\n"
    )
    done = shell("jobs", "run", "job.yaml")
    assert done.returncode == 1
    assert "1 completed, 1 failed, 1 skipped in" in done.stdout
    lines = re.findall("^([abc])-[0-9a-f]{8}: (.*)$", done.stdout, re.MULTILINE)
    assert lines[:2] == [("a", "Completed: 3"), ("b", lines[1][1])], "one after the other"
    assert lines[1][1].startswith("Failed: main failed: integer division by zero")
    assert [name for name, _ in lines] == ["a", "b", "c"], "each task once, when it ends"


def test_detached_workflow(shell):
    (shell.work / "detached.yaml").write_text("module: addition.wat\ntasks: [{inputs: [1, 2]}]\n")
    done = shell("workflows", "run", "detached.yaml", "--detach", "--json")
    started = json.loads(done.stdout)
    assert started["message"] == "workflow started"
    assert "task-1" in shell("workflows", "view", started["workflow_id"]).stdout


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


def test_flags_count_before_and_after_a_command(shell):
    nowhere = "http://127.0.0.1:9"
    for line in (
        ["-m", nowhere, "tasks", "list"],
        ["tasks", "-m", nowhere, "list"],
        ["tasks", "list", "-m", nowhere],
        ["tasks", "list", f"--manager-url={nowhere}"],
    ):
        assert failed(shell(*line), 1, f"no answer from {nowhere}: Connection refused")
    for line in (
        ["--json", "proplets", "list"],
        ["proplets", "--json", "list"],
        ["proplets", "list", "--json"],
    ):
        assert json.loads(shell(*line).stdout)["total"] == 1
    for line in (["tasks", "-l", "1", "list", "--json"], ["tasks", "list", "--json", "-l", "1"]):
        assert json.loads(shell(*line).stdout)["limit"] == 1


def test_json_is_what_the_manager_answered(shell):
    made = json.loads(shell("tasks", "create", "main", "--json", "--file", "addition.wat").stdout)
    path = f"/tasks/{made['id']}?file=false"
    assert made == shell.system.call("GET", path)
    assert json.loads(shell("tasks", "view", made["id"], "--json").stdout) == made
    assert json.loads(shell("tasks", "update", made["id"], "--inputs", "1,2", "--json").stdout) == (
        shell.system.call("GET", path)
    )
    assert json.loads(shell("tasks", "start", made["id"], "--json").stdout) == {"started": True}
    until_ended(shell, made["id"])
    assert json.loads(shell("tasks", "results", made["id"], "--json").stdout) == {"results": "3\n"}
    assert shell("tasks", "delete", made["id"], "--json").stdout == "", "there was no body"


def test_update_sends_what_is_given_also_false_and_nothing(shell):
    flags = [
        "--daemon",
        "--inputs",
        "1,x",
        "--env",
        'A=1,"B=2,3"',
        "--cli-args",
        "-v,--deep",
        "--kind",
        "standard",
    ]
    made = json.loads(shell("tasks", "create", "main", *flags, "--json").stdout)
    assert made["daemon"] is True
    assert (made["inputs"], made["env"]) == ([1, "x"], {"A": "1", "B": "2,3"})
    assert made["cli_args"] == ["-v", "--deep"]

    changed = json.loads(shell("tasks", "update", made["id"], "--daemon=false", "--json").stdout)
    assert changed == {**made, "daemon": False, "updated_at": changed["updated_at"]}
    changed = json.loads(
        shell("tasks", "update", made["id"], "--env", "", "--name", "other", "--json").stdout
    )
    assert "env" not in changed
    assert (changed["name"], changed["inputs"]) == ("other", [1, "x"])


def test_a_wrong_use_ends_with_2(shell):
    assert failed(shell("tasks", "create", "main", "--env", "HOME"), 2, "--env: 'HOME' has to be KEY=VALUE")
    assert failed(shell("tasks", "list", "--metadata", "team"), 2, "has to be KEY=VALUE")
    assert failed(shell("run", "addition.wat", "--naem", "main"), 2, "No such option: --naem")
    assert failed(shell("tasks", "view"), 2, "ID")
    assert failed(shell("tasks", "create", "main", "--inputs", '"1,2'), 2, "--inputs: a quoted part")
    both = ["--tasks", "[]", "--tasks-file", "x"]
    assert failed(shell("workflows", "create", *both), 2, "use either --tasks or --tasks-file, not both")
    assert failed(shell("workflows", "create", "--tasks", "[]"), 2, "at least one task is required")
    assert failed(shell("jobs", "create", "--name", "n"), 2, "at least one task is required")


def test_tasks_from_a_file_and_from_standard_input(shell):
    tasks = '[{"name": "main", "inputs": [1.5, "x", 20]}]'
    (shell.work / "tasks.json").write_text(tasks)
    for source in ("tasks.json", "-"):
        made = json.loads(shell("workflows", "create", "--tasks-file", source, "--json", stdin=tasks).stdout)
        assert made["tasks"][0]["inputs"] == [1.5, "x", 20]


def test_negative_numbers_are_inputs(shell):
    assert shell("run", "addition.wat", "-5", "3").stdout == "-2\n"
    assert shell("run", "addition.wat", "--", "-5", "-7").stdout == "-12\n"


def test_run_gives_arguments_and_environment_as_they_are(shell):
    flags = ["--arg", "--json", "--arg", "-m", "--env", "LIST=a,b"]
    done = shell("run", "addition.wat", "1", "2", *flags, "--json")
    task = json.loads(done.stdout)
    assert (task["cli_args"], task["env"]) == (["--json", "-m"], {"LIST": "a,b"})
    assert task["inputs"] == [1, 2]


def test_run_asks_which_function_is_meant(shell):
    (shell.work / "two.wat").write_text(
        '(module (func (export "one") (result i32) i32.const 1)'
        ' (func (export "wide") (param v128)) (memory (export "memory") 1) (func (export "_initialize"))'
        ' (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))'
    )
    assert failed(shell("run", "two.wat"), 1, "which of its exported functions is to run (one, wide)?")
    assert shell("run", "two.wat", "--name", "one").stdout == "1\n"


def test_a_directory_is_told_by_its_whole_path(monkeypatch, tmp_path):
    """A proplet has another working directory."""
    monkeypatch.chdir(tmp_path)
    granted = grants_of(["in:/data:rw", "/abs", "../beside"], None, listen=False, seed=None)
    assert granted["dirs"] == [
        {"host": str(tmp_path / "in"), "guest": "/data", "mode": "rw"},
        {"host": "/abs"},
        {"host": str(tmp_path.parent / "beside")},
    ]


def test_lists_say_where_there_is_more(shell):
    for _ in range(2):
        shell("tasks", "create", "main", "--metadata", "shelf=more")
    done = shell("tasks", "list", "--metadata", "shelf=more", "-l", "1")
    assert "1 to 1 of 2 tasks; more with: -o 1" in done.stderr
    assert len(done.stdout.splitlines()) == 2, "headings and one task"
    assert shell("tasks", "list", "--metadata", "shelf=more", "-o", "1").stderr == ""
    assert "no tasks" in shell("tasks", "list", "--metadata", "shelf=none").stderr


def test_output_is_plain_where_nobody_sees_it(shell):
    for line in (
        ["tasks", "list"],
        ["workflows", "list"],
        ["jobs", "list"],
        ["proplets", "list"],
        ["health"],
    ):
        done = shell(*line)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout


def test_proplet_in_all_views(shell):
    (proplet,) = json.loads(shell("proplets", "list", "--json").stdout)["proplets"]
    assert proplet["name"] in shell("proplets", "view", proplet["id"]).stdout
    assert json.loads(shell("proplets", "alive-history", proplet["id"], "--json").stdout)["total"] > 0
    assert "ago" in shell("proplets", "alive-history", proplet["id"]).stdout.replace("just now", "ago")
    assert json.loads(shell("proplets", "sdf", proplet["id"]).stdout)
    assert failed(shell("proplets", "view", "nobody"), 1, "error: there is no proplet nobody")


def test_version_and_help(shell):
    assert re.fullmatch(r"propeller \d+\.\d+\.\d+\n", shell("--version").stdout)
    assert "--execution-mode" in shell("jobs", "create", "-h").stdout


def test_demo_plays_the_tutorial(shell):
    done = shell("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    for result in ("30", "20", "300", "150", "100", "500", "3", "7", "11"):
        assert f" {result} " in done.stdout
    assert done.stdout.count("right") == 9
    assert "curl -X POST" in done.stdout


def test_results_that_are_no_text_come_whole(shell):
    prints = "(drop (call $write (i32.const 1) (i32.const 1024) (i32.const 4)))"
    (shell.work / "bytes.wat").write_text(program(prints, data=r"\89P\0a\ff"))
    with shell.begin("run", "bytes.wat", stdout=subprocess.PIPE) as running:
        assert running.stdout.read() == b"\x89P\n\xff"
    task = json.loads(shell("run", "bytes.wat", "--json").stdout)
    assert (task["results"], task["results_encoding"]) == ("iVAK/w==", "base64")
    assert "4 B that are no text" in shell("tasks", "view", task["id"]).stdout
    assert shell("tasks", "results", task["id"], "-o", "a.bin").returncode == 0
    assert (shell.work / "a.bin").read_bytes() == b"\x89P\n\xff"
    assert failed(shell("tasks", "results", task["id"], "-o", "no/a.bin"), 1, "no/a.bin: can't be written")


def test_standard_input_from_a_file_a_pipe_and_a_parent(shell):
    (shell.work / "cat.wasm").write_bytes(guest("cat"))
    (shell.work / "bytes").write_bytes(b"\xff\n")
    with shell.begin("run", "cat.wasm", "--stdin", "bytes", stdout=subprocess.PIPE) as running:
        assert running.stdout.read() == b"\xff\n"
    assert shell("run", "cat.wasm", "--stdin", "-", stdin="from a pipe").stdout == "from a pipe"
    assert failed(shell("run", "cat.wasm", "--stdin", "missing"), 1, "missing can't be read")
    (shell.work / "pipe.yaml").write_text(
        "module: cat.wasm\n"
        "tasks:\n"
        "  - {id: a, stdin_file: bytes}\n"
        "  - {id: b, depends_on: [a], stdin: {from: a}}\n"
        "  - {id: c, stdin: as text}\n"
    )
    done = json.loads(shell("workflows", "run", "pipe.yaml", "--json").stdout)
    assert [task["results"] for task in done["tasks"]] == ["/wo=", "/wo=", "as text"]
    task = done["tasks"][1]
    assert f'{{"from": "{done["tasks"][0]["id"]}"}}' in shell("tasks", "view", task["id"]).stdout
    (shell.work / "pipe.yaml").write_text("module: cat.wasm\ntasks:\n  - {id: a, stdin_file: none}\n")
    said = shell("workflows", "run", "pipe.yaml")
    assert failed(said, 1, "pipe.yaml:3:13: tasks[0].stdin_file: none can't be read")


def test_who_waits_for_a_large_module_is_told_that_it_is_compiled(shell):
    (shell.work / "large.wasm").write_bytes(padded(5 * 2**20))
    done = shell("run", "large.wasm", "1", "2")
    assert done.stdout == "3\n"
    assert "its proplet compiles its module of 5 MiB before it begins" in done.stderr
    assert "reason" not in json.loads(shell("run", "large.wasm", "1", "2", "--json").stdout)


def test_a_large_module_is_uploaded(shell, monkeypatch):
    monkeypatch.setattr(modules, "INLINE_CHARS_MAX", 100)
    large = padded(200)
    with Client(str(shell.system.http.base_url)) as client:
        task = modules.create_task(client, {"name": "main", "inputs": [1, 2]}, large)
        assert client.task_file(task["id"]) == large
        modules.update_task(client, task["id"], {"inputs": [4, 5]}, larger := padded(300))
        assert (client.task_file(task["id"]), client.task(task["id"])["inputs"]) == (larger, [4, 5])
        # Another function in another module: the fields come first, and the upload is held to them.
        other = bytes(wasmtime.wat2wasm('(module (func (export "sub") (param i32 i32 i32)))'))
        other += bytes([0, 101, 1, *bytes(100)])
        modules.update_task(client, task["id"], {"name": "sub", "inputs": [1, 2, 3]}, other)
        assert (client.task_file(task["id"]), client.task(task["id"])["name"]) == (other, "sub")
        with pytest.raises(ApiError, match=r"exported are: main.* has not changed, but these have: name$"):
            modules.update_task(client, task["id"], {"name": "sup"}, larger)
        assert (client.task_file(task["id"]), client.task(task["id"])["name"]) == (other, "sup")
        known = client.tasks()["total"]
        with pytest.raises(ApiError):
            modules.create_task(client, {"name": "main"}, b"no module" * 20)
        assert client.tasks()["total"] == known, "nothing is left of it"
