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
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from propeller.cli import formatting, live
from propeller.cli.board import Board
from propeller.cli.commands import new_app
from propeller.cli.views import outcome
from propeller.errors import PropellerError

app = new_app()

_WAT = """\
(module
  (func (export "main") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.add))
"""
_UP_S_MAX = 30
_STOP_S_MAX = 20


@app.command()
def demo(
    whole: Annotated[bool, typer.Option("--whole", help="Show every answer in full.")] = False,
) -> None:
    """Play the tutorial on a temporary system.

    It runs a workflow and two jobs, and shows each step as the command that a reader would type.
    """
    with tempfile.TemporaryDirectory(prefix="propeller-demo-") as work, _system(Path(work)) as base:
        player = _Player(base, Path(work), whole=whole)
        player.console.rule("[bold]Propeller: the tutorial")
        player.say(f"A manager and a proplet run at {base} for this tutorial; both stop when it ends.")
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
        try:
            process.communicate(timeout=_STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


class _Player:
    """Plays the commands of the tutorial, and checks the results."""

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
        """Print the curl command, send the same request, print the answer."""
        shown = f'curl -X {method} "{self._base}{path}"' if method != "GET" else f'curl "{self._base}{path}"'
        if body is not None:
            text = _pretty(body)
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
            self.console.print("… shortened: the task with its module, like the one above", style="dim")
        else:
            self.console.print(JSONHighlighter()(_pretty(answer)))
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
        self._play("/tasks/task-001/start", "workflow", created[0]["workflow_id"])
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
        self._play(f"/jobs/{job_id}/start", "job", job_id)
        self._collect(self.curl("GET", f"/jobs/{job_id}")["tasks"])

    def _upload(self, task_ids: list[str]) -> None:
        for number, task_id in enumerate(task_ids):
            self.curl("PUT", f"/tasks/{task_id}/upload", upload=True, quiet=number > 0)

    def _play(self, start: str, kind: str, group_id: str) -> None:
        """Start a group, and show each change of state until all of its tasks have ended."""
        target = live.target(self._client, kind, group_id)
        target.start = lambda _: self.curl("POST", start)
        board = Board(target.look(group_id)["tasks"])
        self.say("")
        for changed in live.follow(self._client, target, board):
            for task_id in changed:
                self.console.print(self._line(board.tasks[task_id]))

    def _line(self, task: dict[str, Any]) -> Text:
        line = Text()
        line.append_text(formatting.icon(task["state"], is_unicode=self.console.encoding.startswith("utf")))
        line.append(f" {task['updated_at'][11:23]}  {task['id']}  ")
        line.append_text(formatting.state(task["state"]))
        said = outcome(task, 200)
        return line.append(f"  {said}" if said else "")

    def _collect(self, tasks: list[Any]) -> None:
        for task in tasks:
            wanted = f"{sum(task['inputs'])}\n"
            sign = "right" if task.get("results") == wanted else f"wrong, not {wanted!r}"
            inputs = " + ".join(map(str, task["inputs"]))
            self._rows.append((task["id"], inputs, formatting.result(task.get("results", "")), sign))

    def summary(self) -> bool:
        self.console.rule("The results")
        table = Table("task", "inputs", "result", "")
        for row in self._rows:
            table.add_row(*row)
        self.console.print(table)
        self.say("Start your own with: propeller up")
        return len(self._rows) == 9 and all(row[3] == "right" for row in self._rows)


def _pretty(value: Any, indent: str = "") -> str:
    """Write JSON as the tutorial prints it: indented, but short lists and objects on one line."""
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    text = json.dumps(value, ensure_ascii=False)
    is_flat = not any(isinstance(item, dict | list) for item in items)
    if isinstance(value, dict) and is_flat and len(items) == 1:
        return f"{{ {text[1:-1]} }}"
    if not items or (is_flat and isinstance(value, list)):
        return text
    deeper = indent + "  "
    parts = [_pretty(item, deeper) for item in items]
    if isinstance(value, dict):
        parts = [f"{json.dumps(name)}: {part}" for name, part in zip(value, parts, strict=True)]
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{closing}"
