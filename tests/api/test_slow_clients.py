"""Clients that stop half-way, or send more than anybody needs: each is sent away, and the others notice nothing."""

import asyncio
import contextlib
import json
import time
from ipaddress import ip_network

import httpx
import pytest

from propeller.api.app import create_app
from propeller.assembly import connections, share
from propeller.assembly.connections import Watch
from propeller.assembly.serving import guarded, listen, server_of
from propeller.config.settings import HttpSettings
from tests.api.helpers import DEADLINE_S, a_manager

HEAD_BYTES_MAX = HttpSettings(port=0).head_bytes_max
HURRIED = {"head_s_max": 0.5, "body_silence_s_max": 0.5}
HALF = b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
BIG = HALF.replace(b"1000", b"90000000") + b'"name":"' + b"f" * 1_000_000


class Scene:
    """An API whose clients are of all kinds."""

    def __init__(self, manager, port, watch, http):
        self.manager = manager
        self.port = port
        self.watch = watch
        self.http = http
        self.writers = []

    async def begin(self, sent):
        """Connect, and send this and no more."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        writer.write(sent)
        return reader, writer

    async def until(self, look):
        async with asyncio.timeout(DEADLINE_S):
            while not look():  # noqa: ASYNC110  the server says nothing of it
                await asyncio.sleep(0)


def play(directory, part, *, limits=None, **more):
    """Let clients ask; ``limits`` are those of the settings, and ``more`` has those of all together."""

    async def scene():
        settings = HttpSettings(port=0, **(limits or {}))
        watch = Watch(settings, **more)
        listeners = listen("127.0.0.1", 0)
        async with a_manager(directory) as manager:
            app = guarded(create_app(manager, instance_id="i"), settings, listeners)
            server = server_of(app, settings, watch=watch)
            running = asyncio.create_task(server.serve(sockets=listeners))
            port = listeners[0].getsockname()[1]
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S) as http:
                one = Scene(manager, port, watch, http)
                try:
                    await part(one)
                    assert (await http.get("/health")).status_code == 200
                finally:
                    for writer in one.writers:
                        writer.close()
                    server.should_exit = True
                    await running
            assert watch.held == 0
            assert not watch.arriving
            assert not watch.waiting

    asyncio.run(scene())


async def refusal(reader):
    """Read an answer and the end of its connection."""
    async with asyncio.timeout(DEADLINE_S):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b"connection: close" in head
    return int(head.split()[1]), json.loads(body)["error"]


def test_a_head_that_does_not_come_to_an_end(tmp_path):
    async def part(scene):
        for sent in (HALF[:30], HALF.partition(b"\r\n\r\n")[0]):
            status, message = await refusal((await scene.begin(sent))[0])
            assert (status, "headers of the request took too long" in message) == (408, True)
        # Nothing at all, nothing but empty lines, and a beginning after a request that was answered.
        for sent in (b"", b"\r\n" * 10):
            assert await (await scene.begin(sent))[0].read() == b""
        reader, _ = await scene.begin(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
        assert (await reader.read()).count(b"HTTP/1.1 200") == 1

    play(tmp_path, part, limits=HURRIED)


def test_a_body_that_does_not_come(tmp_path):
    async def part(scene):
        chunked = HALF.replace(b"Content-Length: 1000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n")
        for sent in (HALF[:-1], HALF, BIG, chunked, chunked + b"5\r\n{"):
            status, message = await refusal((await scene.begin(sent))[0])
            assert (status, "the rest of it took too long" in message) == (408, True)

    play(tmp_path, part, limits=HURRIED)


def test_a_body_that_ends_after_its_answer(tmp_path):
    async def part(scene):
        # So much of it has come that the answer need not wait for the rest.
        head, _, _ = HALF.replace(b"1000", b"2000000").partition(b"\r\n\r\n")
        begun = head + b"\r\nOrigin: http://evil.test\r\n\r\n" + b" " * 1_500_000
        reader, writer = await scene.begin(begun)
        async with asyncio.timeout(DEADLINE_S / 4):
            assert (await reader.readuntil(b"}\n")).startswith(b"HTTP/1.1 403")
            (connection,) = scene.watch.waiting
            writer.write(b" " * 500_000)
            # It may ask for more, and if it does not, it is closed.
            await scene.until(lambda: not connection._is_in_body)
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readuntil(b"}\n")).startswith(b"HTTP/1.1 200")
        reader, writer = await scene.begin(begun)
        async with asyncio.timeout(DEADLINE_S / 4):
            assert (await reader.readuntil(b"}\n")).startswith(b"HTTP/1.1 403")
            writer.write(b" " * 500_000)
            assert await reader.read() == b""

    play(tmp_path, part, limits=HURRIED)


def test_an_answer_that_does_not_wait_for_the_body(tmp_path):
    async def part(scene):
        async with asyncio.timeout(DEADLINE_S / 4):
            # A client that asks whether it may go on, as curl does with large bodies.
            asks = HALF[:-1].replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
            reader, writer = await scene.begin(asks)
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b" " * 1000)
            assert (await reader.readuntil(b"}\n")).startswith(b"HTTP/1.1 400")
            reader, _ = await scene.begin(HALF.replace(b"1000", b"900000000"))
            assert (await reader.readuntil(b"}\n")).startswith(b"HTTP/1.1 413")
            # What another protocol is offered for is answered in this one.
            offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n\r\n"
            reader, _ = await scene.begin(b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + offer)
            assert (await reader.readuntil(b"}\n")).startswith(b"HTTP/1.1 200")

    play(tmp_path, part)


def test_a_body_that_drips(tmp_path):
    """It is never silent for long, and would take for ever."""

    async def part(scene):
        reader, writer = await scene.begin(HALF)
        began = time.monotonic()
        answer = asyncio.create_task(refusal(reader))
        with contextlib.suppress(ConnectionError):
            while not answer.done():
                writer.write(b" ")
                await asyncio.wait({answer}, timeout=0.05)
        assert (await answer)[0] == 408
        assert time.monotonic() - began < DEADLINE_S / 2

    play(tmp_path, part, limits={"body_silence_s_max": 3.0})


def test_a_body_that_keeps_coming_may_take_its_time(tmp_path):
    async def part(scene):
        text = b'{"name":"f","metadata":{"a":"' + b"x" * 40_000 + b'"}}'
        head = HALF.partition(b"Content-Length")[0]
        reader, writer = await scene.begin(
            head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(text)
        )
        for start in range(0, len(text), 4000):
            await asyncio.sleep(0.3)
            writer.write(text[start : start + 4000])
        assert (await reader.read()).startswith(b"HTTP/1.1 201")

    play(tmp_path, part, limits={"body_silence_s_max": 1.5})


@pytest.mark.parametrize(
    "flood",
    [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"GET /",
        b"GET / HTTP/1.1\r\nX",
        b"GET / HTTP/1.1\r\nX: a\r\n",
    ],
    ids=["value", "line", "name", "many"],
)
def test_a_head_that_is_too_large(tmp_path, flood):
    async def part(scene):
        reader, writer = await scene.begin(flood)
        piece = b"X: %s\r\n" % (b"a" * 100) * 100 if flood.endswith(b"\n") else b"a" * 10_000
        sent = 0
        answer = asyncio.create_task(refusal(reader))
        with contextlib.suppress(ConnectionError):
            while not answer.done():
                writer.write(piece)
                sent += len(piece)
                assert sent < 20 * HEAD_BYTES_MAX + 10_000_000  # the system's buffers are in between
                await writer.drain()
                await asyncio.sleep(0)
        with contextlib.suppress(ConnectionResetError):
            status, message = await answer
            assert (status, str(HEAD_BYTES_MAX) in message) == (431, True)

    play(tmp_path, part)


def test_a_head_that_is_too_large_and_complete(tmp_path):
    async def part(scene):
        answer = await scene.http.get("/health", headers={"x": "a" * (HEAD_BYTES_MAX + 1)})
        assert answer.status_code == 431
        assert str(HEAD_BYTES_MAX) in answer.json()["error"]
        assert (
            await scene.http.get("/health", headers={"x": "a" * (HEAD_BYTES_MAX - 1000)})
        ).status_code == 200

    play(tmp_path, part)


def test_many_small_requests_in_one_piece_are_no_large_head(tmp_path):
    async def part(scene):
        request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        reader, _ = await scene.begin(
            request * 5000 + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        assert (await reader.read()).count(b"HTTP/1.1 200") == 5001

    play(tmp_path, part)


def test_more_connections_than_may_be(tmp_path):
    """Who has been silent for longest makes room; whoever is being answered stays."""

    async def part(scene):
        following, _ = await scene.begin(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await following.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        halves = [(await scene.begin(HALF))[0] for _ in range(30)]
        for reader in halves[:10]:
            assert (await refusal(reader))[0] == 503
        assert not following.at_eof()
        assert (await scene.http.get("/health")).status_code == 200
        await scene.until(lambda: len(scene.watch.waiting) <= 20)

    play(tmp_path, part, connections_max=20)


def test_a_body_that_keeps_coming_makes_no_room_for_idle_connections(tmp_path):
    async def part(scene):
        reader, writer = await scene.begin(HALF)
        for sent in range(1, 31):
            await scene.until(lambda sent=sent: scene.watch.held == sent)
            await scene.begin(b"GET /")
            writer.write(b" ")
        writer.write(b" " * (999 - 30))
        async with asyncio.timeout(DEADLINE_S):
            assert (await reader.readuntil(b"}\n")).startswith(b"HTTP/1.1 400")
        await scene.until(lambda: len(scene.watch.waiting) <= 20)

    play(tmp_path, part, connections_max=20)


def test_of_large_bodies_the_slowest_makes_room(tmp_path):
    async def part(scene):
        steady, _ = await scene.begin(BIG)
        await scene.until(lambda: scene.watch.held >= 1_000_000)
        slow, _ = await scene.begin(BIG[:300_000])
        await scene.until(lambda: scene.watch.held >= 1_299_000)
        for connection in scene.watch.arriving:
            connection.body_since -= 60
        task = {"name": "f", "metadata": {"a": "x" * 900_000}}
        assert (await scene.http.post("/tasks", json=task)).status_code == 201
        assert (await refusal(slow))[0] == 503
        assert not steady.at_eof()

    play(tmp_path, part, bodies_bytes_max=2_100_000)


def test_more_large_bodies_than_there_is_room_for(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "_BODY_S_MIN", 0.2)

    async def part(scene):
        first, _ = await scene.begin(BIG)
        second, _ = await scene.begin(BIG)
        await scene.until(lambda: scene.watch.held >= 1_800_000)
        # Nobody has been at it for long enough to be sent away for another.
        monkeypatch.setattr(connections, "_BODY_S_MIN", 1000)
        status, message = await refusal((await scene.begin(BIG))[0])
        assert (status, "too many large requests" in message) == (503, True)
        # Small ones are taken all the same.
        assert (await scene.http.post("/tasks", json={"name": "f"})).status_code == 201
        monkeypatch.setattr(connections, "_BODY_S_MIN", 0.0)
        task = {"name": "f", "metadata": {"a": "x" * 900_000}}
        assert (await scene.http.post("/tasks", json=task)).status_code == 201
        assert (await refusal(first))[0] == 503
        assert not second.at_eof()

    play(tmp_path, part, bodies_bytes_max=2_100_000)


def test_an_answer_that_nobody_reads(tmp_path):
    """It would be held for ever. One that is read in pieces may take its time."""

    async def part(scene):
        task = {"id": "a", "name": "f", "metadata": {"a": "x" * 900_000}}
        assert (await scene.http.post("/tasks", json=task)).status_code == 201
        asked = b"GET /tasks/a HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40
        await scene.begin(asked)
        await scene.until(lambda: scene.watch.unread)
        (forgotten,) = scene.watch.unread
        slow, _ = await scene.begin(asked)
        read = 0
        while read < 36_000_000:
            piece = await slow.read(1_000_000)
            assert piece, "who reads is still there"
            read += len(piece)
            await asyncio.sleep(0.01)
        await scene.until(lambda: forgotten.transport.is_closing() and not scene.watch.unread)

    play(tmp_path, part, limits={"answer_silence_s_max": 1.0})


def test_a_connection_that_asks_nothing_more(tmp_path):
    async def part(scene):
        reader, _ = await scene.begin(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S / 4):
            assert (await reader.read()).startswith(b"HTTP/1.1 200")

    play(tmp_path, part, limits={"idle_s_max": 0.2})


def test_a_head_may_be_as_large_as_is_said(tmp_path):
    async def part(scene):
        for size, status in ((1500, 200), (2500, 431)):
            assert (await scene.http.get("/health", headers={"x": "a" * size})).status_code == status

    play(tmp_path, part, limits={"head_bytes_max": 2000})


def test_a_head_has_no_more_headers_than_anybody_needs(tmp_path):
    async def part(scene):
        for count, status in ((150, 200), (250, 431)):
            answer = await scene.http.get("/health", headers={f"x-{n}": "" for n in range(count)})
            assert answer.status_code == status
        assert "200 of them" in answer.json()["error"]

    play(tmp_path, part)


def test_a_client_has_no_more_connections_than_its_share(tmp_path, monkeypatch):
    monkeypatch.setattr(share, "EACH_MAX", 3)
    monkeypatch.setattr(share, "is_loopback", lambda _: False)

    async def part(scene):
        for _ in range(2):
            await scene.begin(b"")
        assert (await scene.http.get("/health")).status_code == 200
        await scene.until(lambda: scene.watch.share._by_client["127.0.0.1"] == 3)
        reader, _ = await scene.begin(b"")
        status, error = await refusal(reader)
        assert status == 429
        assert "connections of this client already; close some" in error
        scene.writers[0].close()
        await scene.until(lambda: scene.watch.share._by_client["127.0.0.1"] == 2)
        reader, _ = await scene.begin(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")

    play(tmp_path, part)


def test_whose_connections_are_counted_together():
    counted = share.Share([ip_network("10.0.0.0/24")])
    assert [counted.take(address) for address in ("127.0.0.1", "::1", "10.0.0.7")] == ["", "", ""]
    assert {counted.take(address) for address in ("2001:db8::1", "2001:db8::2")} == {"2001:db8::"}
    assert [counted.take("10.0.1.1") for _ in range(share.EACH_MAX + 1)][-2:] == ["10.0.1.1", None]
    assert counted.take("10.0.1.2") == "10.0.1.2"
    counted.give_back("10.0.1.1")
    assert counted.take("10.0.1.1") == "10.0.1.1"
