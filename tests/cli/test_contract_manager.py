"""Commands against a manager that only knows the contract: no events, no logs, no workflows after their creation."""

import asyncio
import json
import os
import re
import sys
from urllib.parse import parse_qsl, urlencode

from propeller.core.states import COMPLETED, INTERRUPTED, PENDING, RUNNING
from tests.api.helpers import DEADLINE_S, Site, a_manager, serving

ADDITION = '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: What the contract has of what these commands ask for (``http-api``, section 2); ids are UUIDs in its newest source.
ROUTES = [
    r"(GET|POST) /tasks",
    r"(GET|PUT|DELETE) /tasks/[^/]+",
    rf"POST /tasks/{UUID}/(start|stop|invoke)",
    r"GET /tasks/[^/]+/results",
    r"PUT /tasks/[^/]+/upload",
    r"POST /workflows",
    r"(GET|POST) /jobs",
    r"GET /jobs/[^/]+",
    r"POST /jobs/[^/]+/(start|stop)",
]
#: What it takes of a task that is created, and of one that is changed (section 3.4).
OF_NEW = set("id name file inputs env cli_args daemon latent depends_on priority metadata run_if".split())
OF_CHANGED = {"name", "inputs", "file", "priority", "metadata"}
#: The query parameters that it knows (section 1.1), and what it takes of a workflow and a job.
QUERIES = {"/tasks": {"offset", "limit", "metadata"}, "/jobs": {"offset", "limit", "status"}}
OF_GROUP = {"/workflows": {"tasks"}, "/jobs": {"tasks", "name", "execution_mode"}}


class ContractOnly:
    """Stands before our manager and lets through what the contract has."""

    def __init__(self, app):
        self._app = app
        self.missed = []
        self.asked = []

    async def __call__(self, scope, receive, send):
        asked = f"{scope['method']} {scope['path']}"
        if not any(re.fullmatch(route, asked) for route in ROUTES):
            self.missed.append(asked)
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 404, "headers": headers})
            await send({"type": "http.response.body", "body": b"404 page not found\n"})
            return
        known = QUERIES.get(scope["path"], set())
        asked_for = parse_qsl(scope["query_string"].decode())
        query = urlencode([(name, value) for name, value in asked_for if name in known])
        scope = {**scope, "query_string": query.encode()}
        self.asked.append(asked)
        is_json = any(value == b"application/json" for _, value in scope["headers"])
        if re.fullmatch("GET /jobs/[^/]+", asked):
            send = self._any_job(scope["path"].removeprefix("/jobs/"), send)
        await self._app(scope, await self._less(asked, receive) if is_json else receive, send)

    def _any_job(self, job_id, send):
        """A job that is not there is one without tasks (section 5)."""
        is_none = False

        async def send_any(message):
            nonlocal is_none
            if message["type"] == "http.response.start" and message["status"] == 404:
                is_none = True
                message = {**message, "status": 200, "headers": [(b"content-type", b"application/json")]}
            elif is_none:
                message = {**message, "body": json.dumps({"job_id": job_id, "tasks": []}).encode()}
            await send(message)

        return send_any

    async def _less(self, asked, receive):
        body, is_over = b"", False
        while not is_over:
            message = await receive()
            body += message.get("body", b"")
            is_over = not message.get("more_body")
        fields = json.loads(body or b"null")
        known = OF_CHANGED if asked.startswith("PUT") else OF_NEW
        if isinstance(fields, dict) and "tasks" in fields:
            group = OF_GROUP[asked.split()[1]]
            fields = {name: value for name, value in fields.items() if name in group}
            fields["tasks"] = [self._known(task, known) for task in fields["tasks"]]
        elif isinstance(fields, dict):
            fields = self._known(fields, known)
        less = json.dumps(fields).encode() if body else b""
        given = iter([{"type": "http.request", "body": less, "more_body": False}])

        async def receive_less():
            return next(given, None) or await receive()

        return receive_less

    def _known(self, task, known):
        return {name: value for name, value in task.items() if name in known}


