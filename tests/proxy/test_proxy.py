"""Requests for modules, answered from a real registry."""

import asyncio
import base64
import json
import logging
import socket
import threading

import httpx
import pytest

from propeller.assembly.proxying import serving_health
from propeller.config.settings import HttpSettings
from propeller.proxy.service import Proxy
from tests.registry.helpers import WASM, Server, digest_of, module, play, settings
from tests.waiting import until


class Link:
    """What a link to a broker does: it takes messages at once and may want its user to wait."""

    def __init__(self):
        self.sent = []
        self.most = 0
        self.unsent = 0
        self.room = 10**9
        self._moved = asyncio.Event()
        self._news = asyncio.Event()

    def publish(self, topic, payload):
        self.sent.append((topic, json.loads(payload)))
        self.unsent += 1
        self.most = max(self.most, self.unsent)
        self._news.set()

    async def drained(self):
        """Wait until there was room; all who wait go on at once, as they do on an event."""
        if self.unsent >= self.room:
            await self._moved.wait()

    def carry_off(self):
        """Send what is unsent."""
        self.unsent = 0
        self._moved.set()
        self._moved.clear()

    async def have_sent(self, count):
        """Wait until so many messages were published."""
        while len(self.sent) < count:
            self._news.clear()
            await self._news.wait()
        return self.sent

    def to(self, proplet):
        topic = f"proplet/{proplet}/registry/server" if proplet else "registry/server"
        return [chunk for at, chunk in self.sent if at == topic]


def with_proxy(part, told, **options):
    """Run ``part(proxy, link)``."""

    async def whole(fetcher):
        link = Link()
        proxy = Proxy(fetcher, link.publish, link.drained, **{"chunk_bytes": 1000, **options})
        try:
            await part(proxy, link)
        finally:
            await proxy.close()

    play(whole, told)


def ask(proxy, name, *, proplet_id="", **more):
    """Ask as a proplet does on its own topic, or as one that only knows the contract."""
    topic = f"from/{proplet_id}/registry/proplet" if proplet_id else "registry/proplet"
    proxy.received(topic, json.dumps({"app_name": name, **more}).encode())


def joined(chunks):
    return b"".join(base64.b64decode(chunk["data"]) for chunk in sorted(chunks, key=lambda c: c["chunk_idx"]))


def test_answers_a_plain_request_to_all_with_all_chunks(registry, tmp_path):
    data = module("all", 3500)
    registry.push("proxy/all", "v1", (data, WASM))
    name = f"{registry.host}/proxy/all:v1"

    async def part(proxy, link):
        ask(proxy, name)
        await link.have_sent(4)
        chunks = link.to(None)
        assert [(c["app_name"], c["chunk_idx"], c["total_chunks"]) for c in chunks] == [
            (name, i, 4) for i in range(4)
        ]
        assert joined(chunks) == data

    with_proxy(part, settings(tmp_path))


def test_pieces_are_as_large_as_is_set(registry, tmp_path):
    registry.push("proxy/large", "v1", (module("large", 3500), WASM))

    async def part(proxy, link):
        ask(proxy, f"{registry.host}/proxy/large:v1")
        await link.have_sent(2)
        assert [len(base64.b64decode(chunk["data"])) for chunk in link.to(None)] == [2000, 1500]

    with_proxy(part, settings(tmp_path), chunk_bytes=2000)


def test_answers_each_plain_request_as_answers_are_shared(registry, tmp_path):
    registry.push("proxy/twice", "v1", (module("twice", 1500), WASM))

    async def part(proxy, link):
        ask(proxy, f"{registry.host}/proxy/twice:v1")
        ask(proxy, f"{registry.host}/proxy/twice:v1")
        await link.have_sent(4)
        assert sorted(c["chunk_idx"] for c in link.to(None)) == [0, 0, 1, 1]

    with_proxy(part, settings(tmp_path))


def test_answers_the_proplet_that_asks_with_what_it_wants(registry, tmp_path):
    data = module("some", 3500)
    registry.push("proxy/some", "v1", (data, WASM))
    name = f"{registry.host}/proxy/some:v1"

    async def part(proxy, link):
        ask(proxy, name, proplet_id="p1", count=0)
        await link.have_sent(1)
        assert link.to("p1") == [
            {"app_name": name, "chunk_idx": 0, "total_chunks": 4, "data": "", "digest": digest_of(data)}
        ]
        ask(proxy, name, proplet_id="p1", first=1, count=2)
        await link.have_sent(3)
        ask(proxy, name, proplet_id="p1", first=3, count=9)
        await link.have_sent(4)
        ask(proxy, name, proplet_id="p2")
        await link.have_sent(8)
        assert [c["chunk_idx"] for c in link.to("p1")] == [0, 1, 2, 3]
        assert joined(link.to("p1")) == data[1000:]
        assert joined(link.to("p2")) == data
        assert {c["digest"] for _, c in link.sent} == {digest_of(data)}
        assert link.to(None) == []

    with_proxy(part, settings(tmp_path))


