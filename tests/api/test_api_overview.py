"""Counts of all that there is, once and as a stream, and the tasks that failed last."""

import asyncio
import contextlib
import json
import time

from propeller.api.overviews import LOOK_EVERY_S
from propeller.core.events import CordonProplet, PropletLost
from propeller.core.failures import ErrorKind
from propeller.core.states import FAILED, RUNNING
from propeller.store.port import PaceStep
from tests.api.helpers import (
    ADDITION_TEXT,
    DEADLINE_S,
    Errors,
    Site,
    a_manager,
    ids,
    play,
    serving,
)

TASK = {"name": "f", "file": ADDITION_TEXT, "inputs": [1]}
EVENTS = {"accept": "text/event-stream"}
NO_GROUPS = {"total": 0, "pending": 0, "running": 0, "completed": 0, "failed": 0, "interrupted": 0}


def test_all_is_counted_by_state(tmp_path):
    async def part(site):
        shown = await site.get("/overview")
        assert list(shown) == ["event_id", "time", "tasks", "workflows", "jobs", "proplets"]
        assert shown["tasks"] == {"total": 0, "pending": 0, "scheduled": 0, "running": 0}
        assert shown["workflows"] == shown["jobs"] == NO_GROUPS
        assert shown["proplets"] == {"total": 0, "alive": 0, "cordoned": 0, "slots": 0, "busy": 0}

        site.is_slow = True
        for name in ("p-1", "p-2", "p-3"):  # two slots each
            site.bring_proplet(name)
        site.manager.tell(PropletLost("p-2", "it is gone"))
        await site.manager.ask(CordonProplet("p-3"))
        await site.post("/workflows", {"tasks": [{**TASK, "id": name, "workflow_id": "w"} for name in "abc"]})
        await site.post("/workflows", {"tasks": [{**TASK, "id": "idle", "workflow_id": "v"}]})
        await site.post("/jobs", {"tasks": [{**TASK, "id": "j", "job_id": "g"}]})
        await site.post("/workflows/w/start", status=200)
        await site.started_one("a")
        shown = await site.get("/overview")
        assert shown["event_id"] == site.manager.feed.last_id
        assert shown["tasks"] == {"total": 5, "pending": 2, "scheduled": 1, "running": 2}
        assert shown["workflows"] == {**NO_GROUPS, "total": 2, "pending": 1, "running": 1}
        assert shown["jobs"] == {**NO_GROUPS, "total": 1, "pending": 1}
        assert shown["proplets"] == {"total": 3, "alive": 2, "cordoned": 1, "slots": 4, "busy": 2}

        await site.delete("/workflows/w")
        shown = await site.get("/overview")
        assert shown["tasks"] == {"total": 2, "pending": 2, "scheduled": 0, "running": 0}
        assert shown["workflows"]["total"] == 1

    play(part, tmp_path)


def test_what_has_ended_is_in_no_count_of_live_tasks_after_a_restart(tmp_path):
    async def first(site):
        site.bring_proplet()
        await site.post("/workflows", {"tasks": [{**TASK, "id": name, "workflow_id": "w"} for name in "ab"]})
        await site.post("/tasks", {**TASK, "id": "waits"})
        await site.post("/tasks/a/start", status=200)
        await site.turned()

    async def second(site):
        shown = await site.get("/overview")
        assert shown["tasks"] == {"total": 3, "pending": 2, "scheduled": 0, "running": 0}

    play(first, tmp_path)
    play(second, tmp_path)


def test_during_a_commit_what_it_commits_is_not_counted(tmp_path):
    async def part(site):
        store = site.manager.store
        commit, gate, is_there = store.commit, asyncio.Event(), asyncio.Event()

        async def held_up(changes):
            is_there.set()
            await gate.wait()
            await commit(changes)

        await site.post("/tasks", {**TASK, "id": "a"})
        store.commit = held_up
        starting = asyncio.create_task(site.post("/tasks/a/start", status=200))
        await is_there.wait()
        looking = asyncio.create_task(site.get("/overview"))
        fleet = asyncio.create_task(site.get("/proplets?tasks=true"))
        done, _ = await asyncio.wait({looking, fleet}, timeout=0.5)
        assert not done
        gate.set()
        await starting
        assert (await looking)["tasks"] == {"total": 1, "pending": 0, "scheduled": 1, "running": 0}
        assert (await fleet)["proplets"] == []

    play(part, tmp_path)


