"""Requests for the manager that leads, asked of another: handed on and back as they come, whoever leads meanwhile."""

import asyncio
import contextlib
import json
import re
import tracemalloc

import httpx
import pytest

from propeller.api import forwarding as forwarding_module
from propeller.api.answers import refusal
from propeller.api.forwarding import Forwarding
from propeller.assembly.serving import listen, server_of
from propeller.config.settings import HttpSettings
from propeller.core.model import JobMode
from propeller.errors import LeadershipLost
from propeller.manager.follower import Follower
from propeller.manager.leaders import Leaders
from propeller.store.port import Leader
from propeller.store.sqlite.store import SqliteStore
from tests.api.following_helpers import following, leader_at
from tests.api.helpers import DEADLINE_S, serving_app
from tests.parts.certificates import Certificates

MIB = 2**20
KEY = {"idempotency-key": "k-1"}
UNKNOWN = "the manager that leads went away before it answered, so it is not known whether this was done; "


@pytest.fixture(autouse=True)
def _waits_for_long(monkeypatch):
    """Let a request wait for as long as a slow machine may need; tests of the end of the wait set less."""
    monkeypatch.setattr(forwarding_module, "WAIT_S", DEADLINE_S)


class Played:
    """A leader of which a test says what it answers."""

    def __init__(self, respond=None):
        self.respond = respond or self.ok
        self.heads = []
        self.bodies = []
        self.came = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.heads.append(scope)
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        self.bodies.append(body)
        self.came.set()
        await self.respond(receive, send)

    async def ok(self, receive, send):
        await answer(send, b'{"ok":true}\n')

    async def hang(self, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()

    def header(self, name):
        return [value.decode() for key, value in self.heads[-1]["headers"] if key == name.encode()]


async def answer(send, body, status=200, **headers):
    sent = [
        (b"content-length", b"%d" % len(body)),
        *((key.encode(), value) for key, value in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


class Scene:
    """A manager that follows, and leaders that are played."""

    def __init__(self, follower, http):
        self.follower = follower
        self.http = http
        self._token = 0

    def leads(self, at):
        self._token += 1
        self.follower.leaders.learn(leader_at(at, self._token))

    def nobody_leads(self):
        self.follower.leaders.learn(None)


def run(tmp_path, part):
    async def scene():
        store = SqliteStore(tmp_path, durability="normal")
        follower = Follower(store, Leaders(), job_mode=JobMode.PARALLEL)
        await follower.start()
        try:
            async with following(follower) as http, asyncio.timeout(DEADLINE_S):
                await part(Scene(follower, http))
        finally:
            await follower.stop()
            await store.close()

    asyncio.run(scene())


def test_a_request_is_forwarded_as_it_is(tmp_path):
    async def part(scene):
        leader = Played()
        async with serving_app(leader) as at_leader:
            scene.leads(at_leader)
            headers = {
                "authorization": "Bearer 123",
                "cookie": "a=b",
                "idempotency-key": "k-1",
                "connection": "x-hop",
                "x-hop": "1",
                "origin": str(scene.http.base_url).rstrip("/"),
                "sec-fetch-site": "same-origin",
                "user-agent": "Go-http-client/1.1",
            }
            found = await scene.http.post("/tasks/a%3Fb/start?x=%20y&z", content=b"text", headers=headers)
            assert (found.status_code, found.json()) == (200, {"ok": True})
            head = leader.heads[0]
            assert head["method"] == "POST"
            assert head["raw_path"] == b"/tasks/a%3Fb/start"
            assert head["query_string"] == b"x=%20y&z"
            assert leader.bodies == [b"text"]
            for name in ("authorization", "cookie", "idempotency-key", "user-agent"):
                assert leader.header(name) == [headers[name]]
            for name in ("x-hop", "origin", "sec-fetch-site"):
                assert leader.header(name) == []
            assert leader.header("host") == [at_leader.base_url.netloc.decode()]
            assert leader.header("propeller-forwarded-by") == ["i-2"]

    run(tmp_path, part)


def test_an_answer_is_handed_back_as_it_is(tmp_path):
    async def respond(receive, send):
        await answer(send, b"why\n", 418, location=b"/x", **{"retry-after": b"7"}, date=b"then")

    async def part(scene):
        async with serving_app(Played(respond)) as at_leader:
            scene.leads(at_leader)
            found = await scene.http.post("/tasks")
            assert (found.status_code, found.content) == (418, b"why\n")
            assert (found.headers["location"], found.headers["retry-after"]) == ("/x", "7")
            assert len(found.headers.get_list("date")) == 1
            assert found.headers["date"] != "then"
            head = await scene.http.head("/overview")
            assert (head.status_code, head.content, head.headers["content-length"]) == (418, b"", "4")

    run(tmp_path, part)


def test_bodies_pass_in_bounded_memory(tmp_path):
    size, piece = 64 * MIB, b"x" * MIB

    async def upload():
        for _ in range(size // MIB):
            yield piece

    async def leader(scope, receive, send):
        count, more = 0, True
        while more:
            message = await receive()
            count, more = count + len(message.get("body", b"")), message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(count // MIB):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def part(scene):
        async with serving_app(leader) as at_leader:
            scene.leads(at_leader)
            tracemalloc.start()
            count = 0
            async with scene.http.stream("PUT", "/tasks/a/upload", content=upload()) as found:
                async for chunk in found.aiter_raw():
                    count += len(chunk)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert count == size
            assert peak < 16 * MIB  # of client, follower and leader, since all are here

    run(tmp_path, part)


def test_events_pass_one_by_one(tmp_path):
    steps = asyncio.Queue()

    async def leader(scope, receive, send):
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while (data := await steps.get()) is not None:
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def part(scene):
        async with serving_app(leader) as at_leader:
            scene.leads(at_leader)
            async with scene.http.stream("GET", "/overview") as found:
                pieces = found.aiter_raw()
                for data in (b"one", b"two"):
                    steps.put_nowait(data)
                    assert await anext(pieces) == data
                steps.put_nowait(None)
                assert [piece async for piece in pieces] == []

    run(tmp_path, part)


def test_a_client_that_leaves_ends_its_request_at_the_leader(tmp_path):
    async def part(scene):
        leader = Played()
        leader.respond = leader.hang
        async with serving_app(leader) as at_leader:
            scene.leads(at_leader)
            asking = asyncio.create_task(scene.http.post("/tasks/a/invoke", json={}))
            await leader.came.wait()
            asking.cancel()
            await leader.left.wait()

    run(tmp_path, part)


@pytest.mark.parametrize(("method", "path"), [("GET", "/overview"), ("POST", "/tasks")])
def test_a_request_waits_for_a_leader(tmp_path, method, path):
    async def part(scene):
        leader = Played()
        asking = asyncio.create_task(scene.http.request(method, path, content=b"b"))
        async with serving_app(leader) as at_leader:
            await scene.http.get("/health")
            scene.leads(at_leader)
            assert (await asking).json() == {"ok": True}
            assert leader.bodies == [b"b"]

    run(tmp_path, part)


def test_it_does_not_wait_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(forwarding_module, "WAIT_S", 0.1)

    async def part(scene):
        found = await scene.http.post("/tasks", json={})
        assert found.status_code == 503
        assert found.headers["retry-after"] == "1"
        assert found.json()["error"] == (
            "this request is for the manager that leads, and none leads at present; nothing was done, try "
            "again soon"
        )
        async with serving_app(Played()) as gone:
            pass
        scene.leads(gone)
        found = await scene.http.get("/overview")
        assert found.status_code == 503
        address = str(gone.base_url).rstrip("/")
        assert f"{address}, which leads, can't be reached: " in found.json()["error"]

    run(tmp_path, part)


def test_two_that_forward_to_each_other_do_not_go_round(tmp_path, monkeypatch):
    monkeypatch.setattr(forwarding_module, "WAIT_S", 0.5)

    async def part(scene):
        other = Follower(scene.follower.store, Leaders(), job_mode=JobMode.PARALLEL)
        await other.start()
        async with following(other, "i-3") as at_other:
            scene.leads(at_other)
            other.leaders.learn(leader_at(scene.http))
            found = await scene.http.post("/tasks", json={})
            assert found.status_code == 503
            assert "says that it does not lead; nothing was done" in found.json()["error"]
            asked = await at_other.post("/tasks", json={}, headers={"propeller-forwarded-by": "i-2"})
            assert asked.status_code == 421
            # As soon as one of them leads, the other is answered.
            asking = asyncio.create_task(scene.http.post("/tasks", json={}))
            async with serving_app(Played()) as at_leader:
                scene.leads(at_leader)
                assert (await asking).json() == {"ok": True}
        await other.stop()

    run(tmp_path, part)


class Dying:
    """A server that takes a request, and ends the connection."""

    def __init__(self):
        self.count = 0

    async def took(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if length := re.search(rb"content-length: (\d+)", head):
            await reader.readexactly(int(length[1]))
        self.count += 1
        writer.close()


@contextlib.asynccontextmanager
async def dying():
    one = Dying()
    server = await asyncio.start_server(one.took, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        yield one, http


def test_the_outcome_of_a_change_is_not_known_where_its_leader_dies(tmp_path):
    async def part(scene):
        async with dying() as (one, gone):
            scene.leads(gone)
            for method in ("POST", "PUT", "DELETE"):
                found = await scene.http.request(
                    method, "/tasks/a" if method != "POST" else "/tasks", json={}
                )
                assert found.status_code == 502
                assert found.json()["error"] == (
                    f"{UNKNOWN}look before you send it again; with an Idempotency-Key that does no harm"
                )
                assert "retry-after" not in found.headers
            assert one.count == 3, "each was sent once"

    run(tmp_path, part)


@pytest.mark.parametrize(
    ("method", "path", "headers"), [("POST", "/tasks", KEY), ("GET", "/proplets", {}), ("HEAD", "/pace", {})]
)
def test_what_may_come_twice_is_sent_to_the_next_leader(tmp_path, method, path, headers):
    async def part(scene):
        next_one = Played()
        async with dying() as (one, gone), serving_app(next_one) as at_next:
            scene.leads(gone)
            body = b"b" * 100_000 if method == "POST" else b""
            asking = asyncio.create_task(scene.http.request(method, path, content=body, headers=headers))
            while not one.count:
                await scene.http.get("/health")
            scene.leads(at_next)
            assert (await asking).status_code == 200
            assert next_one.bodies == [body]

    run(tmp_path, part)


def test_a_large_body_is_not_kept_for_a_second_time(tmp_path):
    async def part(scene):
        async with dying() as (_, gone):
            scene.leads(gone)
            found = await scene.http.post("/tasks", content=b"b" * 2 * MIB, headers=KEY)
            assert found.status_code == 502
            again = f"{UNKNOWN}send it again with the same Idempotency-Key, then it is done once"
            assert found.json()["error"] == again

    run(tmp_path, part)


def test_a_leader_that_hangs_is_left_when_another_leads(tmp_path):
    async def part(scene):
        hung, next_one = Played(), Played()
        hung.respond = hung.hang
        async with serving_app(hung) as at_hung, serving_app(next_one) as at_next:
            scene.leads(at_hung)
            with_key = asyncio.create_task(scene.http.post("/tasks", headers=KEY))
            without = asyncio.create_task(scene.http.post("/tasks"))
            while len(hung.heads) < 2:
                await scene.http.get("/health")
            scene.nobody_leads()
            scene.leads(at_next)
            assert (await with_key).json() == {"ok": True}
            assert (await without).status_code == 502
            await hung.left.wait()

    run(tmp_path, part)


def test_a_stream_ends_where_another_leads(tmp_path):
    async def leader(scope, receive, send):
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async def part(scene):
        async with serving_app(leader) as at_leader, serving_app(Played()) as at_next:
            scene.leads(at_leader)
            async with scene.http.stream("GET", "/overview") as found:
                pieces = found.aiter_raw()
                assert await anext(pieces) == b"one"
                scene.leads(at_next)
                assert [piece async for piece in pieces] == []

    run(tmp_path, part)


def test_who_has_lost_the_lead_is_asked_no_more(tmp_path):
    async def part(scene):
        lost = Played()

        async def refuse(receive, send):
            response = refusal(LeadershipLost("it may have been done"))
            await response(lost.heads[-1], receive, send)

        lost.respond = refuse
        async with serving_app(lost) as at_lost, serving_app(Played()) as at_next:
            scene.leads(at_lost)
            found = await scene.http.post("/tasks")
            assert (found.status_code, found.json()) == (503, {"error": "it may have been done"})
            asking = asyncio.create_task(scene.http.post("/tasks", headers=KEY))
            while len(lost.heads) < 2:
                await scene.http.get("/health")
            scene.leads(at_next)
            assert (await asking).json() == {"ok": True}

    run(tmp_path, part)


def test_headers_that_no_request_may_have_are_refused(tmp_path):
    async def part(scene):
        async with serving_app(Played()) as at_leader:
            scene.leads(at_leader)
            assert (await scene.http.get("/health")).status_code == 200
            port = scene.http.base_url.port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"GET /overview HTTP/1.1\r\nhost: localhost\r\nx-y: a\x01b\r\nconnection: close\r\n\r\n"
            )
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
            assert head.startswith(b"HTTP/1.1 400")
            if b"forwarded" in body:  # a strict server refuses it itself
                assert json.loads(body)["error"].startswith("the request can't be forwarded: ")

    run(tmp_path, part)


def test_over_https_the_leader_shows_a_certificate_that_is_believed(tmp_path, monkeypatch):
    made, other = Certificates(tmp_path / "ours"), Certificates(tmp_path / "others")
    settings = HttpSettings(port=0, server_cert=made.server, server_key=made.server_key)

    async def scene():
        leaders = Leaders()
        listeners = listen("localhost", 0)
        server = server_of(Played(), settings)
        running = asyncio.create_task(server.serve(sockets=listeners))
        leaders.learn(Leader(1, "m-1", f"https://localhost:{listeners[0].getsockname()[1]}"))
        found = []
        for trusted in (made.server, made.ca, other.ca, None):
            wait_s = DEADLINE_S if trusted in (made.server, made.ca) else 0.1
            monkeypatch.setattr(forwarding_module, "WAIT_S", wait_s)
            async with Forwarding(leaders, instance_id="i", trusted=trusted) as app:
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url="http://m") as http:
                    found.append(await http.post("/tasks", content=b"x"))
        server.should_exit = True
        await running
        assert [one.status_code for one in found] == [200, 200, 503, 503]
        assert "certificate verify failed" in found[2].json()["error"]

    asyncio.run(scene())