def test_all_pieces_are_of_the_module_that_was_begun(registry, tmp_path):
    old, new = module("begun", 2000), module("pushed meanwhile", 2000)
    name = f"{registry.host}/proxy/begun:v1"

    async def part(proxy, link):
        registry.push("proxy/begun", "v1", (old, WASM))
        ask(proxy, name, proplet_id="p", first=0, count=1)
        await link.have_sent(1)
        registry.push("proxy/begun", "v1", (new, WASM))
        ask(proxy, name, proplet_id="p", first=1, count=1)
        await link.have_sent(2)
        assert joined(link.to("p")) == old
        ask(proxy, name, proplet_id="p")
        await link.have_sent(4)
        assert joined(link.to("p")[2:]) == new, "whoever begins again gets what the tag means now"

    with_proxy(part, settings(tmp_path))


def test_says_why_there_is_no_module(registry, tmp_path):
    async def part(proxy, link):
        ask(proxy, f"{registry.host}/proxy/none:v1", proplet_id="p")
        ask(proxy, "Not An Image", proplet_id="q")
        await link.have_sent(2)
        (missing,) = link.to("p")
        assert (missing["total_chunks"], missing["data"]) == (0, "")
        assert "has no" in missing["error"]
        (wrong,) = link.to("q")
        assert "is not an image reference" in wrong["error"]
        assert proxy.counts == {"refused": 2}

    with_proxy(part, settings(tmp_path))


def test_says_nothing_to_all_where_there_is_no_module(registry, tmp_path, caplog):
    """A proplet that only knows the contract would refuse the real pieces, which another may send."""
    registry.push("proxy/last", "v1", (module("last"), WASM))

    async def part(proxy, link):
        for name in (f"{registry.host}/proxy/none:v1", "Not An Image"):
            ask(proxy, name)
        await asyncio.to_thread(until, lambda: proxy.counts["refused"] == 2)
        proxy._requests_max = 0
        ask(proxy, f"{registry.host}/proxy/last:v1")
        assert proxy.counts == {"refused": 3}
        assert link.sent == []

    with_proxy(part, settings(tmp_path))
    assert "is not an image reference" in caplog.text


def test_who_asks_for_pieces_behind_the_end_is_told_how_many_there_are(registry, tmp_path):
    """The pieces may have been smaller when it asked for the first ones."""
    registry.push("proxy/end", "v1", (module("end", 1500), WASM))

    async def part(proxy, link):
        ask(proxy, f"{registry.host}/proxy/end:v1", proplet_id="p", first=2, count=1)
        await link.have_sent(1)
        (chunk,) = link.to("p")
        assert (chunk["total_chunks"], chunk["data"], "error" in chunk) == (2, "", False)

    with_proxy(part, settings(tmp_path))


def test_a_slow_registry_holds_up_nobody_else(registry, tmp_path):
    registry.push("proxy/quick", "v1", (module("quick"), WASM))
    over = threading.Event()

    def slowly(_):
        over.wait(60)
        return 404, {}, b""

    with Server(slowly) as slow:

        async def part(proxy, link):
            for i in range(200):
                ask(proxy, f"{slow.host}/a/slow{i}:v1", proplet_id="slow")
            await asyncio.to_thread(until, lambda: slow.paths)
            ask(proxy, f"{registry.host}/proxy/quick:v1", proplet_id="quick")
            await link.have_sent(1)
            assert joined(link.to("quick")) == module("quick")
            over.set()
            await link.have_sent(201)
            assert all("has no" in chunk["error"] for chunk in link.to("slow"))

        with_proxy(part, settings(tmp_path))


def test_many_requests_share_one_fetch(tmp_path):
    data = module("shared", 1000)
    with Server(lambda _: (200, {}, data)) as server:

        async def part(proxy, link):
            for i in range(50):
                ask(proxy, f"http://{server.host}/m.wasm", proplet_id=f"p{i}")
            await link.have_sent(50)
            assert all(joined(link.to(f"p{i}")) == data for i in range(50))

        with_proxy(part, settings(tmp_path))
        assert server.paths == ["/m.wasm"]


