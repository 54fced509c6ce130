"""``propeller demo``: the whole tutorial, played against a temporary system of its own."""

import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from propeller.cli import words
from propeller.errors import PropellerError

_WAT = """\
(module
  (func (export "main") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.add))
"""
_UP_S_MAX = 30


def demo(
    keep: Annotated[bool, typer.Option(help="Show every answer whole.")] = False,
) -> None:
    """Play the tutorial: a workflow and two jobs, each step as the command a reader would type."""
    with tempfile.TemporaryDirectory(prefix="propeller-demo-") as work, _system(Path(work)) as base:
        player = _Player(base, Path(work), whole=keep)
        player.console.rule("[bold]Propeller: the tutorial")
        player.say(f"A manager and a proplet of their own run at {base}; both are gone when this ends.")
        player.module()
        player.workflow()
        player.job("parallel", "addition-pipeline", "job", [(100, 50), (25, 75), (200, 300)])
        player.job("sequential", "sequential-pipeline", "seq", [(1, 2), (3, 4), (5, 6)])
        is_right = player.summary()
    raise typer.Exit(0 if is_right else 1)


@contextmanager
def _system(work: Path) -> Iterator[str]:
    """Run ``propeller up`` on a free port; yields its address."""
    command = [sys.executable, "-m", "propeller", "up", "--host", "127.0.0.1", "--port", "0"]
    with (work / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--data-dir", str(work / "data")], stdout=subprocess.PIPE, stderr=log, text=True
        )
    hurry = threading.Timer(_UP_S_MAX, process.kill)
    hurry.start()
    try:
        assert process.stdout is not None
        found = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
        hurry.cancel()
        if found is None:
            raise PropellerError(f"the system did not start: {(work / 'log').read_text().strip()}")
        yield found[0]
    finally:
        hurry.cancel()
        process.terminate()
        process.communicate()


class _Player:
    """Types the commands of the tutorial, and checks what comes back."""

    def __init__(self, base: str, work: Path, *, whole: bool) -> None:
        from propeller.client.api import Client  # noqa: PLC0415

        self.console = Console(highlight=False, soft_wrap=True)
        self._base = base
        self._work = work
        self._whole = whole
        self._client = Client(base)
        self._rows: list[tuple[str, str, str, str]] = []

    def say(self, text: str) -> None:
        self.console.print(text)

    def module(self) -> None:
        import wasmtime  # noqa: PLC0415

        self.console.rule("The module: an addition")
        self.say(_WAT)
        (self._work / "addition.wasm").write_bytes(wasmtime.wat2wasm(_WAT))

    def curl(
        self, method: str, path: str, *, body: Any = None, upload: bool = False, quiet: bool = False
    ) -> Any:
        """Print the curl command, send the same request, print what came back."""
        shown = f'curl -X {method} "{self._base}{path}"' if method != "GET" else f'curl "{self._base}{path}"'
        if body is not None:
            text = json.dumps(body, indent=2)
            shown += f" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{text}'"
        if upload:
            shown += ' \\\n  -F "file=@addition.wasm"'
        self.console.print(f"\n$ {shown}", style="bold", markup=False)
        given: dict[str, Any] = {} if body is None else {"json": body}
        if upload:
            data = (self._work / "addition.wasm").read_bytes()
            given = {"files": {"file": ("addition.wasm", data, "application/wasm")}}
        answer = self._client.request(method, path, **given)
        if quiet and not self._whole:
            self.console.print("(the task, as above, with its module)", style="dim")
        else:
            self.console.print_json(json.dumps(answer), indent=2)
        return answer

    def workflow(self) -> None:
        self.console.rule("Part 1: a workflow")
        self.say("task-002 and task-003 start by themselves, side by side, when task-001 has completed.")
        tasks: list[dict[str, Any]] = [
            {"id": "task-001", "name": "main", "inputs": [10, 20]},
            {"id": "task-002", "name": "main", "inputs": [5, 15], "depends_on": ["task-001"]},
            {"id": "task-003", "name": "main", "inputs": [100, 200], "depends_on": ["task-001"]},
        ]
        created = self.curl("POST", "/workflows", body={"tasks": tasks})["tasks"]
        self._upload([task["id"] for task in created])
        self._play("/tasks/task-001/start", {"workflow_id": created[0]["workflow_id"]}, len(tasks))
        self._collect(self.curl("GET", "/tasks")["tasks"])

    def job(self, mode: str, name: str, prefix: str, inputs: list[tuple[int, int]]) -> None:
        self.console.rule(f"Part 2: a {mode} job")
        tasks = [
            {"id": f"{prefix}-task-{number:03}", "name": "main", "inputs": list(pair)}
            for number, pair in enumerate(inputs, start=1)
        ]
        body = {"name": name, "execution_mode": mode, "tasks": tasks}
        job_id = self.curl("POST", "/jobs", body=body)["job_id"]
        self._upload([str(task["id"]) for task in tasks])
        self._play(f"/jobs/{job_id}/start", {"job_id": job_id}, len(tasks))
        self._collect(self.curl("GET", f"/jobs/{job_id}")["tasks"])

    def _upload(self, task_ids: list[str]) -> None:
        for number, task_id in enumerate(task_ids):
            self.curl("PUT", f"/tasks/{task_id}/upload", upload=True, quiet=number > 0)

    def _play(self, start: str, only: dict[str, str], count: int) -> None:
        """Start it and show each change of state until all tasks have ended."""
        ended: set[str] = set()
        is_started = False
        for event in self._client.follow(
            workflow_id=only.get("workflow_id", ""), job_id=only.get("job_id", "")
        ):
            if event is None:
                if not is_started:
                    is_started = True
                    self.curl("POST", start)
                    self.say("")
                continue
            state = event["state"]
            line = words.icon(state, is_unicode=self.console.encoding.startswith("utf"))
            line.append(f" {event['time'][11:23]}  {event['task_id']}  ")
            line.append_text(words.state(state))
            if event.get("results") is not None:
                line.append(f"  {words.result(event['results'])}")
            self.console.print(line)
            if words.has_ended(state):
                ended.add(event["task_id"])
            if len(ended) == count:
                return

    def _collect(self, tasks: list[Any]) -> None:
        for task in tasks:
            wanted = f"{sum(task['inputs'])}\n"
            sign = "right" if task.get("results") == wanted else f"wrong, not {wanted!r}"
            inputs = " + ".join(map(str, task["inputs"]))
            self._rows.append((task["id"], inputs, words.result(task.get("results", "")), sign))

    def summary(self) -> bool:
        from rich.table import Table  # noqa: PLC0415

        self.console.rule("What came of it")
        table = Table("task", "inputs", "result", "")
        for row in self._rows:
            table.add_row(*row)
        self.console.print(table)
        self.say("Start your own with: propeller up")
        return len(self._rows) == 9 and all(row[3] == "right" for row in self._rows)
