"""What one of several managers answers while it leads, may not act, and follows; and where others reach it."""

import asyncio
from pathlib import Path

import httpx
import pytest

from propeller.assembly import front as front_module
from propeller.assembly.front import Front
from propeller.assembly.manager_parts import ManagerParts
from propeller.assembly.several import address_of, leads_nowhere_else
from propeller.config.settings import HttpSettings
from propeller.errors import LeadershipLost
from propeller.store.postgres.settings import PostgresSettings


class PlayedTerm:
    def __init__(self):
        self.may_act = True
        self._news = asyncio.Event()
        self.is_over = False

    async def acting(self):
        while not self.may_act:
            await self._news.wait()
            if self.is_over:
                raise LeadershipLost("another has it")

    def comes_back(self):
        self.may_act = True
        self._news.set()

    def ends(self):
        self.is_over = True
        self._news.set()


def answers(text):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

    return app


def play(work):
    async def run():
        front, term = Front(LeadershipLost("it starts")), PlayedTerm()
        front.follow(answers("follower"))
        transport = httpx.ASGITransport(front)
        async with asyncio.timeout(30), httpx.AsyncClient(transport=transport, base_url="http://m") as client:
            await work(front, term, client)

    asyncio.run(run())


def test_a_request_waits_for_a_start_that_is_short_and_is_refused_in_one_that_is_long(monkeypatch):
    async def work(_, __, ___):
        front = Front(LeadershipLost("it starts"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://m") as client:
            early = asyncio.create_task(client.get("/tasks"))
            await asyncio.sleep(0)
            assert not early.done()
            front.alone(answers("alone"))
            assert (await early).text == "alone"
        monkeypatch.setattr(front_module, "_START_S", 0.01)
        front = Front(LeadershipLost("it starts"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://m") as client:
            refused = await client.get("/health")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert "it starts" in refused.json()["error"]

    play(work)


def test_one_that_leads_answers_as_leader_and_one_that_does_not_as_follower():
    async def work(front, term, client):
        assert (await client.get("/tasks")).text == "follower"
        front.lead(answers("leader"), term)
        assert (await client.get("/tasks")).text == "leader"
        front.follow(answers("follower again"))
        assert (await client.get("/tasks")).text == "follower again"

    play(work)


def test_a_request_waits_while_it_is_not_known_who_leads_and_what_says_how_it_is_does_not():
    async def work(front, term, client):
        front.lead(answers("leader"), term)
        term.may_act = False
        waiting = asyncio.create_task(client.get("/tasks"))
        assert (await client.get("/health")).text == "leader"
        assert (await client.get("/ready")).text == "leader"
        assert not waiting.done()
        term.comes_back()
        assert (await waiting).text == "leader"

    play(work)


def test_a_request_that_waited_is_the_followers_when_the_lead_is_lost():
    async def work(front, term, client):
        front.lead(answers("leader"), term)
        term.may_act = False
        waiting = asyncio.create_task(client.get("/tasks"))
        await asyncio.sleep(0)
        front.follow(answers("follower"))
        term.ends()
        assert (await waiting).text == "follower"

    play(work)


def test_a_request_does_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr(front_module, "PATIENCE_S", 0.05)

    async def work(front, term, client):
        front.lead(answers("leader"), term)
        term.may_act = False
        answer = await client.post("/tasks")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "does not reach its database" in answer.json()["error"]

    play(work)


DATABASE = PostgresSettings(host="127.0.0.1")


@pytest.mark.parametrize(
    ("host", "advertise_url", "expected"),
    [
        ("localhost", "", "http://localhost:7070"),
        ("localhost", "http://m.test:1", "http://m.test:1"),
        ("", "", "http://127.0.0.1:7070"),
        ("0.0.0.0", "", "http://127.0.0.1:7070"),
        ("", "http://m.test:1", "http://m.test:1"),
    ],
)
def test_other_managers_are_told_the_url_that_is_set_or_one_that_leads_here(host, advertise_url, expected):
    parts = ManagerParts(
        http=HttpSettings(host=host, port=7070),
        data_dir=Path("/nowhere"),
        postgres=DATABASE,
        advertise_url=advertise_url,
    )
    assert address_of(parts, f"http://{host or 'localhost'}:7070") == expected


@pytest.mark.parametrize(
    ("address", "is_so"),
    [
        ("http://localhost:7070", True),
        ("http://127.0.0.2:7070", True),
        ("http://[::1]:7070", True),
        ("http://m.localhost", True),
        ("http://10.0.0.1:7070", False),
        ("https://[2001:db8::1]:7070", False),
        ("http://localhost.example:7070", False),
    ],
)
def test_an_address_that_leads_nowhere_from_other_machines_is_known(address, is_so):
    assert leads_nowhere_else(address) is is_so
