"""The client and the command line of the existing system, which are in Go: they read inputs as texts."""

from typing import Any

import msgspec
import pytest

from tests.api.helpers import ADDITION_TEXT, play

GO = {"User-Agent": "Go-http-client/1.1"}


class GoTask(msgspec.Struct):
    """What the existing client decodes of a task (``http-api``, section 9): another type is an error."""

    id: str
    name: str
    state: int
    cli_args: list[str] | None
    daemon: bool
    inputs: list[str] | None = None
    file: str = ""
    env: dict[str, str] = {}
    depends_on: list[str] = []
    results: Any = None
    metadata: dict[str, Any] = {}


class GoTasks(msgspec.Struct):
    tasks: list[GoTask]


class GoJobs(msgspec.Struct):
    jobs: list[GoTasks]


TASKS = [
    {"id": "a", "name": "f", "file": ADDITION_TEXT, "inputs": [1, 2.5, 3.0, -0.0, "x", None]},
    {"id": "b", "name": "f", "depends_on": ["a"], "inputs": [{"from": "a"}, "is ${a}", 2**63 - 1]},
    {"id": "c", "name": "f"},
]
TEXTS = {"a": ["1", "2.5", "3", "-0", "x", ""], "b": ["${a}", "is ${a}", "9223372036854775807"], "c": None}


@pytest.mark.parametrize("kind", ["workflow", "job"])
def test_go_programs_get_inputs_as_texts_wherever_tasks_are_shown(tmp_path, kind):
    async def part(site):
        async def asked(method, path, shape, **body):
            response = await site.http.request(method, path, headers=GO, **body)
            assert response.is_success, response.text
            return msgspec.json.decode(response.content, type=shape)

        tasks = [{**task, f"{kind}_id": "g"} for task in TASKS]
        found = [
            await asked("POST", f"/{kind}s", GoTasks, json={"tasks": tasks}),
            await asked("GET", "/tasks", GoTasks),
            await asked("GET", f"/{kind}s/g", GoTasks),
            *((await asked("GET", "/jobs", GoJobs)).jobs if kind == "job" else ()),
        ]
        for shown in found:
            assert {task.id: task.inputs for task in shown.tasks} == TEXTS
        alone = await asked("POST", "/tasks", GoTask, json={"name": "f", "inputs": [7]})
        assert alone.inputs == ["7"]
        path = f"/tasks/{alone.id}"
        assert (await asked("GET", path, GoTask)).inputs == ["7"]
        assert (await asked("PUT", path, GoTask, json={"inputs": [8]})).inputs == ["8"]
        module = {"file": ("a.wasm", b"\0asm\1\0\0\0", "application/wasm")}
        assert (await asked("PUT", f"{path}/upload", GoTask, files=module)).inputs == ["8"]

    play(part, tmp_path)


def test_everybody_else_gets_inputs_as_they_were_given(tmp_path):
    async def part(site):
        created = await site.post("/workflows", {"tasks": TASKS})
        expected = [[1, 2.5, 3.0, -0.0, "x", ""], [{"from": "a"}, "is ${a}", 2**63 - 1], None]
        assert [task.get("inputs") for task in created["tasks"]] == expected
        assert str(created["tasks"][0]["inputs"][3]) == "-0.0"
        assert (await site.get("/tasks"))["tasks"] == created["tasks"]

    play(part, tmp_path)
