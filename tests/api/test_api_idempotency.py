"""Requests with an ``Idempotency-Key``: each POST is carried out once, and answered the same each time."""

import asyncio
import tracemalloc
from functools import partial

import httpx
import msgspec
import pytest

from propeller.access.principal import LOCAL
from propeller.api import once
from propeller.api.app import create_app
from propeller.api.authentication import Authentication
from propeller.api.context import PRINCIPAL
from propeller.core import idempotency as core
from propeller.core.states import TaskState
from propeller.store import limits
from tests.api.helpers import ADDITION_TEXT, Site, a_manager, play, serving

TASK = {"name": "main", "file": ADDITION_TEXT, "inputs": [1, 2]}
KEY = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"


async def sent(site, path, body=None, key="k-1", **headers):
    content = {} if body is None else {"json": body}
    return await site.http.post(path, **content, headers={KEY: key, **headers})


def same(first, again):
    """Check that the second answer is the first one, byte by byte, and says that it is."""
    assert first.is_success, first.text
    assert REPLAYED not in first.headers
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers.get("location") == first.headers.get("location")
    assert again.headers.get("content-type") == first.headers.get("content-type")
    assert again.headers[REPLAYED] == "true"


async def a_task(site):
    return (await site.post("/tasks", TASK))["id"]


async def a_running_task(site):
    site.is_slow = True
    task_id = await a_task(site)
    await site.post(f"/tasks/{task_id}/start", status=200)
    await site.reached(TaskState.RUNNING, task_id)
    return task_id


async def a_group(site, kind):
    made = await site.post(f"/{kind}s", {"tasks": [TASK, TASK]})
    return made["tasks"][0][f"{kind}_id"]


async def an_ended_group(site, kind):
    """Make one that has ended, so that it may be run again and would go on."""
    group_id = await a_running_group(site, kind)
    await site.post(f"/{kind}s/{group_id}/stop", status=200)
    return group_id


async def a_running_group(site, kind):
    site.is_slow = True
    group_id = await a_group(site, kind)
    await site.post(f"/{kind}s/{group_id}/start", status=200)
    return group_id


async def a_scheduled(site, kind):
    asked = TASK if kind == "task" else {"name": "nightly", "tasks": [TASK]}
    made = await site.post(f"/{kind}s", {**asked, "schedule": "@daily", "is_recurring": True})
    return made["id"] if kind == "task" else made["tasks"][0][f"{kind}_id"]


#: By path: what has to be there before, whose id goes into the path; and the body.
REQUESTS = {
    "/tasks": (None, TASK),
    "/workflows": (None, {"name": "w", "tasks": [TASK, {**TASK, "id": "b"}]}),
    "/jobs": (None, {"name": "j", "tasks": [TASK, TASK], "execution_mode": "parallel"}),
    "/tasks/{id}/start": (a_task, None),
    "/tasks/{id}/stop": (a_running_task, None),
    "/workflows/{id}/start": (lambda site: a_group(site, "workflow"), None),
    "/workflows/{id}/rerun": (lambda site: an_ended_group(site, "workflow"), None),
    "/workflows/{id}/clone": (lambda site: a_group(site, "workflow"), {"name": "again"}),
    "/workflows/{id}/stop": (lambda site: a_running_group(site, "workflow"), None),
    "/jobs/{id}/start": (lambda site: a_group(site, "job"), None),
    "/jobs/{id}/rerun": (lambda site: an_ended_group(site, "job"), {"what": "all"}),
    "/jobs/{id}/clone": (lambda site: a_group(site, "job"), None),
    "/jobs/{id}/stop": (lambda site: a_running_group(site, "job"), None),
    "/proplets/{id}/cordon": ("p-9", None),
    "/proplets/{id}/uncordon": ("p-9", None),
    "/proplets/{id}/drain": ("p-9", None),
    **{
        f"/{kind}s/{{id}}/schedule/{verb}": (partial(a_scheduled, kind=kind), None)
        for kind in ("task", "workflow", "job")
        for verb in ("pause", "resume")
    },
}
WITHOUT_KEY = {
    *("/tasks/{id}/invoke", "/modules/inspect", "/files/check"),
    *("/tokens", "/join-tokens", "/secret-keys", "/session"),
}


