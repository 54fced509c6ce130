"""What guests wrote, as the API shows it: a page at a time, and as it comes."""

import asyncio
import contextlib
import json

import pytest

from propeller.api import logs
from propeller.core.states import RUNNING
from propeller.wire.fleet.codec import from_line, to_line
from tests.api.helpers import ADDITION_TEXT, DEADLINE_S, Errors, Site, a_manager, serving
from tests.api.helpers import play as play_pages


def play(part, directory):
    """Over a real socket, which is what streams need."""
    errors = Errors()

    async def scene():
        async with asyncio.timeout(DEADLINE_S), a_manager(directory) as manager, serving(manager) as http:
            await part(Site(manager, http))

    with errors:
        asyncio.run(scene())
    assert errors.records == []


def wrote(site, offset, text, **fields):
    """Let the proplet send a piece."""
    told = {"task_id": "t", "proplet_id": "p-9", "attempt": 1, "stream": "stderr", "at": 1777885811500000000}
    line = json.dumps(["control/proplet/logs", {**told, "offset": offset, "text": text, **fields}])
    message = from_line(line.encode())
    assert from_line(to_line(message)[:-1]) == message
    site.manager.logs.take(message)


async def started(site, times=1):
    """Make a task that runs until it is ended, in so many attempts."""
    site.bring_proplet()
    site.is_slow = True
    await site.post("/tasks", {"id": "t", "name": "f", "file": ADDITION_TEXT})
    for number in range(times):
        if number:
            await ended(site)
        await site.post("/tasks/t/start", status=200)
        await running(site, number + 1)


async def running(site, attempt):
    async for item in site.manager.feed.follow(0):
        if (item[1].state, item[1].attempt) == (RUNNING, attempt):
            return


async def ended(site, **outcome):
    before = site.manager.feed.last_id
    site.end(site.started[-1], **outcome)
    async for _ in site.manager.feed.follow(before):
        return


@contextlib.asynccontextmanager
async def following(site, query="follow=1", **headers):
    async with site.http.stream("GET", f"/tasks/t/logs?{query}", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield events(response)


async def events(response):
    """Read a stream; each event is its id, its kind and its data."""
    block = {}
    async for line in response.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            block[name] = value
        elif not line and block:
            yield int(block.get("id", 0)), block["event"], json.loads(block["data"])
            block = {}


async def texts(site, query="", status=200):
    return [piece["text"] for piece in (await site.get(f"/tasks/t/logs?{query}", status))["logs"]]


# -- pages ---------------------------------------------------------------------------------------------------


def test_a_page_has_what_was_said_up_to_now(tmp_path):
    async def part(site):
        await started(site)
        assert await site.get("/tasks/t/logs") == {"total": 0, "logs": []}
        wrote(site, 0, "one\n")
        wrote(site, 0, "two ü\n", stream="stdout")
        wrote(site, 4, "three", is_cut=True)
        wrote(site, 0, "again")
        page = await site.get("/tasks/t/logs")
        assert page["total"] == 3
        assert page["logs"][0] == {
            "id": page["logs"][0]["id"],
            "attempt": 1,
            "proplet_id": "p-9",
            "stream": "stderr",
            "offset": 0,
            "time": "2026-05-04T09:10:11.5Z",
            "text": "one\n",
        }
        assert [piece["text"] for piece in page["logs"]] == ["one\n", "two ü\n", "three"]
        assert page["logs"][2]["cut"] is True
        await site.post("/tasks/t/stop", status=200)
        await site.delete("/tasks/t")
        assert await site.refused("GET", "/tasks/t/logs", 404) == "not found: there is no task t"

    play_pages(part, tmp_path)


def test_what_to_show_can_be_chosen(tmp_path):
    async def part(site):
        await started(site, times=3)
        for attempt in (1, 2):
            wrote(site, 0, f"e{attempt}\n", attempt=attempt)
            wrote(site, 0, f"o{attempt}\n", attempt=attempt, stream="stdout")
        wrote(site, 3, "more\nlast", attempt=2)
        assert await texts(site) == ["e2\n", "o2\n", "more\nlast"], "the last attempt that wrote something"
        assert await texts(site, "attempt=1") == ["e1\n", "o1\n"]
        assert await texts(site, "attempt=3") == []
        assert await texts(site, "attempt=all&stream=stdout") == ["o1\n", "o2\n"]
        assert await texts(site, "stream=stderr") == ["e2\n", "more\nlast"]
        assert await texts(site, "tail=1") == ["last"]
        assert await texts(site, "tail=3&stream=stderr") == ["e2\n", "more\nlast"]
        assert await texts(site, "tail=0") == []
        (piece,) = (await site.get("/tasks/t/logs?tail=1"))["logs"]
        assert piece["offset"] == 8
        first = await site.get("/tasks/t/logs?attempt=all&limit=2")
        assert (first["total"], len(first["logs"])) == (5, 2)
        rest = await texts(site, f"attempt=all&after={first['logs'][-1]['id']}")
        assert rest == ["e2\n", "o2\n", "more\nlast"]

    play_pages(part, tmp_path)


def test_what_is_refused(tmp_path):
    async def part(site):
        for query in ("", "?follow=1", "?follow=true&tail=5"):
            assert (
                await site.refused("GET", f"/tasks/none/logs{query}", 404)
                == "not found: there is no task none"
            )
        await site.post("/tasks", {"id": "t", "name": "f"})
        for query, said in {
            "stream=stdin": 'stream: "stdin" is none; use stdout, stderr, or leave it out',
            "attempt=0": "attempt: they are counted from 1",
            "attempt=some": "invalid attempt",
            "attempt=": "invalid attempt",
            "tail=-1": "invalid tail",
            "follow=yes": "follow",
            "limit=0": "limit: invalid limit size; give 1 to 1000",
            "after=x": "invalid after",
        }.items():
            assert said in await site.refused("GET", f"/tasks/t/logs?{query}", 400)

    play_pages(part, tmp_path)


# -- following -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "state"), [("", 3), ("it broke", 4)])
def test_a_follower_gets_what_is_there_and_what_comes_and_the_end(tmp_path, error, state):
    async def part(site):
        await started(site)
        wrote(site, 0, "one\n")
        async with following(site) as stream:
            _, kind, piece = await anext(stream)
            assert (kind, piece["text"]) == ("log", "one\n")
            wrote(site, 4, "two\n")
            wrote(site, 0, "out\n", stream="stdout")
            assert [(await anext(stream))[2]["text"] for _ in range(2)] == ["two\n", "out\n"]
            await ended(site, error=error)
            wrote(site, 8, "late\n")
            assert (await anext(stream))[2]["text"] == "late\n"
            assert [item async for item in stream] == [(0, "end", {"task_id": "t", "state": state})]

    play(part, tmp_path)


def test_pieces_of_other_tasks_and_streams_are_left_out(tmp_path):
    async def part(site):
        await started(site)
        await site.post("/tasks", {"id": "u", "name": "f", "file": ADDITION_TEXT})
        await site.post("/tasks/u/start", status=200)
        async with following(site, "follow=1&stream=stdout") as stream:
            wrote(site, 0, "of the other\n", task_id="u", stream="stdout")
            wrote(site, 0, "error\n")
            wrote(site, 0, "out\n", stream="stdout")
            assert (await anext(stream))[2]["text"] == "out\n"
            await site.post("/tasks/t/stop", status=200)
            assert [data async for _, _, data in stream] == [{"task_id": "t", "state": 6}]

    play(part, tmp_path)


def test_a_task_that_has_ended_is_followed_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "_BATCH", 3)

    async def part(site):
        await started(site)
        for number in range(10):
            wrote(site, 2 * number, f"{number}\n")
        await ended(site)
        async with following(site) as stream:
            *shown, (_, kind, _) = [item async for item in stream]
        assert [data["text"] for _, _, data in shown] == [f"{number}\n" for number in range(10)]
        assert kind == "end"
        async with following(site, "follow=1&tail=2") as stream:
            assert [data["text"] async for _, kind, data in stream if kind == "log"] == ["8\n", "9\n"]
        async with following(site, **{"Last-Event-ID": str(shown[6][0])}) as stream:
            assert [data["text"] async for _, kind, data in stream if kind == "log"] == ["7\n", "8\n", "9\n"]

    play(part, tmp_path)


