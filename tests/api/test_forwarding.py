"""Requests for the manager that leads, asked of another: handed on and back as they come."""

import asyncio
import json
import tracemalloc

import httpx

from propeller.access.principal import Principal
from propeller.access.roles import Role
from propeller.api import forwarding as forwarding_module
from propeller.api.context import PRINCIPAL
from propeller.api.forwarding import Forwarding
from propeller.api.peer_trust import OwnCertificate
from propeller.assembly.serving import listen, server_of
from propeller.config.settings import HttpSettings
from propeller.manager.leaders import Leaders
from propeller.store.lead import Leader
from tests.api.forwarding_helpers import MIB, Played, answer, run
from tests.api.helpers import DEADLINE_S, serving_app
from tests.parts.certificates import Certificates


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


def test_a_client_that_is_known_by_its_certificate_is_led_to_the_leader():
    """Its certificate can't be shown there by anybody else."""
    ada = Principal(name="ada", role=Role.ADMIN, namespaces=None, how="certificate")

    async def scene():
        leaders = Leaders()
        leaders.learn(Leader(1, "m-1", "https://m-1.example:7070"))
        async with Forwarding(leaders, instance_id="i") as app:

            async def known(scope, receive, send):
                await app({**scope, PRINCIPAL: ada}, receive, send)

            transport = httpx.ASGITransport(known)
            async with httpx.AsyncClient(transport=transport, base_url="http://m") as http:
                found = await http.post("/tasks/a%3Fb/start?x=%20y&z", content=b"x")
        place = "https://m-1.example:7070/tasks/a%3Fb/start?x=%20y&z"
        assert (found.status_code, found.headers["location"]) == (307, place)
        assert "can't show your certificate" in found.json()["error"]

    asyncio.run(scene())


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


def test_streams_can_be_ended(tmp_path):
    async def leader(scope, receive, send):
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async def part(scene):
        async with serving_app(leader) as at_leader:
            scene.leads(at_leader)
            async with scene.http.stream("GET", "/overview") as found:
                pieces = found.aiter_raw()
                assert await anext(pieces) == b"one"
                scene.forwarding.end_streams()
                assert [piece async for piece in pieces] == []

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


def test_a_header_that_says_where_a_request_ends_is_not_taken_away(tmp_path):
    """Without it, the leader would take the body for a request of its own, that no gate has looked at."""

    async def part(scene):
        leader = Played()
        async with serving_app(leader) as at_leader:
            scene.leads(at_leader)
            inner = b"DELETE /tasks/other HTTP/1.1\r\nhost: x\r\n\r\n"
            headers = {"connection": "Content-Length, idempotency-key", "idempotency-key": "k-1"}
            found = await scene.http.post("/tasks/a/start", content=inner, headers=headers)
            assert found.json() == {"ok": True}
            assert [(head["method"], head["path"]) for head in leader.heads] == [("POST", "/tasks/a/start")]
            assert leader.bodies == [inner]
            assert leader.header("idempotency-key") == ["k-1"], "it may be sent again"

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
        chain = tmp_path / "chain.pem"
        chain.write_text(made.server.read_text() + made.ca.read_text())
        for own in (
            OwnCertificate(made.server, made.server_key),
            OwnCertificate(chain, made.server_key),
            OwnCertificate(other.server, other.server_key),
            None,
        ):
            wait_s = DEADLINE_S if own and own.key == made.server_key else 0.1
            monkeypatch.setattr(forwarding_module, "PATIENCE_S", wait_s)
            async with Forwarding(leaders, instance_id="i", own=own) as app:
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url="http://m") as http:
                    found.append(await http.post("/tasks", content=b"x"))
        server.should_exit = True
        await running
        assert [one.status_code for one in found] == [200, 200, 503, 503]
        assert "certificate verify failed" in found[2].json()["error"]

    asyncio.run(scene())
