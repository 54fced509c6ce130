"""The stream of events, over a real socket."""

import asyncio
import contextlib
import json

import pytest

from propeller.api import sse
from propeller.core.effects import Transition
from propeller.core.states import COMPLETED, RUNNING
from tests.api.following_helpers import beside
from tests.api.helpers import ADDITION_TEXT, DEADLINE_S, Errors, Site, a_manager, serving

ROLES = "leads", "follows"
JOB = {
    "tasks": [
        {"id": f"t{n}", "name": "f", "file": ADDITION_TEXT, "inputs": [n], "job_id": "j"} for n in range(20)
    ]
}


def play(part, directory, role="leads"):
    """Run a part that asks a manager that leads, or one that follows it."""
    errors = Errors()

    async def scene():
        async with asyncio.timeout(DEADLINE_S):
            if role == "follows":
                async with beside(directory) as site:
                    await part(site)
            else:
                async with a_manager(directory) as manager, serving(manager) as http:
                    await part(Site(manager, http))

    with errors:
        asyncio.run(scene())
    assert errors.records == []


class Follower:
    """Reads a stream; each event is its id and its data."""

    def __init__(self, response):
        self.headers = response.headers
        self._lines = response.aiter_lines()

    async def line(self):
        return await anext(self._lines)

    async def event(self):
        block = []
        while True:
            line = await self.line()
            if line and not line.startswith(":"):
                block.append(line)
            elif not line and block:
                id_line, kind, data = block
                assert kind == "event: task"
                return int(id_line.removeprefix("id: ")), json.loads(data.removeprefix("data: "))


@contextlib.asynccontextmanager
async def following(site, query="", **headers):
    async with site.http.stream("GET", f"/events{query}", headers=headers) as response:
        assert response.status_code == 200
        yield Follower(response)


async def run_job(site):
    await site.post("/jobs", JOB)
    await site.post("/jobs/j/start", status=200)
    await site.reached(COMPLETED, *(task["id"] for task in JOB["tasks"]))


@pytest.mark.parametrize("role", ROLES)
def test_headers_come_before_any_event(tmp_path, role):
    async def part(site):
        async with following(site) as follower:
            assert follower.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert follower.headers["cache-control"] == "no-store"
            assert (await follower.line()).startswith(":")

    play(part, tmp_path, role)


@pytest.mark.parametrize("role", ROLES)
def test_every_change_comes_once_and_in_order(tmp_path, role):
    async def part(site):
        site.bring_proplet()
        async with following(site) as follower:
            await run_job(site)
            seen = [await follower.event() for _ in range(60)]
        assert [event_id for event_id, _ in seen] == list(range(1, 61))
        for task in JOB["tasks"]:
            mine = [event for _, event in seen if event["task_id"] == task["id"]]
            assert [event["state"] for event in mine] == [1, 2, 3]
        order = "task_id name state time cause job_id attempt proplet_id results"
        last = seen[-1][1]
        assert list(last) == order.split()
        assert (last["job_id"], last["attempt"], last["proplet_id"]) == ("j", 1, "p-9")
        assert last["results"] == f"{last['task_id'][1:]}\n"

    play(part, tmp_path, role)


@pytest.mark.parametrize("role", ROLES)
def test_a_follower_goes_on_where_it_was(tmp_path, role):
    async def part(site):
        site.bring_proplet()
        await run_job(site)
        async with following(site, "?after=57") as follower:
            assert [(await follower.event())[0] for _ in range(3)] == [58, 59, 60]
        async with following(site, "?after=0", **{"Last-Event-ID": "58"}) as follower:
            assert (await follower.event())[0] == 59
        async with following(site, "?after=0") as follower:
            assert [(await follower.event())[0] for _ in range(60)] == list(range(1, 61))

    play(part, tmp_path, role)


@pytest.mark.parametrize("role", ROLES)
def test_filters(tmp_path, role):
    async def part(site):
        site.bring_proplet()
        await run_job(site)
        await site.post("/tasks", {"id": "alone", "name": "f", "file": ADDITION_TEXT})
        await site.post("/tasks/alone/start", status=200)
        await site.reached(COMPLETED, "alone")
        async with following(site, "?after=0&task_id=alone") as follower:
            seen = [await follower.event() for _ in range(3)]
            assert {event["task_id"] for _, event in seen} == {"alone"}
            assert "job_id" not in seen[0][1]
        async with following(site, "?after=0&job_id=j&task_id=t7") as follower:
            assert [(await follower.event())[1]["state"] for _ in range(3)] == [1, 2, 3]
        async with following(site, "?after=0&workflow_id=none") as follower:
            assert (await follower.line()).startswith(":")

    play(part, tmp_path, role)


@pytest.mark.parametrize("path", ["/events?task_id=quiet", "/events?task_id=quiet&brief=true", "/overview"])
@pytest.mark.parametrize("is_busy", [True, False])
def test_a_follower_hears_that_the_stream_is_alive(tmp_path, monkeypatch, path, is_busy):
    """Also while much happens that does not concern it."""
    monkeypatch.setattr(sse, "KEEP_ALIVE_S", 0.5)

    async def part(site):
        await site.post("/tasks", {"id": "quiet", "name": "main", "file": ADDITION_TEXT})
        other = Transition(task_id="other", name="main", state=RUNNING, at=1)

        async def happen():
            while is_busy:
                site.manager.feed.announce(site.manager.feed.last_id + 1, [other])
                await site.turned()

        happening = asyncio.create_task(happen())
        headers = {"accept": "text/event-stream"}
        async with asyncio.timeout(DEADLINE_S), site.http.stream("GET", path, headers=headers) as stream:
            async for line in stream.aiter_lines():
                assert line != "event: changes"
                if line == ": still here":
                    break
        happening.cancel()

    play(part, tmp_path)


def test_a_follower_that_goes_leaves_nothing_behind(tmp_path):
    async def part(site):
        await site.get("/health")
        before = asyncio.all_tasks()
        for _ in range(5):
            async with following(site) as follower:
                await follower.line()
        while extra := asyncio.all_tasks() - before:
            await asyncio.wait(extra)

    play(part, tmp_path)


def test_the_stream_ends_with_the_feed(tmp_path):
    async def part(site):
        async with following(site) as follower:
            await follower.line()
            site.manager.feed.close()
            assert [line async for line in follower._lines] == [""]

    play(part, tmp_path)


def test_large_results_are_left_out(tmp_path):
    async def part(site):
        large = "x" * (64 * 1024 - 2)
        site.manager.feed.announce(
            1,
            [
                Transition(task_id="a", name="f", state=COMPLETED, at=1, results=large),
                Transition(
                    task_id="a", name="f", state=COMPLETED, at=1, results=large + "x", error="e", reason="r"
                ),
                Transition(task_id="a", name="f", state=RUNNING, at=1),
            ],
        )
        async with following(site, "?after=0") as follower:
            assert (await follower.event())[1]["results"] == large
            assert list((await follower.event())[1]) == "task_id name state time cause error reason".split()
            assert list((await follower.event())[1]) == "task_id name state time cause".split()

    play(part, tmp_path)


@pytest.mark.parametrize("role", ROLES)
def test_wrong_requests(tmp_path, role):
    async def part(site):
        assert "invalid after" in await site.refused("GET", "/events?after=x", 400)
        for none in ("-1", ""):
            message = await site.refused("GET", "/events", 400, headers={"Last-Event-ID": none})
            assert "invalid Last-Event-ID" in message

    play(part, tmp_path, role)
