"""What becomes of requests that are forwarded when the leader goes away, or when there is none."""

import asyncio

import httpx
import pytest

from propeller.api.answers import refusal
from propeller.core.model import JobMode
from propeller.errors import OutcomeUnknown
from propeller.manager.follower import Follower
from propeller.manager.leaders import Leaders
from tests.api.following_helpers import following, leader_at
from tests.api.forwarding_helpers import KEY, MIB, Played, dying, run
from tests.api.helpers import serving_app

UNKNOWN = "the manager that leads went away before it answered, so it is not known whether this was done; "


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


def test_it_does_not_wait_for_ever(tmp_path):
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

    run(tmp_path, part, wait_s=0.1)


def test_two_that_forward_to_each_other_do_not_go_round(tmp_path):
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
            async with serving_app(Played()) as at_leader:
                await at_leader.get("/")
                asking = asyncio.create_task(scene.http.post("/tasks", json={}))
                await scene.http.get("/health")
                scene.leads(at_leader)
                assert (await asking).json() == {"ok": True}
        await other.stop()

    run(tmp_path, part, wait_s=1.0)


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


def test_who_loses_the_rest_of_an_answer_sees_it(tmp_path):
    async def half(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf ")
        await writer.drain()
        writer.close()

    async def part(scene):
        server = await asyncio.start_server(half, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as gone:
            scene.leads(gone)
            with pytest.raises(httpx.RemoteProtocolError):
                await scene.http.get("/overview")

    run(tmp_path, part)


def test_who_has_lost_the_lead_is_asked_no_more(tmp_path):
    async def part(scene):
        lost = Played()

        async def refuse(receive, send):
            response = refusal(OutcomeUnknown("it may have been done"))
            await response(lost.heads[-1], receive, send)

        lost.respond = refuse
        async with serving_app(lost) as at_lost, serving_app(Played()) as at_next:
            scene.leads(at_lost)
            found = await scene.http.post("/tasks")
            assert (found.status_code, found.json()) == (502, {"error": "it may have been done"})
            assert "retry-after" not in found.headers, "else a client does it twice"
            asking = asyncio.create_task(scene.http.post("/tasks", headers=KEY))
            while len(lost.heads) < 2:
                await scene.http.get("/health")
            scene.leads(at_next)
            assert (await asking).json() == {"ok": True}

    run(tmp_path, part)