def test_a_task_is_followed_over_its_attempts(tmp_path):
    async def part(site):
        await started(site)
        wrote(site, 0, "first\n")
        async with following(site) as stream:
            assert (await anext(stream))[2]["attempt"] == 1
            await ended(site)
            await site.post("/tasks/t/start", status=200)
            await running(site, 2)
            wrote(site, 0, "second\n", attempt=2)
            assert (await anext(stream))[2]["attempt"] == 2
            await ended(site)
            assert [kind async for _, kind, _ in stream] == ["end"]

    play(part, tmp_path)


def test_a_follower_sees_that_its_task_was_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "KEEP_ALIVE_S", 0.1)

    async def part(site):
        await started(site)
        async with following(site) as stream:
            await site.delete("/tasks/t")
            assert [kind async for _, kind, _ in stream] == ["end"]

    play(part, tmp_path)


def test_a_stream_breaks_off_with_its_manager_and_says_no_end(tmp_path):
    async def part(site):
        await started(site)
        async with following(site) as stream:
            wrote(site, 0, "one\n")
            await anext(stream)
            site.manager.feed.close()
            assert [item async for item in stream] == []

    play(part, tmp_path)


def test_a_follower_that_goes_leaves_nothing_behind(tmp_path):
    async def part(site):
        await started(site)
        wrote(site, 0, "one\n")
        await site.get("/tasks/t/logs")
        before = asyncio.all_tasks()
        for _ in range(5):
            async with following(site) as stream:
                await anext(stream)
        while extra := asyncio.all_tasks() - before:
            await asyncio.wait(extra)

    play(part, tmp_path)


def test_the_document_says_that_it_may_be_a_stream(tmp_path):
    async def part(site):
        document = await site.http.get("/openapi.json")
        content = document.json()["paths"]["/tasks/{id}/logs"]["get"]["responses"]["200"]["content"]
        assert list(content) == ["application/json", "text/event-stream"]

    play_pages(part, tmp_path)
