"""The stream of events for those who follow thousands of tasks, and what it says of deletions."""

import asyncio
import contextlib
import json
import random

import msgspec
import pytest

from propeller.api import events
from propeller.core.effects import Transition
from propeller.core.failures import ErrorKind
from propeller.core.policy import Policy
from propeller.core.states import COMPLETED, RUNNING
from propeller.manager import expiry
from propeller.manager.service import Manager
from propeller.store.sqlite.store import SqliteStore
from propeller.wire.http.graphs import GraphView
from tests.api.following_helpers import a_follower, leader_at
from tests.api.following_helpers import following as following_api
from tests.api.helpers import ADDITION_TEXT, DEADLINE_S, Site, serving
from tests.api.test_api_events import ROLES, play


def _task(task_id, *parents, **fields):
    plain = {"id": task_id, "name": "main", "file": ADDITION_TEXT, "inputs": [1], "depends_on": parents}
    return plain | fields


class Follower:
    """Reads a stream: each event is its kind, its id (None for none) and its data."""

    def __init__(self, response):
        self._lines = response.aiter_lines()

    async def line(self):
        return await anext(self._lines)

    async def event(self):
        found = {}
        while True:
            line = await self.line()
            if line and not line.startswith(":"):
                field, _, value = line.partition(": ")
                found[field] = value
            elif not line and found:
                return found["event"], int(found["id"]) if "id" in found else None, json.loads(found["data"])

    async def rows(self, count):
        """Read at least so many rows; give them, and the ids of the events that they came in."""
        rows, ids = [], []
        while len(rows) < count:
            kind, event_id, more = await self.event()
            assert kind == "changes"
            assert more
            rows += more
            ids.append(event_id)
        return rows, ids


@contextlib.asynccontextmanager
async def following(site, query="", **headers):
    async with site.http.stream("GET", f"/events{query}", headers=headers) as response:
        assert response.status_code == 200
        yield Follower(response)


def announce(site, *moves):
    """Have something happen that the store has nothing of."""
    site.manager.feed.announce(site.manager.feed.last_id + 1, list(moves))


def move(task_id, state=RUNNING, **fields):
    return Transition(**{"task_id": task_id, "name": "f", "state": state, "at": 5_000_000, **fields})