def test_what_was_announced_is_not_fetched_again(tmp_path):
    data = module("announced", 1500)
    with Server(lambda _: (200, {}, data)) as server:

        async def part(proxy, link):
            for count in (0, 1):
                ask(proxy, f"http://{server.host}/m.wasm", proplet_id="p", first=0, count=count)
                await link.have_sent(count + 1)
            ask(proxy, f"http://{server.host}/m.wasm", proplet_id="p", first=1, count=1)
            await link.have_sent(3)
            assert joined(link.to("p")[1:]) == data

        with_proxy(part, settings(tmp_path))
        assert server.paths == ["/m.wasm"]


def test_sends_no_more_than_the_link_has_room_for(registry, tmp_path):
    data = module("room", 5000)
    registry.push("proxy/room", "v1", (data, WASM))

    async def part(proxy, link):
        link.room = 2
        for i in range(8):
            ask(proxy, f"{registry.host}/proxy/room:v1", proplet_id=f"p{i}")
        for sent in range(2, 41, 2):
            await link.have_sent(sent)
            link.carry_off()
        assert link.most == 2
        assert all(joined(link.to(f"p{i}")) == data for i in range(8))

    with_proxy(part, settings(tmp_path))


def test_tells_those_that_are_too_many(registry, tmp_path):
    registry.push("proxy/many", "v1", (module("many"), WASM))

    async def part(proxy, link):
        for i in range(3):
            ask(proxy, f"{registry.host}/proxy/many:v1", proplet_id=f"p{i}")
        await link.have_sent(3)
        assert "ask again later" in link.to("p2")[0]["error"]
        assert joined(link.to("p0")) == joined(link.to("p1")) == module("many")

    with_proxy(part, settings(tmp_path), requests_max=2)


def test_counts_what_it_can_not_read_and_logs_each_kind_once(registry, tmp_path, caplog):
    registry.push("proxy/good", "v1", (module("good"), WASM))

    async def part(proxy, link):
        for _ in range(3):
            proxy.received("registry/proplet", b"\xff{")
            proxy.received("registry/proplet", b'{"chunk":1}')
            proxy.received("registry/proplet", b'{"app_name":"a/b","proplet_id":"p/../#"}')
            ask(proxy, "a/b", proplet_id="p", first=-1)
            proxy.received("registry/server", b"{}")
        ask(proxy, f"{registry.host}/proxy/good:v1")
        await link.have_sent(1)
        assert joined(link.to(None)) == module("good")
        assert proxy.counts == {
            "unreadable": 12,
            "unexpected topic": 3,
            "answered": 1,
        }

    with caplog.at_level(logging.WARNING):
        with_proxy(part, settings(tmp_path))
    assert len(caplog.records) == 2


def test_leaves_the_manager_its_own_modules(tmp_path):
    async def part(proxy, link):
        ask(proxy, digest_of(b"of the manager"), proplet_id="p")
        for proplet_id in ("", "p"):
            ask(proxy, f"propeller.local/modules@{digest_of(b'of the manager')}", proplet_id=proplet_id)
        assert proxy.counts == {"left": 3}
        assert not proxy._serving
        assert link.sent == []

    with_proxy(part, settings(tmp_path))


def test_a_link_that_fails_ends_one_answer_only(registry, tmp_path, caplog):
    registry.push("proxy/link", "v1", (module("link"), WASM))

    async def part(proxy, link):
        working, tried = link.publish, asyncio.Event()

        def failing(_, payload):
            if "error" in json.loads(payload):
                tried.set()
            raise OSError("the message is too large")

        proxy._publish = failing
        ask(proxy, f"{registry.host}/proxy/link:v1", proplet_id="p")
        await tried.wait()
        proxy._publish = working
        ask(proxy, f"{registry.host}/proxy/link:v1", proplet_id="p")
        await link.have_sent(1)
        assert joined(link.to("p")) == module("link")

    with_proxy(part, settings(tmp_path))
    assert "the message is too large" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/health", 200), ("POST", "/health", 405), ("GET", "/x", 404)]
)
def test_says_that_it_is_well(method, path, status):
    async def part():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            host = "http://{}:{}".format(*listener.getsockname())
            serving = serving_health(HttpSettings(port=0), [listener])
            async with serving, httpx.AsyncClient(trust_env=False) as client:
                answer = await client.request(method, host + path)
        assert answer.status_code == status
        if status == 200:
            assert answer.json() == {"status": "ok", "service": "proxy"}

    asyncio.run(part())