class Scene(Site):
    """Such a manager, which serves commands; its proplet adds numbers."""

    async def run(self, *words):
        """Run a command; give its exit code, its stdout and its stderr."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "propeller", *words),
            env={**os.environ, "PROPELLER_MANAGER_URL": str(self.http.base_url)},
            cwd=self.directory,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async def tasks(self):
        return (await self.get("/tasks"))["tasks"]


def play(part, directory):
    (directory / "addition.wat").write_text(ADDITION)
    (directory / "two.yaml").write_text(
        "module: addition.wat\n"
        "tasks: [{id: first, inputs: [1, 2]}, {id: next, inputs: [3, 4], depends_on: [first]}]\n"
    )
    gates = []

    def before(app):
        gates.append(ContractOnly(app))
        return gates[0]

    async def scene():
        manager_directory = directory / "data"
        async with (
            asyncio.timeout(DEADLINE_S),
            a_manager(manager_directory) as manager,
            serving(manager, before) as http,
        ):
            site = Scene(manager, http)
            site.directory, site.gate = directory, gates[0]
            site.bring_proplet()
            await part(site)

    asyncio.run(scene())


def test_a_module_is_run_and_looked_for_now_and_then(tmp_path):
    async def part(site):
        assert await site.run("run", "addition.wat", "1", "2") == (0, "3\n", "")
        assert "GET /events" in site.gate.missed
        (task,) = await site.tasks()
        assert task["state"] == COMPLETED

    play(part, tmp_path)


def test_workflows_and_jobs_are_run(tmp_path):
    async def part(site):
        for kind in ("workflows", "jobs"):
            code, out, err = await site.run(kind, "run", "two.yaml")
            assert (code, err) == (0, ""), out
            assert "2 completed" in out
        (root, child, *of_job) = await site.tasks()
        assert (root["results"], child["results"]) == ("3\n", "7\n")
        assert [re.fullmatch(UUID, one["id"]) is not None for one in (root, child)] == [True, True]
        assert len(of_job) == 2
        assert {task["state"] for task in of_job} == {COMPLETED}
        code, out, _ = await site.run("workflows", "view", root["workflow_id"], "--json")
        assert [task["id"] for task in json.loads(out)["tasks"]] == [root["id"], child["id"]]
        code, _, err = await site.run("workflows", "view", "nobody")
        assert (code, err) == (1, "error: there is no task of a workflow nobody\n")
        code, _, err = await site.run("jobs", "watch", "nobody")
        assert (code, err.startswith("error: there is no job nobody; there are ")) == (1, True)

    play(part, tmp_path)


def test_a_workflow_is_started_and_stopped_task_by_task(tmp_path):
    async def part(site):
        site.is_slow = True
        code, _, err = await site.run("workflows", "run", "two.yaml", "--detach")
        assert (code, err) == (0, "")
        first, _ = await site.tasks()
        await site.reached(RUNNING, first["id"])
        assert (await site.run("workflows", "stop", first["workflow_id"]))[0] == 0
        assert (await site.get(f"/tasks/{first['id']}"))["state"] == INTERRUPTED

    play(part, tmp_path)


def test_what_the_manager_passes_over_is_said(tmp_path):
    async def part(site):
        await site.post("/tasks", {"id": "t", "name": "main"})
        code, out, err = await site.run("tasks", "update", "t", "--env", "A=b", "--priority", "7")
        assert code == 1
        assert "the manager has not taken over env of task t" in err
        assert (await site.run("tasks", "update", "t", "--priority", "8", "--inputs", "1,2.5,x"))[0] == 0
        code, out, err = await site.run("tasks", "create", "main", "--timeout", "5s", "--env", "A=b")
        assert (code, "taken over timeout of task" in err) == (1, True)
        code, out, err = await site.run("run", "addition.wat", "1", "2", "--limit", "memory=1MiB")
        assert (code, out) == (1, "")
        assert "has not taken over limits" in err
        assert "it is not started" in err
        assert [(task["name"], task["state"]) for task in await site.tasks()] == [("main", PENDING)] * 2
        (tmp_path / "limited.yaml").write_text("module: addition.wat\ntasks: [{id: a, timeout: 5s}]\n")
        code, out, err = await site.run("workflows", "run", "limited.yaml")
        assert (code, "has not taken over timeout of tasks" in err) == (1, True)
        tasks = ["--tasks", '[{"name": "main", "timeout": "0s", "limits": {"memory": 0}, "proplet_id": ""}]']
        assert (await site.run("workflows", "create", *tasks))[0] == 0, "it asks for nothing"
        code, out, err = await site.run("workflows", "create", *tasks, "--name", "nightly")
        assert (code, "not taken over name of it" in err, "main" in out) == (1, True, True)
        code, out, err = await site.run("jobs", "create", *tasks, "--name", "n", "--no-fail-fast")
        assert (code, "not taken over fail_fast of it" in err) == (1, True)
        tasks[1] = '[{"name": "main", "env": {"A": "b"}, "required_tags": ["gpu"]}]'
        code, out, err = await site.run("jobs", "create", *tasks, "--name", "n")
        assert (code, "not taken over required_tags of tasks" in err) == (1, True)

    play(part, tmp_path)


def test_filters_that_it_does_not_know_are_refused_or_applied_here(tmp_path):
    async def part(site):
        for name in ("one", "two"):
            await site.post("/jobs", {"job_id": name, "name": name, "tasks": [{"name": name}]})
        code, _, err = await site.run("tasks", "list", "--name", "two")
        assert (code, "can't choose tasks by name, which it does not know" in err) == (1, True)
        code, out, _ = await site.run("tasks", "list", "--name", "two", "--all", "--json")
        assert [task["name"] for task in json.loads(out)["tasks"]] == ["two"]
        code, _, err = await site.run("tasks", "list")
        assert (code, err) == (0, "the manager lists the oldest first: it knows no other order\n")
        code, out, _ = await site.run("jobs", "view", "two", "--json")
        assert [task["name"] for task in json.loads(out)["tasks"]] == ["two"]
        code, out, _ = await site.run("tasks", "delete", "--name", "two", "--yes", "--json")
        assert (code, len(json.loads(out)["deleted_ids"])) == (0, 1)
        assert [task["name"] for task in await site.tasks()] == ["one"]

    play(part, tmp_path)