@contextlib.asynccontextmanager
async def followed(site):
    async with site.http.stream("GET", "/overview", headers=EVENTS) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        yield overviews_in(response)


async def overviews_in(response):
    async for line in response.aiter_lines():
        if line.startswith("event:"):
            assert line == "event: overview"
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def played(part, directory):
    errors = Errors()

    async def scene():
        async with asyncio.timeout(DEADLINE_S), a_manager(directory) as manager, serving(manager) as http:
            await part(Site(manager, http))

    with errors:
        asyncio.run(scene())
    assert errors.records == []


def test_a_follower_is_told_each_change_soon(tmp_path):
    async def part(site):
        async with followed(site) as overviews:
            first = await anext(overviews)
            assert first == {**(await site.get("/overview")), "time": first["time"]}
            await site.post("/tasks", {**TASK, "id": "a"})
            assert (await anext(overviews))["tasks"]["pending"] == 1
            site.bring_proplet()  # this changes no task
            assert (await anext(overviews))["proplets"]["alive"] == 1
            await site.delete("/tasks/a")  # and this is no event
            assert (await anext(overviews))["tasks"]["total"] == 0

    played(part, tmp_path)


def test_many_followers_cost_what_one_does_and_none_costs_nothing(tmp_path, monkeypatch):
    async def part(site):
        store, counted = site.manager.store, 0
        totals = store.totals

        async def counting():
            nonlocal counted
            counted += 1
            return await totals()

        store.totals = counting
        async with contextlib.AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(followed(site)) for _ in range(5)]
            assert len({json.dumps(await anext(stream)) for stream in streams}) == 1
            for number in range(20):
                await site.post("/tasks", {**TASK, "id": f"t{number}"})
            for stream in streams:
                while (await anext(stream))["tasks"]["total"] < 20:
                    pass
            at_most = counted
        assert at_most < 20, "the changes of half a second are told together"
        await site.post("/tasks", {**TASK, "id": "last"})
        assert not await site.manager.feed.closes_within(3 * LOOK_EVERY_S)
        assert counted - at_most <= 1, "nobody follows any more"

    played(part, tmp_path)


def test_where_nothing_changes_nothing_is_read_or_told(tmp_path):
    async def part(site):
        store, counted = site.manager.store, 0
        totals = store.totals

        async def counting():
            nonlocal counted
            counted += 1
            return await totals()

        store.totals = counting
        async with followed(site) as overviews:
            await anext(overviews)
            following = asyncio.ensure_future(anext(overviews))
            assert not await site.manager.feed.closes_within(4 * LOOK_EVERY_S)
            assert counted == 1
            assert not following.done()
            await site.post("/tasks", {**TASK, "id": "a"})
            assert (await following)["tasks"]["total"] == 1

    played(part, tmp_path)


def test_a_stream_ends_with_the_manager(tmp_path):
    async def part(site):
        async with followed(site) as overviews:
            await anext(overviews)
            site.manager.feed.close()
            assert [shown async for shown in overviews] == []

    played(part, tmp_path)


