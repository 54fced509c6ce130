"""What became of a task, workflow or job, in the terminal: all that is kept, and what comes."""

import asyncio
import json
import os
import signal
import sys

from propeller.cli import history
from propeller.core.states import COMPLETED
from tests.api.helpers import ADDITION_TEXT, DEADLINE_S, Site, a_manager, serving


class Scene(Site):
    """A manager that serves commands."""

    async def begin(self, *words):
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "propeller", *words),
            env={**os.environ, "PROPELLER_MANAGER_URL": str(self.http.base_url), "TZ": "UTC"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *words):
        """Run a command; give its exit code, its stdout and its stderr."""
        process = await self.begin(*words)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async def create(self, *tasks, **more):
        named = [{"name": "f", "file": ADDITION_TEXT, "workflow_id": "w", **task} for task in tasks]
        await self.post("/workflows", {"tasks": named, **more})


def play(part, directory):
    async def scene():
        async with asyncio.timeout(DEADLINE_S), a_manager(directory) as manager, serving(manager) as http:
            site = Scene(manager, http)
            site.bring_proplet()
            await part(site)

    asyncio.run(scene())


def test_a_table_names_the_cause_of_each_change(tmp_path):
    async def part(site):
        await site.create({"id": "a"}, {"id": "b", "depends_on": ["a"]})
        assert await site.run("tasks", "events", "a") == (0, "", "no events of task a\n")
        await site.post("/workflows/w/start", status=200)
        await site.reached(COMPLETED, "b")
        code, out, err = await site.run("tasks", "events", "b")
        heading, *lines = out.splitlines()
        assert (code, err) == (0, "")
        assert heading.split() == ["TIME", "STATE", "ATTEMPT", "PROPLET", "CAUSE", "WHY"]
        assert [line.split()[2:] for line in lines] == [
            ["Scheduled", "parent", "a"],
            ["Running", "1", "p-9", "placement"],
            ["Completed", "1", "p-9", "proplet"],
        ]
        code, out, err = await site.run("workflows", "events", "w")
        heading, *lines = out.splitlines()
        assert heading.split()[:3] == ["TIME", "TASK", "STATE"]
        assert [line.split()[2] for line in lines] == ["a", "a", "a", "b", "b", "b"]
        assert lines[0].split()[3:] == ["Scheduled", "user"]

    play(part, tmp_path)


def test_all_pages_are_shown_and_answered_in_json(tmp_path):
    async def part(site):
        tasks = [{"id": f"t{n}", "name": "f", "file": ADDITION_TEXT, "job_id": "j"} for n in range(50)]
        await site.post("/jobs", {"tasks": tasks})
        await site.post("/jobs/j/start", status=200)
        await site.reached(COMPLETED, *(task["id"] for task in tasks))
        code, out, err = await site.run("jobs", "events", "j", "--json")
        answer = json.loads(out)
        assert (code, err) == (0, "")
        assert [event["id"] for event in answer["events"]] == list(range(1, 151))
        assert (answer["first_id"], answer["complete"]) == (1, True)

    assert history._PAGE < 150
    play(part, tmp_path)


def test_who_follows_sees_what_was_and_what_comes(tmp_path):
    async def part(site):
        await site.create({"id": "a"}, {"id": "b", "depends_on": ["a"]})
        site.is_slow = True
        await site.post("/tasks/a/start", status=200)
        process = await site.begin("workflows", "events", "w", "--follow")
        first = [(await process.stdout.readline()).decode().split() for _ in range(2)]
        assert [line[2:] for line in first] == [
            ["a", "Scheduled", "user"],
            ["a", "Running", "1", "p-9", "placement"],
        ]
        await site.post("/tasks/a/stop", status=200)
        rest = [(await process.stdout.readline()).decode().split() for _ in range(2)]
        assert rest[0][2:] == ["a", "Interrupted", "1", "p-9", "user", "stopped", "by", "a", "user"]
        assert rest[1][2:6] == ["b", "Skipped", "parent", "a"]
        process.send_signal(signal.SIGINT)
        await process.communicate()

    play(part, tmp_path)


def test_what_is_not_kept_any_more_is_said(tmp_path):
    async def part(site):
        await site.create({"id": "a"})
        for _ in range(2):
            await site.post("/tasks/a/start", status=200)
            await site.reached(COMPLETED, "a")
            while (await site.get("/tasks/a"))["state"] != COMPLETED:
                pass
        while await site.manager.store.forget_events(2**62):
            pass
        _, out, err = await site.run("tasks", "events", "a")
        assert len(out.splitlines()) == 2
        assert "are no longer kept" in err
        assert json.loads((await site.run("tasks", "events", "a", "--json"))[1])["complete"] is False
        code, _, err = await site.run("tasks", "events", "none")
        assert (code, "none" in err) == (1, True)

    play(part, tmp_path)
