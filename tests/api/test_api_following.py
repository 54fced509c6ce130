"""A manager that does not lead gives the same answers as the one that does, whatever it is asked."""

import asyncio
import re

from propeller.api import examples
from propeller.api.app import all_endpoints
from propeller.api.endpoints import AnyModule, Binary, EventText
from propeller.core.states import COMPLETED
from tests.api.following_helpers import beside
from tests.api.helpers import ADDITION, ADDITION_TEXT

ENDPOINTS = all_endpoints(has_page=True)
CHANGES = [each for each in ENDPOINTS if not each.anywhere and each.method != "GET"]
#: What differs between two managers that are asked for the same.
OWN = re.compile(
    rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # ids
    rb"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"  # times
    rb"|\b1[0-9]{12}\b"  # ms since 1970
    rb"|\bi-[12]\b"
)
NO_STREAM = {"accept": "application/json"}


def task(**fields):
    return {"name": "main", "file": ADDITION_TEXT, "inputs": [1, 2]} | fields


async def fill(site):
    """Make records of each kind and in each state, by the leader."""
    site = site.at_leader
    site.bring_proplet()
    await site.turned()
    await site.post("/tasks", task(id="new"))
    await site.post("/tasks", task(id="ended"))
    await site.post("/tasks/ended/start", status=200)
    await site.post("/tasks", task(id="scheduled", required_tags=["nowhere"]))
    await site.post("/tasks/scheduled/start", status=200)
    await site.post("/tasks", task(id="timed", schedule="0 3 * * *", is_recurring=True))
    group = [task(id="a"), task(id="b", depends_on=["a"])]
    await site.post("/workflows", {"name": "w", "tasks": [{**one, "workflow_id": "w-1"} for one in group]})
    await site.post("/jobs", {"name": "j", "tasks": [task(id="c", job_id="j-1"), task(id="d", job_id="j-1")]})
    await site.post("/jobs/j-1/start", status=200)
    await site.reached(COMPLETED, "ended", "c", "d")


#: Ids that fit a path, by the kind of what it names.
IDS = {
    "tasks": ("ended", "new", "scheduled", "timed", "none"),
    "workflows": ("w-1", "none"),
    "jobs": ("j-1", "none"),
    "proplets": ("p-9", "none"),
    "tokens": ("none",),
    "ui": ("",),
}


def requests_of(each):
    """Give requests for an endpoint: for each record that fits its path, and some that are refused."""
    kind = each.path.split("/")[1]
    paths = [each.path.replace("{path:path}", "index.html")]
    if "{id}" in each.path:
        paths = [each.path.replace("{id}", its_id) for its_id in IDS[kind]]
    sent = {}
    if each.takes in (Binary, AnyModule):
        sent = {"files": {"file": ("a.wasm", ADDITION, "application/wasm")}}
    elif each.takes is not None:
        sent = {"json": examples.OF_REQUESTS[each.takes]}
    for path in paths:
        yield each.method, path, sent
        yield each.method, f"{path}?no-such-parameter=1", sent
    if each.takes is not None:
        yield each.method, paths[0], {"content": b"{", "headers": {"content-type": "application/json"}}


async def ask(http, method, path, sent):
    sent = {**sent, "headers": NO_STREAM | sent.get("headers", {})}
    response = await http.request(method, path, **sent)
    headers = {
        name: response.headers.get(name)
        for name in ("content-type", "allow", "retry-after", "idempotent-replayed", "vary", "cache-control")
    }
    location = OWN.sub(b"*", response.headers.get("location", "").encode())
    return response.status_code, OWN.sub(b"*", response.content), headers, location


#: ``/health`` is about the manager itself.
READS = [
    each
    for each in ENDPOINTS
    if each.method == "GET" and each.gives is not EventText and each.path != "/health"
]


def test_reads_are_answered_alike(tmp_path):
    async def scene():
        async with beside(tmp_path) as site:
            await fill(site)
            for each in READS:
                for method, path, sent in requests_of(each):
                    for verb in (method, "HEAD"):
                        before = await ask(site.at_leader.http, verb, path, sent)
                        found = await ask(site.http, verb, path, sent)
                        after = await ask(site.at_leader.http, verb, path, sent)
                        assert found in (before, after), f"{verb} {path}"

    asyncio.run(scene())


def test_changes_are_answered_alike(tmp_path):
    """Of two that are alike, one is asked itself, and the other by a manager that follows."""

    async def scene():
        async with beside(tmp_path / "one") as one, beside(tmp_path / "other") as other:
            await fill(one)
            await fill(other)
            for each in sorted(CHANGES, key=lambda each: each.method == "DELETE"):
                for request in requests_of(each):
                    led = await ask(one.at_leader.http, *request)
                    assert await ask(other.http, *request) == led, request[:2]

    asyncio.run(scene())


def test_what_is_committed_is_read_while_nobody_leads(tmp_path):
    async def scene():
        async with beside(tmp_path) as site:
            await fill(site)
            site.follower.leaders.learn(None)
            await site.get("/tasks/ended")
            await site.get("/tasks/ended/logs")
            waiting = await site.get("/tasks/scheduled")
            assert waiting["reason"] == "waits for a manager that leads: none does at present"
            assert (await site.get("/tasks?state=scheduled"))["tasks"] == [waiting]
            health = await site.get("/health")
            assert (health["role"], "leader" in health) == ("follower", False)

    asyncio.run(scene())


def test_a_manager_says_who_leads(tmp_path):
    async def scene():
        async with beside(tmp_path) as site:
            address = str(site.at_leader.http.base_url).rstrip("/")
            health = await site.get("/health")
            assert (health["role"], health["leader"], health["instance_id"]) == ("follower", address, "i-2")
            health = await site.at_leader.get("/health")
            assert (health["role"], "leader" in health) == ("leader", False)

    asyncio.run(scene())


def test_one_that_follows_says_that_the_database_is_away_where_nobody_leads(tmp_path, monkeypatch):
    async def scene():
        async with beside(tmp_path) as site:
            site.bring_proplet()
            await site.at_leader.turned()
            assert (await site.get("/ready"))["ready"]
            site.follower.leaders.learn(None)
            monkeypatch.setattr(site.manager.store, "outage", "it does not answer")
            expected = {"ready": False, "obstacles": ["the database: it does not answer"], "warnings": []}
            assert await site.get("/ready", 503) == expected

    asyncio.run(scene())


def test_only_the_leader_knows_why_a_task_waits(tmp_path):
    async def scene():
        async with beside(tmp_path) as site:
            await fill(site)
            asked = "/tasks/scheduled"
            why = "waits for a proplet with the tag nowhere: none that takes work has it"
            assert (await site.get(asked))["reason"] == why
            assert await site.get(asked) == await site.at_leader.get(asked)

    asyncio.run(scene())


def test_the_leader_is_not_asked_for_events(tmp_path):
    async def read(site, last_id):
        found = []
        async with site.http.stream("GET", "/events?after=0") as response:
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    found.append(int(line.removeprefix("id: ")))
                if found[-1:] == [last_id]:
                    break
        return found

    async def scene():
        async with beside(tmp_path) as site:
            await fill(site)
            site.follower.leaders.learn(None)
            last_id = site.manager.feed.last_id + 3
            reading = [asyncio.create_task(read(site, last_id)) for _ in range(50)]
            await site.at_leader.post("/tasks/new/start", status=200)
            for found in await asyncio.gather(*reading):
                assert found == list(range(1, last_id + 1))

    asyncio.run(scene())
