"""Namespaces over HTTP: who sees and changes what, and where that what is created belongs."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from propeller.access.principal import LOCAL, Principal
from propeller.access.roles import Role
from propeller.api.app import create_app
from propeller.api.context import PRINCIPAL
from tests.api.helpers import ADDITION_TEXT, DEADLINE_S, Site, a_manager, ids, serving

TASK = {"name": "main", "file": ADDITION_TEXT}


def principal(name: str, role: Role, *namespaces: str) -> Principal:
    return Principal(name=name, role=role, namespaces=frozenset(namespaces) or None, how="token")


PEOPLE = {
    "": LOCAL,
    "root": principal("root", Role.ADMIN),
    "ann": principal("ann", Role.SUBMITTER, "team"),
    "amy": principal("amy", Role.SUBMITTER, "team"),
    "otto": principal("otto", Role.OPERATOR, "team"),
    "vic": principal("vic", Role.VIEWER, "team"),
    "bob": principal("bob", Role.OPERATOR, "other"),
    "sue": principal("sue", Role.SUBMITTER, "other", "team"),
    "dan": principal("dan", Role.SUBMITTER, "default", "team"),
}


def as_they_say(app):
    """Believe who a request says that it is from."""

    async def believing(scope, receive, send):
        who = dict(scope["headers"]).get(b"who", b"").decode()
        await app({**scope, PRINCIPAL: PEOPLE[who]}, receive, send)

    return believing


class People(Site):
    def of(self, who: str) -> "People":
        """The same manager, as somebody sees it."""
        http = httpx.AsyncClient(
            transport=self.http._transport, base_url="http://manager", headers={"who": who}
        )
        other = object.__new__(People)
        other.__dict__ = {**self.__dict__, "http": http}
        return other


@contextlib.asynccontextmanager
async def people(directory) -> AsyncIterator[People]:
    async with a_manager(directory) as manager:
        transport = httpx.ASGITransport(app=as_they_say(create_app(manager, instance_id="i-1")))
        async with httpx.AsyncClient(transport=transport, base_url="http://manager") as http:
            site = People(manager, http)
            site.bring_proplet()
            yield site


def play(part, directory) -> None:
    async def scene() -> None:
        async with people(directory) as site:
            await part(site)

    asyncio.run(scene())


# -- where things belong -----------------------------------------------------------------------------------


def test_what_is_created_belongs_to_the_namespace_that_is_said(tmp_path):
    async def part(site):
        by_body = await site.post("/tasks", {**TASK, "namespace": "team"})
        by_query = await site.post("/tasks?namespace=team", TASK)
        neither = await site.post("/tasks", TASK)
        default = await site.post("/tasks", {**TASK, "namespace": "default"})
        assert [task.get("namespace") for task in (by_body, by_query, neither, default)] == [
            "team",
            "team",
            None,
            None,
        ]
        # Where nobody is asked who they are, nobody is said to have created it.
        assert all("created_by" not in task for task in (by_body, neither))

    play(part, tmp_path)


def test_what_somebody_creates_belongs_to_their_only_namespace_and_has_their_name(tmp_path):
    async def part(site):
        ann = site.of("ann")
        task = await ann.post("/tasks", TASK)
        assert (task["namespace"], task["created_by"]) == ("team", "ann")
        (task,) = (await ann.post("/workflows", {"tasks": [TASK], "name": "w"}))["tasks"]
        assert (task["namespace"], task["created_by"]) == ("team", "ann")
        workflow = await ann.get(f"/workflows/{task['workflow_id']}")
        assert (workflow["namespace"], workflow["created_by"]) == ("team", "ann")
        job = await ann.post("/jobs", {"tasks": [TASK], "name": "j", "namespace": "team"})
        assert (job["namespace"], job["created_by"]) == ("team", "ann")
        assert (await site.of("dan").post("/tasks", TASK)).get("namespace") is None
        clone = (await site.of("amy").post(f"/workflows/{task['workflow_id']}/clone"))["tasks"][0]
        assert (clone["namespace"], clone["created_by"]) == ("team", "amy")

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("who", "path", "body", "status", "error"),
    [
        ("ann", "/tasks", {"namespace": "other"}, 403, "namespace: other is not among those of ann: team"),
        ("ann", "/tasks?namespace=default", {}, 403, "namespace: default is not among those of ann: team"),
        ("sue", "/tasks", {}, 400, "namespace: sue has several (other, team); say which one"),
        ("", "/tasks", {"namespace": "No"}, 400, "namespace: 'No' is no name of a namespace; use 1 to 63"),
        ("", "/tasks?namespace=a", {"namespace": "b"}, 400, "namespace: the body says b, and the query a"),
    ],
)
def test_a_wrong_namespace_is_refused(tmp_path, who, path, body, status, error):
    async def part(site):
        message = await site.of(who).refused("POST", path, status, json={**TASK, **body})
        assert message.startswith(error)

    play(part, tmp_path)


def test_tasks_of_a_group_say_no_other_namespace(tmp_path):
    async def part(site):
        body = {"namespace": "team", "tasks": [{**TASK, "namespace": "other"}]}
        error = await site.refused("POST", "/workflows", 400, json=body)
        assert error == "tasks[0].namespace: it belongs where all tasks of the request do; leave it out"
        inner = {"name": "t", "workflow": {"tasks": [{**TASK, "namespace": "team"}]}}
        error = await site.refused("POST", "/tasks", 400, json=inner)
        assert error.startswith("workflow.tasks[0].namespace: it belongs to the workflow of its task")

    play(part, tmp_path)


def test_a_task_that_is_added_belongs_where_its_group_does(tmp_path):
    async def part(site):
        job = await site.post("/jobs", {"name": "j", "namespace": "team", "tasks": [TASK]})
        added = await site.post("/tasks", {**TASK, "job_id": job["job_id"]})
        assert added["namespace"] == "team"
        body = {**TASK, "job_id": job["job_id"], "namespace": "other"}
        assert (
            await site.refused("POST", "/tasks", 404, json=body)
            == f"not found: there is no job {job['job_id']}"
        )
        # To change a group of somebody else takes an operator.
        assert "created by somebody else" in await site.of("ann").refused(
            "POST", "/tasks", 403, json={**TASK, "job_id": job["job_id"]}
        )
        error = await site.of("bob").refused("POST", "/tasks", 404, json={**TASK, "job_id": job["job_id"]})
        assert error == f"not found: there is no job {job['job_id']}"

    play(part, tmp_path)


def test_a_namespace_is_not_changed_by_an_update(tmp_path):
    async def part(site):
        task = await site.post("/tasks", {**TASK, "namespace": "team"})
        same = await site.put(f"/tasks/{task['id']}", {"namespace": "team", "priority": 3})
        assert same["namespace"] == "team"
        error = await site.refused("PUT", f"/tasks/{task['id']}", 400, json={"namespace": "other"})
        assert error == "namespace: it can't be changed from team to other; leave it out"
        ignored = await site.put(f"/tasks/{task['id']}", {"created_by": "eve"})
        assert "created_by" not in ignored

    play(part, tmp_path)


def test_a_workflow_of_another_namespace_is_not_copied(tmp_path):
    async def part(site):
        (task,) = (await site.post("/workflows", {"namespace": "team", "tasks": [TASK]}))["tasks"]
        body = {"name": "t", "workflow": {"id": task["workflow_id"]}}
        assert (await site.post("/tasks", {**body, "namespace": "team"}))["workflow"]["copy_of"]
        error = await site.refused("POST", "/tasks", 400, json=body)
        assert error.startswith(f"workflow.id: there is no workflow {task['workflow_id']}")
        # A task that is added looks for it where its job is.
        job = await site.post("/jobs", {"name": "j", "namespace": "team", "tasks": [TASK]})
        assert (await site.post("/tasks", {**body, "job_id": job["job_id"]}))["namespace"] == "team"

    play(part, tmp_path)


# -- who sees and changes what -----------------------------------------------------------------------------


def test_lists_have_only_what_may_be_seen(tmp_path):
    async def part(site):
        made = {}
        for namespace in ("team", "other", "default"):
            made[namespace] = (await site.post("/tasks", {**TASK, "namespace": namespace}))["id"]
            await site.post(
                "/workflows", {"namespace": namespace, "tasks": [{**TASK, "id": f"w-{namespace}"}]}
            )
            await site.post("/jobs", {"name": "j", "namespace": namespace, "tasks": [TASK]})

        async def seen(who, query=""):
            got = site.of(who)
            tasks = await got.get(f"/tasks{query}")
            searched = await got.get(f"/tasks?search=MAIN&{query[1:]}")
            assert ids(searched["tasks"]) == ids(tasks["tasks"])
            assert tasks["total"] == len(tasks["tasks"])
            groups = [(await got.get(f"/{kind}{query}"))["total"] for kind in ("workflows", "jobs")]
            return [len(tasks["tasks"]), *groups]

        assert await seen("") == await seen("root") == [9, 3, 3]
        assert await seen("vic") == await seen("root", "?namespace=team") == [3, 1, 1]
        assert await seen("sue") == [6, 2, 2]
        assert await seen("dan", "?namespace=default") == [3, 1, 1]
        error = await site.of("vic").refused("GET", "/tasks?namespace=other", 403)
        assert error == "namespace: other is not among those of vic: team"
        await site.of("ann").post("/tasks", TASK)
        assert (await site.get("/tasks?created_by=ann"))["total"] == 1

    play(part, tmp_path)


def test_failures_are_those_that_may_be_seen(tmp_path):
    async def part(site):
        site.is_slow = True
        for namespace in ("team", "other"):
            await site.post("/tasks", {**TASK, "id": namespace, "namespace": namespace})
            await site.post(f"/tasks/{namespace}/start", status=200)
            site.end(await site.started_one(namespace), error="trapped")
        await site.turned()
        shown = await site.of("vic").get("/failures")
        assert (shown["total"], ids(shown["failures"], "task_id")) == (1, ["team"])
        assert (await site.get("/failures"))["total"] == 2

    play(part, tmp_path)


def test_what_may_not_be_seen_is_not_there(tmp_path):
    """Every route about one task, workflow or job gives the words that it gives for one that does not exist."""

    async def part(site):
        await site.post("/tasks", {**TASK, "id": "t-7", "namespace": "team"})
        for kind in ("workflow", "job"):
            body = {"namespace": "team", "name": "g", "tasks": [{**TASK, f"{kind}_id": f"{kind}-7"}]}
            await site.post(f"/{kind}s", body)
        names = {"tasks": "t-7", "workflows": "workflow-7", "jobs": "job-7"}
        endpoints = [
            (method, path, path.split("/")[1])
            for path, resource in site.http._transport.app.__closure__[0].cell_contents.resources.items()
            for method in resource.endpoints
            if "{id}" in path and path.split("/")[1] in names
        ]
        assert len(endpoints) > 30
        bodies = {"PUT": {"priority": 3}, "POST": None}
        for method, path, kind in endpoints:
            said = []
            for name in (names[kind], "none"):
                sent = {"json": bodies[method]} if bodies.get(method) else {}
                if path.endswith("/upload"):
                    sent = {"files": {"file": ("a.wasm", b"\0asm\1\0\0\0", "application/wasm")}}
                response = await site.of("bob").http.request(method, path.replace("{id}", name), **sent)
                said.append((response.status_code, response.json()["error"].replace(f" {name}", " X")))
            assert said[0] == said[1], (method, path)
            assert said[0][0] == 404, (method, path)
        assert (await site.get("/tasks/t-7"))["state"] == 0

    play(part, tmp_path)


def test_a_submitter_changes_only_what_they_created(tmp_path):
    async def part(site):
        task = await site.of("ann").post("/tasks", TASK)
        path = f"/tasks/{task['id']}"
        error = await site.of("amy").refused("PUT", path, 403, json={"priority": 3})
        assert f"task {task['id']} was created by ann, and amy is a submitter" in error
        assert "needs the role submitter" in await site.of("vic").refused(
            "PUT", path, 403, json={"priority": 3}
        )
        assert (await site.of("amy").get(path))["id"] == task["id"]
        for who in ("ann", "otto", "root"):
            await site.of(who).put(path, {"priority": 3})

    play(part, tmp_path)


def test_a_key_of_one_is_not_a_key_of_another(tmp_path):
    async def part(site):
        headers = {"Idempotency-Key": "k"}
        first = await site.of("ann").http.post("/tasks", json=TASK, headers=headers)
        again = await site.of("ann").http.post("/tasks", json=TASK, headers=headers)
        assert again.json() == first.json()
        other = await site.of("amy").http.post("/tasks", json=TASK, headers=headers)
        assert other.status_code == 422

    play(part, tmp_path)


def test_a_proplet_shows_only_tasks_that_may_be_seen(tmp_path):
    async def part(site):
        site.is_slow = True
        for namespace in ("team", "other"):
            await site.post("/tasks", {**TASK, "id": namespace, "namespace": namespace})
            await site.post(f"/tasks/{namespace}/start", status=200)
            await site.started_one(namespace)
        (proplet,) = (await site.of("vic").get("/proplets?tasks=true"))["proplets"]
        assert ids(proplet["running"], "task_id") == ["team"]

    play(part, tmp_path)


# -- events ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_brief", [False, True])
def test_a_stream_has_only_events_of_namespaces_that_may_be_seen(tmp_path, is_brief):
    async def part():
        async with a_manager(tmp_path) as manager, serving(manager, as_they_say) as http:
            site = Site(manager, http)
            site.bring_proplet()
            path = f"/events?after=0{'&brief=true' if is_brief else ''}"
            async with http.stream("GET", path, headers={"who": "vic"}) as stream:
                for name, namespace in (("a", "other"), ("b", "team"), ("c", "default"), ("d", "team")):
                    await site.post("/tasks", {**TASK, "id": name, "namespace": namespace})
                    await site.post(f"/tasks/{name}/start", status=200)
                seen = []
                async with asyncio.timeout(DEADLINE_S):
                    async for line in stream.aiter_lines():
                        if line.startswith("data:"):
                            data = json.loads(line[5:])
                            seen += [row[0] for row in data] if is_brief else [data["task_id"]]
                        if seen.count("d") == 3:
                            break
                assert set(seen) == {"b", "d"}

    asyncio.run(part())


def test_a_follower_of_what_may_not_be_seen_hears_that_it_is_not_there(tmp_path):
    async def part():
        async with a_manager(tmp_path) as manager, serving(manager, as_they_say) as http:
            site = Site(manager, http)
            await site.post("/tasks", {**TASK, "id": "t", "namespace": "team"})
            said = []
            for name in ("t", "none"):
                async with (
                    asyncio.timeout(DEADLINE_S),
                    http.stream("GET", f"/events?task_id={name}", headers={"who": "bob"}) as stream,
                ):
                    lines = []
                    async for line in stream.aiter_lines():
                        lines.append(line.replace(f'"{name}"', '"X"'))
                        if line.startswith("data:"):
                            break
                    said.append(lines)
            assert said[0] == said[1]
            assert "event: gone" in said[0]

    asyncio.run(part())