def test_every_post_is_among_those_that_are_tried_here(tmp_path):
    async def part(site):
        paths = (await site.http.get("/openapi.json")).json()["paths"]
        posts = {path: ways["post"] for path, ways in paths.items() if "post" in ways}
        assert posts.keys() == REQUESTS.keys() | WITHOUT_KEY
        for path, operation in posts.items():
            names = [one["name"] for one in operation["parameters"] if one["in"] == "header"]
            assert names == ([] if path in WITHOUT_KEY else [KEY]), path
            assert ("422" in operation["responses"]) is (path not in WITHOUT_KEY)

    play(part, tmp_path)


@pytest.mark.parametrize("path", REQUESTS)
def test_a_post_that_comes_again_is_answered_again_and_not_carried_out(tmp_path, path):
    async def part(site):
        site.bring_proplet()
        await site.turned()
        prepare, body = REQUESTS[path]
        target = prepare if isinstance(prepare, str) else prepare and await prepare(site)
        url = path.format(id=target)
        first = await sent(site, url, body)
        moves = await all_moves(site)
        same(first, await sent(site, url, body))
        makes_tasks = not target or path.endswith("/clone")
        other = await site.refused(
            "POST", f"{url}?file=false", 422 if makes_tasks else 400, headers={KEY: "k-1"}, json=body
        )
        assert ("was used for another request" if makes_tasks else "file: there is no such query") in other
        assert await all_moves(site) == moves
        for kind in ("task", "workflow", "job"):
            if path == f"/{kind}s":
                assert (await site.get(f"/{kind}s"))["total"] == 1

    play(part, tmp_path)


async def all_moves(site):
    await site.turned()
    return await site.manager.store.events(0, 1000)


def test_another_request_under_the_key_is_refused_whatever_differs(tmp_path):
    async def part(site):
        await sent(site, "/tasks", TASK)
        others = [
            ("/tasks", {**TASK, "inputs": [1, 3]}),
            ("/tasks?file=false", TASK),
            ("/workflows", {"tasks": [TASK]}),
            ("/tasks/none/start", None),
        ]
        for path, body in others:
            response = await sent(site, path, body)
            assert response.status_code == 422, path
            text = response.json()["error"]
            assert text.startswith("Idempotency-Key: k-1 was used for another request")
            assert text.endswith("use a new key for a new request")
        assert (await site.get("/tasks"))["total"] == 1
        assert (await sent(site, "/tasks", {**TASK, "inputs": [1, 3]}, key="k-2")).status_code == 201

    play(part, tmp_path)


def test_what_is_refused_is_not_remembered(tmp_path):
    async def part(site):
        site.bring_proplet()
        assert (await sent(site, "/tasks/t/start")).status_code == 404
        await site.post("/tasks", {**TASK, "id": "t"})
        first = await sent(site, "/tasks/t/start")
        await site.reached(TaskState.COMPLETED, "t")
        same(first, await sent(site, "/tasks/t/start"))
        assert len(site.started) == 1
        assert (await sent(site, "/tasks", {"nome": "f"}, key="k-2")).status_code == 400
        assert (await sent(site, "/tasks", TASK, key="k-2")).status_code == 201, "the client mended it"

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("key", "why"),
    [("", "1 to 255 characters"), ("x" * 256, "1 to 255 characters"), ("sch\u00f6n", "printable ASCII")],
)
def test_a_key_that_is_none_is_refused(tmp_path, key, why):
    async def part(site):
        response = await site.http.post("/tasks", json=TASK, headers=[(KEY, key.encode())])
        assert response.status_code == 400
        assert response.json()["error"].startswith("Idempotency-Key: ")
        assert why in response.json()["error"]
        twice = await site.http.post("/tasks", json=TASK, headers=[(KEY, "a"), (KEY, "b")])
        assert twice.status_code == 400
        assert "there are 2 of them; send one" in twice.json()["error"]
        assert (await site.get("/tasks"))["total"] == 0
        for good in ("x" * 255, '"quoted text" ~!'):
            assert (await sent(site, "/tasks", TASK, key=good)).status_code == 201

    play(part, tmp_path)


def test_methods_that_do_once_what_comes_twice_take_no_notice_of_a_key(tmp_path):
    async def part(site):
        await site.post("/tasks", {**TASK, "id": "t"})
        for colour in ("red", "blue"):
            sent = {"json": {"metadata": {"colour": colour}}, "headers": {KEY: "k"}}
            assert (await site.http.put("/tasks/t", **sent)).json()["metadata"] == {"colour": colour}
        assert (await site.http.get("/tasks/t", headers={KEY: "\u00f6".encode()})).status_code == 200
        assert (await site.http.delete("/tasks/t", headers={KEY: "k"})).status_code == 204

    play(part, tmp_path)


