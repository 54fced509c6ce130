"""The examples of ``docs/workflows.md``, as a reader would type them, against a manager with proplets.

Those of conditions, of the history and of submitting twice have tests of their own.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.local.harness import System
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "workflows.md").read_text()
#: A file whose last task fails unless the divisor is another.
NIGHTLY = """
name: nightly
tasks:
  - {id: extract, name: main, module: addition.wat, inputs: [1, 2]}
  - {id: transform, name: main, module: addition.wat, depends_on: [extract], inputs: ["${extract}", 3]}
  - {id: load, name: main, module: division.wat, depends_on: [transform], inputs: [6, 0]}
"""
DIVISION = '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s))'


class Reader:
    """Types what the page says, in a directory with modules in it."""

    def __init__(self, system: System, work: Path):
        self.system = system
        self.work = work
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.env = {**os.environ, "PATH": path, "PROPELLER_MANAGER_URL": str(system.http.base_url)}
        self._host = str(system.http.base_url).removeprefix("http://").rstrip("/")

    def types(self, text: str, *, code: int = 0) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text.replace("localhost:7070", self._host)],
            cwd=self.work,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def asks(self, path: str):
        answer = self.system.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def newest(self, kind: str):
        """Give the workflow or job that was made last, with its tasks by their ids in the file."""
        group = self.asks(f"/{kind}s?limit=1")[f"{kind}s"][0]
        tasks = self.asks(f"/tasks?{kind}_id={group[f'{kind}_id']}")["tasks"]
        return group, {re.sub(r"-[0-9a-f]{8}$", "", task["id"]): task for task in tasks}

    def attempts(self) -> dict[str, int]:
        return {name: task.get("attempt", 1) for name, task in self.newest("workflow")[1].items()}

    def ended(self, workflow_id: str) -> int:
        """Wait until a workflow has ended; give its state."""
        path = f"/workflows/{workflow_id}?tasks=false"
        until(
            lambda: not any(self.asks(path)["counts"][name] for name in ("pending", "scheduled", "running"))
        )
        return self.asks(path)["state"]


@pytest.fixture
def reader(tmp_path):
    (tmp_path / "addition.wat").write_text((ROOT / "examples" / "addition.wat").read_text())
    (tmp_path / "division.wat").write_text(DIVISION)
    (tmp_path / "nightly.yaml").write_text(NIGHTLY)
    system = System(tmp_path / "data")
    system.up(env={**os.environ})
    yield Reader(system, tmp_path)
    system.clean_up()


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(name), re.DOTALL)


def test_retries(reader):
    (given,) = blocks("Retries", "yaml")
    (reader.work / "fetch.yaml").write_text(given)
    reader.types("propeller workflows run fetch.yaml --module addition.wat")
    workflow, tasks = reader.newest("workflow")
    assert (workflow["name"], workflow["timeout"], workflow["state"]) == ("fetch-and-count", "10m", 3)
    fetch, count = tasks["fetch"], tasks["count"]
    assert (fetch["timeout"], fetch["deadline"], fetch["queue_timeout"]) == ("30s", "5m", "1m")
    assert fetch["retry"] == {
        "max_attempts": 5,
        "delay": "1s",
        "backoff": 2.0,
        "max_delay": "1m",
        "jitter": 0.2,
        "on": ["timeout", "trap", "limit"],
    }
    assert (count["retry"]["max_attempts"], count["retry"]["delay"]) == (3, "0.5s")
    assert "Completed" in reader.types(f"propeller tasks attempts {fetch['id']}")


def test_what_is_left_out_of_a_policy_is_as_the_page_says(reader):
    task = reader.system.http.post("/tasks", json={"name": "main", "retry": {}}).json()
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", section("Retries"), re.MULTILINE))
    shown = {name: str(task["retry"].get(name)).removesuffix(".0") for name in rows if name != "on"}
    assert shown == {name: value for name, value in rows.items() if name != "on"}


def test_rerun(reader):
    reader.types("propeller workflows run nightly.yaml", code=1)
    workflow, tasks = reader.newest("workflow")
    workflow_id, transform = workflow["workflow_id"], tasks["transform"]["id"]
    commands = blocks("Rerun", "sh")[0].splitlines()
    bodies = [json.loads(body) for body in blocks("Rerun", "json")]
    everything = {"extract", "transform", "load"}
    again = [{"load"}, everything, {"transform", "load"}]
    for command, body, wanted in zip(commands, bodies, again, strict=True):
        before = reader.attempts()
        reader.types(command.partition("#")[0])
        assert reader.ended(workflow_id) == 4
        once = reader.attempts()
        assert {name for name in everything if once[name] > before[name]} == wanted, command
        sent = {key: transform if value == "transform" else value for key, value in body.items()}
        reader.system.call("POST", f"/workflows/{workflow_id}/rerun", sent)
        assert reader.ended(workflow_id) == 4
        twice = reader.attempts()
        assert {name for name in everything if twice[name] > once[name]} == wanted, body
    (clone,) = re.findall(r"`(propeller workflows clone .*?)`", section("Rerun"))
    reader.types(clone)
    workflow, tasks = reader.newest("workflow")
    assert (workflow["name"], workflow["state"], len(tasks)) == ("trial", 0, 3)


def test_limits(reader):
    (given,) = blocks("Limits", "yaml")
    (reader.work / "crawl.yaml").write_text(given)
    reader.types("propeller workflows run crawl.yaml --module addition.wat")
    workflow, tasks = reader.newest("workflow")
    assert (workflow["max_parallel"], workflow["fail_fast"]) == (2, True)
    began = sorted(tasks, key=lambda name: tasks[name]["start_time"])
    assert set(began[:2]) == {"a", "c"}
    (command,) = re.findall(r"`(propeller workflows run crawl.yaml .*?)`", section("Limits"))
    reader.types(f"{command} --module addition.wat")
    workflow, _ = reader.newest("workflow")
    assert (workflow["max_parallel"], workflow.get("fail_fast", False)) == (4, False)


def test_labels_and_lists(reader):
    commands, request, earlier = blocks("Labels and lists", "sh")
    (reader.work / "sums.yaml").write_text(NIGHTLY.replace("nightly", "sums").replace("[6, 0]", "[6, 2]"))
    run, listed, delete = commands.splitlines()
    reader.types(run.partition("#")[0])
    (reader.work / "sums.yaml").write_text(
        f"labels: {{{re.findall('labels: {(.*?)}', run)[0]}}}\n" + NIGHTLY.replace("nightly", "failing")
    )
    reader.types("propeller jobs run sums.yaml", code=1)
    job, _ = reader.newest("job")
    assert job["labels"] == {"team": "ops", "env": "prod"}
    assert job["job_id"] in reader.types(f"{listed} --json")
    assert json.loads(reader.types(request))["total"] == 2
    of_jobs = json.loads(reader.types(earlier.replace("/workflows", "/jobs")))["jobs"]
    assert [job["earlier"] for job in of_jobs] == [[], []]
    reader.types(delete)
    assert json.loads(reader.types(request))["total"] == 2, "they are not a week old"
    reader.types(delete.replace("--until 168h ", ""))
    assert json.loads(reader.types(request))["total"] == 0


def test_schedules(reader):
    (given,) = blocks("Schedules", "yaml")
    (reader.work / "nightly.yaml").write_text(given)
    run, show, pause, start, task = blocks("Schedules", "sh")[0].splitlines()
    reader.types(run.partition("#")[0])
    workflow, tasks = reader.newest("workflow")
    assert (workflow["state"], workflow["schedule"]) == (0, "0 2 * * MON-FRI")
    assert {task["state"] for task in tasks.values()} == {0}
    reader.types("propeller workflows watch nightly", code=1)
    assert "2026-12" in reader.types(show.partition("#")[0])
    reader.types(pause.partition("#")[0])
    reader.types(pause.partition("#")[0].replace("--pause", "--resume"))
    reader.types(start.partition("#")[0])
    copy, _ = reader.newest("workflow")
    assert copy["run_of"] == workflow["workflow_id"]
    assert reader.ended(copy["workflow_id"]) == 3
    reader.types(task)


def test_each_link_leads_to_a_heading():
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= headings


def test_a_workflow_in_a_workflow(reader):
    (given,) = blocks("A workflow in a workflow", "yaml")
    (reader.work / "report.yaml").write_text(given)
    reader.types("propeller workflows run report.yaml")
    groups = {group["name"]: group for group in reader.asks("/workflows")["workflows"]}
    outer, inner = groups["report"], groups["load"]
    tasks = reader.asks(f"/workflows/{outer['workflow_id']}")["tasks"]
    load = next(task for task in tasks if task["id"].startswith("load-"))
    assert (load["results"], tasks[2]["state"]) == ({"sums": "7\n"}, 3)
    assert (inner["run_for"], inner["workflow_id"]) == (load["id"], load["runs_workflow"])
    shown = reader.types(f"propeller workflows view {outer['workflow_id']}")
    assert f"workflow {load['id']}.1" in shown
    assert f"run by task {load['id']}" in reader.types(f"propeller workflows view {inner['workflow_id']}")