def test_failures_are_shown_the_newest_first(tmp_path):
    async def part(site):
        assert await site.get("/failures") == {"total": 0, "failures": []}
        site.bring_proplet()
        site.is_slow = True
        await site.post("/workflows", {"tasks": [{**TASK, "id": "a", "workflow_id": "w"}]})
        await site.post("/jobs", {"tasks": [{**TASK, "id": "b", "job_id": "j"}]})
        await site.post("/tasks", {**TASK, "id": "c"})
        await site.post("/tasks", {**TASK, "id": "fine"})
        for name in ("a", "b", "c", "fine"):
            await site.post(f"/tasks/{name}/start", status=200)
            start = await site.started_one(name)
            if name == "fine":
                site.end(start)
            else:
                site.end(start, error=f"{name} trapped", kind=ErrorKind.TRAP)
                await site.reached(FAILED, name)
        shown = await site.get("/failures")
        assert shown["total"] == 3
        assert ids(shown["failures"], "task_id") == ["c", "b", "a"]
        c, b, a = shown["failures"]
        assert (a["workflow_id"], b["job_id"]) == ("w", "j")
        assert "workflow_id" not in c
        assert "job_id" not in c
        task = await site.get("/tasks/c")
        assert c == {
            "task_id": "c",
            "name": "f",
            "proplet_id": "p-9",
            "attempt": 1,
            "error": "c trapped",
            "error_kind": "trap",
            "finish_time": task["finish_time"],
        }
        since = await site.get(f"/failures?since={b['finish_time']}&limit=1")
        assert (since["total"], ids(since["failures"], "task_id")) == (2, ["c"])
        assert (await site.get("/failures?limit=0"))["failures"] == []

        await site.post("/tasks/c/start", status=200)
        await site.started_one("c")
        shown = await site.get("/failures")
        assert (shown["total"], ids(shown["failures"], "task_id")) == (2, ["b", "a"]), "c runs again"
        assert "since: 'yesterday' is no time" in await site.refused("GET", "/failures?since=yesterday", 400)
        assert "give 0 to 100" in await site.refused("GET", "/failures?limit=101", 400)

    play(part, tmp_path)


def test_the_pace_of_the_last_hour(tmp_path):
    async def part(site):
        shown = await site.get("/pace")
        assert list(shown) == [
            "step_s",
            "end",
            "started",
            "completed",
            "failed",
            "ended_otherwise",
            "waiting",
            "running",
        ]
        assert shown["step_s"] == 10
        assert shown["end"] % 10_000 == 0
        assert (
            shown["started"] == shown["completed"] == shown["failed"] == shown["ended_otherwise"] == [0] * 360
        )
        assert shown["waiting"] == shown["running"] == [None] * 360

    async def after(site):
        now_s = time.time() // 10 * 10
        counts = {"started": 3, "completed": 2, "failed": 1, "ended_otherwise": 4, "waiting": 5, "running": 6}
        steps = [PaceStep(int(now_s) // 10 - back, **counts) for back in (400, 300, 2)]
        await site.manager.store.write_pace(steps, 100)
        await site.manager.pace.load()
        shown = await site.get("/pace")
        for name, count in counts.items():
            gap = None if name in ("waiting", "running") else 0
            found = {
                shown["end"] // 1000 - 10 * (360 - number): one
                for number, one in enumerate(shown[name])
                if one != gap
            }
            assert found == {now_s - 3000: count, now_s - 20: count}

    for number, each in enumerate((part, after)):
        (tmp_path / str(number)).mkdir()
        play(each, tmp_path / str(number))


def test_proplets_come_with_their_tasks_for_those_who_ask(tmp_path):
    async def part(site):
        site.is_slow = True
        site.bring_proplet("p-1")
        site.bring_proplet("p-2")
        await site.post("/workflows", {"tasks": [{**TASK, "id": "a", "workflow_id": "w"}]})
        await site.post("/tasks", {**TASK, "id": "b", "broadcast": True})
        for name in "ab":
            await site.post(f"/tasks/{name}/start", status=200)
        await site.reached(RUNNING, "a", "b")
        await site.turned()
        plain = await site.get("/proplets")
        shown = await site.get("/proplets?tasks=true")
        assert await site.get("/proplets?tasks=false") == plain
        with_a, other = sorted(shown["proplets"], key=lambda one: -len(one["running"]))
        began = (await site.get("/tasks/a"))["start_time"]
        a, b = with_a["running"]
        assert began.startswith("20")
        assert {key: value for key, value in a.items() if key != "started"} == {
            "task_id": "a",
            "name": "f",
            "state": 2,
            "attempt": 1,
            "workflow_id": "w",
        }
        assert a["started"] > 1_700_000_000_000
        assert b["task_id"] == "b"
        assert ids(other["running"], "task_id") == ["b"]
        for one in shown["proplets"]:
            del one["running"]
        assert shown == plain
        assert 'tasks: "maybe" is neither' in await site.refused("GET", "/proplets?tasks=maybe", 400)

    play(part, tmp_path)