def test_an_invocation_refuses_a_key_since_it_runs_each_time(tmp_path):
    async def part(site):
        message = await site.refused("POST", "/tasks/t/invoke", 400, headers={KEY: "k"})
        assert message.startswith("Idempotency-Key: this request is carried out each time")

    play(part, tmp_path)


def test_the_answer_stays_whatever_has_become_of_the_task(tmp_path):
    async def part(site):
        site.bring_proplet()
        first = await sent(site, "/tasks", {**TASK, "id": "t"})
        await site.put("/tasks/t", {"priority": 9})
        await site.post("/tasks/t/start", status=200)
        await site.reached(TaskState.COMPLETED, "t")
        same(first, await sent(site, "/tasks", {**TASK, "id": "t"}))
        await site.delete("/tasks/t")
        same(first, await sent(site, "/tasks", {**TASK, "id": "t"}))
        assert (await site.get("/tasks"))["total"] == 0

    play(part, tmp_path)


@pytest.mark.parametrize("path", ["/tasks", "/workflows", "/jobs"])
def test_an_answer_that_was_not_kept_is_made_again(tmp_path, path, monkeypatch):
    monkeypatch.setattr(limits, "ANSWER_BYTES_MAX", 10)

    async def part(site):
        site.bring_proplet()
        _, body = REQUESTS[path]
        first = await sent(site, path, body)
        await asyncio.gather(*(site.post(f"{path}/{i}/start", status=200) for i in group_ids(path, first)))
        await site.reached(TaskState.COMPLETED, *(task["id"] for task in tasks_in(first)))
        same(first, await sent(site, path, body))
        assert (await site.get("/tasks"))["total"] == len(tasks_in(first))
        assert (await sent(site, path, {**body, "name": "x"})).status_code == 422
        for task in reversed(tasks_in(first)):
            await site.delete(f"/tasks/{task['id']}")
        gone = await sent(site, path, body)
        assert gone.status_code == 404
        assert "which has been deleted since; use a new key" in gone.json()["error"]

    play(part, tmp_path)


