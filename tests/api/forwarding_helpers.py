"""A manager that follows, and leaders of which tests say what they answer."""

import asyncio
import contextlib
import re

import httpx
import pytest

from propeller.api import forwarding as forwarding_module
from propeller.api.following import create_follower_app
from propeller.api.forwarding import Forwarding
from propeller.core.model import JobMode
from propeller.manager.follower import Follower
from propeller.manager.leaders import Leaders
from propeller.store.sqlite.store import SqliteStore
from tests.api.following_helpers import leader_at
from tests.api.helpers import DEADLINE_S, serving_app

MIB = 2**20
KEY = {"idempotency-key": "k-1"}


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

    def __init__(self, follower, forwarding, http):
        self.follower = follower
        self.forwarding = forwarding
        self.http = http
        self._token = 0

    def leads(self, at):
        self._token += 1
        self.follower.leaders.learn(leader_at(at, self._token))

    def nobody_leads(self):
        self.follower.leaders.learn(None)


def run(tmp_path, part, *, wait_s=DEADLINE_S):
    """Run a part; requests wait for as long as a slow machine may need, or for less if their end is tried."""

    async def scene():
        store = SqliteStore(tmp_path, durability="normal")
        follower = Follower(store, Leaders(), job_mode=JobMode.PARALLEL)
        await follower.start()
        try:
            async with (
                asyncio.timeout(DEADLINE_S),
                Forwarding(follower.leaders, instance_id="i-2") as forwarding,
                serving_app(create_follower_app(follower, forwarding, instance_id="i-2")) as http,
            ):
                await part(Scene(follower, forwarding, http))
        finally:
            await follower.stop()
            await store.close()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(forwarding_module, "PATIENCE_S", wait_s)
        asyncio.run(scene())


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