@pytest.mark.parametrize("role", ROLES)
def test_each_change_comes_once_in_order_and_in_few_words(tmp_path, role):
    async def part(site):
        site.bring_proplet()
        tasks = [_task(f"t{n}", job_id="j") for n in range(30)]
        await site.post("/jobs", {"tasks": tasks})
        async with following(site, "?brief=true") as follower:
            await site.post("/jobs/j/start", status=200)
            rows, ids = await follower.rows(90)
        assert ids == sorted(set(ids))
        assert ids[-1] == 90
        assert len(rows) == 90
        for task in tasks:
            mine = [row for row in rows if row[0] == task["id"]]
            assert [row[1:4] for row in mine] == [[1, 0, ""], [2, 1, "p-9"], [3, 1, "p-9"]]
            assert [row[5] for row in mine] == [0, 0, 0]
        log = [item async for item in _logged(site, 90)]
        assert [(row[0], row[1], row[4]) for row in rows] == [
            (it.task_id, it.state, it.at // 1_000_000) for it in log
        ]
        async with following(site, "?brief=1&after=85") as follower:
            assert (await follower.rows(5))[0] == rows[85:]
        async with following(site, "?brief=true&after=1", **{"Last-Event-ID": "88"}) as follower:
            assert await follower.rows(2) == (rows[88:], [90])
        async with following(site, "?brief=true&after=0&task_id=t7") as follower:
            assert (await follower.rows(3))[0] == [row for row in rows if row[0] == "t7"]
        async with following(site, "?brief=true&after=0&job_id=j") as follower:
            assert (await follower.rows(90))[0] == rows

    play(part, tmp_path, role)


async def _logged(site, count):
    async for item in site.manager.feed.follow(0):
        yield item[1]
        if item[0] == count:
            return


def test_what_comes_soon_after_an_event_is_gathered(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "_GATHER_S", 0.5)

    async def part(site):
        clock = asyncio.get_running_loop().time
        async with following(site, "?brief=true") as follower:
            await follower.line()
            began = clock()
            announce(site, move("first", is_up=True))
            assert (await follower.rows(1))[0] == [["first", 2, 0, "", 5, 1]]
            assert clock() - began < 0.4, "the first one does not wait"
            for n in range(50):
                announce(site, move(f"t{n}"))
                await asyncio.sleep(0)
            rows, ids = await follower.rows(1)
            assert ([row[0] for row in rows], ids) == ([f"t{n}" for n in range(50)], [51])
            assert clock() - began >= 0.5

    play(part, tmp_path)


def test_who_catches_up_gets_large_events_without_pauses(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "_GATHER_S", DEADLINE_S * 2)
    monkeypatch.setattr(events, "_ROWS_MAX", 1000)

    async def part(site):
        announce(site, *(move(f"t{n}") for n in range(3100)))
        async with following(site, "?brief=true&after=0") as follower:
            rows, ids = await follower.rows(3100)
        assert [row[0] for row in rows] == [f"t{n}" for n in range(3100)]
        assert ids == [1000, 2000, 3000, 3100]

    play(part, tmp_path)


def test_the_stream_ends_with_the_feed_also_while_it_gathers(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "_GATHER_S", DEADLINE_S * 2)

    async def part(site):
        async with following(site, "?brief=true") as follower:
            announce(site, move("t"))
            await follower.rows(1)
            site.manager.feed.close()
            assert [line async for line in follower._lines] == []

    play(part, tmp_path)


def test_wrong_requests(tmp_path):
    async def part(site):
        message = await site.refused("GET", "/events?brief=yes", 400)
        assert message == 'brief: "yes" is neither true nor false'

    play(part, tmp_path)


# -- deletions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("brief", ["", "&brief=true"])
def test_who_follows_a_record_hears_of_its_deletion(tmp_path, brief, role):
    async def part(site):
        await site.post("/workflows", {"tasks": [_task("a", workflow_id="w"), _task("b"), _task("c", "b")]})
        await site.post("/jobs", {"tasks": [_task("d", job_id="j")]})
        await site.post("/tasks", _task("e"))
        async with contextlib.AsyncExitStack() as stack:

            async def follow(query):
                follower = await stack.enter_async_context(following(site, f"?{query}{brief}"))
                await follower.line()
                await site.held(query)
                return follower

            workflow, job, task, inner, everything = [
                await follow(query)
                for query in ("workflow_id=w", "job_id=j", "task_id=e", "task_id=a", "after=0")
            ]
            await site.delete("/tasks/c")
            assert await workflow.event() == ("gone", None, {"task_id": "c", "workflow_id": "w"})
            for path in ("/workflows/w", "/jobs/j", "/tasks/e"):
                await site.delete(path)
            assert await workflow.event() == ("gone", None, {"workflow_id": "w"})
            assert await job.event() == ("gone", None, {"job_id": "j"})
            assert await task.event() == ("gone", None, {"task_id": "e"})
            assert await inner.event() == ("gone", None, {"task_id": "a"})
            await site.post("/tasks", _task("later"))
            await site.post("/tasks/later/start", status=200)
            assert (await everything.event())[0] == ("changes" if brief else "task")
        await site.nobody_watches()

    play_watched(part, tmp_path, role)


@pytest.mark.parametrize("role", ROLES)
def test_who_comes_too_late_hears_it_first_and_what_was_before_it_comes_before(tmp_path, role):
    async def part(site):
        site.bring_proplet()
        async with following(site, "?workflow_id=none") as follower:
            assert await follower.event() == ("gone", None, {"workflow_id": "none"})
        await site.post("/tasks", _task("a"))
        await site.post("/tasks/a/start", status=200)
        await site.reached(COMPLETED, "a")
        await site.delete("/tasks/a")
        async with following(site, "?after=0&task_id=a&job_id=none") as follower:
            assert await follower.event() == ("gone", None, {"task_id": "a"})
            assert await follower.event() == ("gone", None, {"job_id": "none"})
        async with following(site, "?after=0&task_id=a&brief=true") as follower:
            rows, _ = await follower.rows(3)
            assert [row[1] for row in rows] == [1, 2, 3]
            assert await follower.event() == ("gone", None, {"task_id": "a"})
        # A new record of the same id, and its end.
        await site.post("/tasks", _task("a"))
        async with following(site, "?task_id=a") as follower:
            await follower.line()
            await site.held("task_id=a")
            await site.delete("/tasks/a")
            assert await follower.event() == ("gone", None, {"task_id": "a"})

    play_watched(part, tmp_path, role)


@pytest.mark.parametrize("role", ROLES)
def test_who_follows_what_ended_long_ago_hears_when_it_is_forgotten(tmp_path, monkeypatch, role):
    monkeypatch.setattr(expiry, "_LOOK_EVERY_S", 0.05)

    async def part(site):
        site.bring_proplet()
        site.is_slow = True
        await site.post("/jobs", {"tasks": [_task(f"t{n}", job_id="j") for n in range(2)]})
        async with following(site, "?job_id=j") as job, following(site, "?task_id=t1&brief=true") as task:
            await job.line()
            await task.line()
            await site.held("job_id=j", "task_id=t1")
            await site.post("/jobs/j/start", status=200)
            for n in range(2):
                site.end(await site.started_one(f"t{n}"))
            kinds = [(await job.event())[0] for _ in range(7)]
            assert kinds == ["task"] * 6 + ["gone"]
            await task.rows(3)
            assert await task.event() == ("gone", None, {"task_id": "t1"})
        await site.refused("GET", "/jobs/j", 404)

    play_watched(part, tmp_path, role, keep_ended_s=0.2)


class Watched(Site):
    def __init__(self, manager, http, feed):
        super().__init__(manager, http)
        self._feed = feed

    async def held(self, *queries):
        """Wait until somebody watches what these queries name."""
        wanted = {(query.partition("_")[0], query.partition("=")[2]) for query in queries if "_id=" in query}
        async with asyncio.timeout(DEADLINE_S):
            while not wanted <= set(self._feed._watches.records):
                await self.turned()

    async def nobody_watches(self):
        async with asyncio.timeout(DEADLINE_S):
            while self._feed._watches:
                await self.turned()


def play_watched(part, directory, role, *, keep_ended_s=None):
    async def scene():
        store = SqliteStore(directory, durability="normal")
        manager = Manager(store, policy=Policy(), keep_ended_s=keep_ended_s)
        await manager.load()
        await manager.start()
        try:
            async with asyncio.timeout(DEADLINE_S), serving(manager) as http:
                if role == "leads":
                    await part(Watched(manager, http, manager.feed))
                    return
                async with a_follower(manager) as follower, following_api(follower) as at_follower:
                    follower.leaders.learn(leader_at(http))
                    await part(Watched(manager, at_follower, follower.feed))
        finally:
            manager.feed.close()
            await manager.stop()
            await store.close()

    asyncio.run(scene())


# -- a graph and what comes after it -----------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("seed", range(6))
def test_a_graph_and_the_changes_behind_it_are_the_graph_at_the_end(tmp_path, seed, role):
    rng = random.Random(seed)

    async def part(site):
        site.bring_proplet("p-1")
        site.bring_proplet("p-2")
        site.is_slow = True
        retry = {"max_attempts": 3, "delay": "1ms"}
        tasks = [
            _task(
                f"t{n}",
                *(f"t{parent}" for parent in sorted(rng.sample(range(n), min(n, rng.randrange(3))))),
                workflow_id="w",
                retry=retry,
                run_if="all_done",
            )
            for n in range(15)
        ]
        await site.post("/workflows", {"tasks": tasks})
        graphs = [await _graph(site)]
        await site.post("/workflows/w/start", status=200)
        for number in range(80):
            await site.turned()
            if site.started:
                start = site.started.pop(rng.randrange(len(site.started)))
                is_bad = rng.random() < 0.3
                site.end(start, error="it trapped" if is_bad else "", kind=ErrorKind.TRAP)
            match rng.randrange(8):
                case 0:
                    graphs.append(await _graph(site))
                case 1 if number > 20:
                    await site.http.post(f"/tasks/t{rng.randrange(15)}/{rng.choice(['stop', 'start'])}")
                case 2 if number > 40:
                    await site.http.post("/workflows/w/rerun")
        last = await _graph(site)
        end = last.event_id
        for graph in graphs:
            shown = _moving(graph)
            async with following(site, f"?brief=true&workflow_id=w&after={graph.event_id}") as follower:
                seen = graph.event_id
                while seen < end:
                    _, seen, rows = await follower.event()
                    for task_id, *now, _ms, up in rows:
                        shown[task_id] = (*now, up)
            assert shown == _moving(last)

    play(part, tmp_path, role)


async def _graph(site):
    return msgspec.json.decode((await site.http.get("/workflows/w/graph")).content, type=GraphView)


def _moving(graph):
    """Give what changes: state, attempt, proplet and whether it is up, by task."""
    names = [graph.proplets[place] if place >= 0 else "" for place in graph.tasks.proplets]
    columns = zip(graph.tasks.states, graph.tasks.attempts, names, graph.tasks.up, strict=True)
    return dict(zip(graph.tasks.ids, columns, strict=True))