@pytest.mark.parametrize("kind", ["workflow", "job"])
def test_the_start_of_a_pattern_whose_answer_was_not_kept_names_its_run_again(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(limits, "ANSWER_BYTES_MAX", 10)

    async def part(site):
        url = f"/{kind}s/{await a_scheduled(site, kind)}/start"
        first = await sent(site, url)
        assert first.json()["run_id"]
        same(first, await sent(site, url))
        assert (await site.get(f"/{kind}s"))["total"] == 2

    play(part, tmp_path)


@pytest.mark.parametrize("kind", ["task", "workflow", "job"])
def test_what_has_a_schedule_and_whose_answer_was_not_kept_is_there_once(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(limits, "ANSWER_BYTES_MAX", 10)

    async def part(site):
        asked = TASK if kind == "task" else {"name": "nightly", "tasks": [TASK]}
        body = {**asked, "schedule": "@daily", "is_recurring": True}
        first, again = [await sent(site, f"/{kind}s", body) for _ in range(2)]
        assert ids_in(again) == ids_in(first)
        assert (await site.get(f"/{kind}s"))["total"] == 1

    play(part, tmp_path)


def ids_in(response):
    assert response.status_code == 201, response.text
    return [task["id"] for task in tasks_in(response)]


def tasks_in(response):
    return response.json().get("tasks", [response.json()])


def group_ids(path, response):
    kind = path.strip("/s")
    return {tasks_in(response)[0].get(f"{kind}_id", tasks_in(response)[0]["id"])}


def test_a_call_that_could_no_longer_be_made_does_not_hide_that_it_was_started(tmp_path, monkeypatch):
    """Checks before a command are for what it is to do; that was done."""
    monkeypatch.setattr(limits, "ANSWER_BYTES_MAX", 10)

    async def part(site):
        site.bring_proplet()
        await site.post("/tasks", {**TASK, "id": "t"})
        first = await sent(site, "/tasks/t/start")
        await site.reached(TaskState.COMPLETED, "t")
        await site.put("/tasks/t", {"inputs": [1, 2, 3]})
        monkeypatch.setattr(type(site.manager), "knows_runtime", True)
        assert (await sent(site, "/tasks/t/start", key="k-2")).status_code == 400
        same(first, await sent(site, "/tasks/t/start"))

    play(part, tmp_path)


def test_requests_that_arrive_together_get_one_answer(tmp_path):
    async def part(site):
        answers = await asyncio.gather(*(sent(site, "/jobs", REQUESTS["/jobs"][1]) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert sum(REPLAYED not in answer.headers for answer in answers) == 1
        assert (await site.get("/jobs"))["total"] == 1

    play(part, tmp_path)


def test_a_key_is_new_after_a_day(tmp_path, monkeypatch):
    async def part(site):
        first = await sent(site, "/tasks", TASK)
        monkeypatch.setattr(core, "REMEMBERED_NS", 0)
        again = await sent(site, "/tasks", {**TASK, "inputs": [9]})
        assert again.status_code == 201
        assert REPLAYED not in again.headers
        assert again.json()["id"] != first.json()["id"]

    play(part, tmp_path)


def test_the_answer_is_the_same_after_a_restart(tmp_path):
    answers = []

    async def part(site):
        answers.append(await sent(site, "/workflows", REQUESTS["/workflows"][1]))

    play(part, tmp_path)
    play(part, tmp_path)
    same(*answers)


def test_a_large_body_comes_in_pieces_and_is_carried_out_once(tmp_path):
    async def scene():
        async with a_manager(tmp_path) as manager, serving(manager) as http:
            site = Site(manager, http)
            body = {"tasks": [{**TASK, "stdin": "x" * 900_000, "metadata": {"n": n}} for n in range(3)]}
            first = await sent(site, "/jobs?file=false", body)
            assert len(first.content) > limits.ANSWER_BYTES_MAX
            again = await sent(site, "/jobs?file=false", body)
            assert again.content == first.content
            assert (await site.get("/jobs"))["total"] == 1

    asyncio.run(scene())


def test_a_key_costs_a_store_that_cannot_keep_an_answer_nothing_but_the_answer(tmp_path, monkeypatch):
    async def part(site):
        async def broken(key, answer):
            raise once.StoreUnusable("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(site.manager.store, "write_answer", broken)
            first = await sent(site, "/tasks", TASK)
        same(first, await sent(site, "/tasks", TASK))

    play(part, tmp_path)


def test_an_answer_does_not_wait_long_to_be_kept(tmp_path, monkeypatch):
    """The database may have gone away since the commit, and nobody knows for how long."""

    async def part(site):
        async def hangs(key, answer):
            await asyncio.Event().wait()

        with monkeypatch.context() as patched:
            patched.setattr(site.manager.store, "write_answer", hangs)
            patched.setattr(once, "PATIENCE_S", 0.05)
            first = await sent(site, "/tasks", TASK)
        same(first, await sent(site, "/tasks", TASK))

    play(part, tmp_path)


def test_a_handler_that_does_not_ask_once_is_a_defect_and_no_silent_promise(tmp_path):
    async def part(site):
        async def careless(request):
            return once._response(once.KeptAnswer(200, None, b"{}"), is_again=False)

        app = create_app(site.manager, instance_id="i")
        resource = app.resources["/tasks"]
        resource.endpoints["POST"] = msgspec.structs.replace(resource.endpoints["POST"], handler=careless)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=Authentication(app)), base_url="http://m"
        ) as http:
            assert (await http.post("/tasks", json=TASK, headers={KEY: "k"})).status_code == 500

    play(part, tmp_path, errors_expected=1)


def test_a_large_body_is_in_memory_once():
    size, count = 100_000, 100

    async def scene():
        left = iter(range(count))

        async def receive():
            number = next(left)
            return {"type": "http.request", "body": bytes([number]) * size, "more_body": number < count - 1}

        scope = {"type": "http", "method": "POST", "path": "/jobs", "query_string": b"", "headers": []}
        scope[PRINCIPAL] = LOCAL
        tracemalloc.start()
        _, handing_on = await once._read(once.HttpRequest(scope, receive))
        chunks = [chunk async for chunk in once.HttpRequest(scope, handing_on).stream()]
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert b"".join(chunks) == b"".join(bytes([number]) * size for number in range(count))
        assert held < 1.1 * size * count
        assert peak < 1.1 * size * count

    asyncio.run(scene())
