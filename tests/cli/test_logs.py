"""What a task wrote, in the terminal: as it is, as it comes, and through broken connections."""

import asyncio
import json
import os
import signal
import sys

import httpx
import pytest

from propeller.client.api import Client
from propeller.client.errors import ApiError, Unreachable
from propeller.core.states import RUNNING
from propeller.wire.fleet.from_proplet import Logs
from tests.api.helpers import ADDITION_TEXT, DEADLINE_S, Site, a_manager, serving
from tests.cli.test_following import Broken, Manager

MIB = 1024 * 1024


class Scene(Site):
    """A manager that serves commands, and a task ``t`` on a proplet that writes what it is told to."""

    def write(self, offset, text, *, stream="stderr", attempt=1, is_cut=False):
        self.manager.logs.take(
            Logs(
                task_id="t",
                proplet_id="p-9",
                attempt=attempt,
                stream=stream,
                offset=offset,
                text=text,
                is_cut=is_cut,
                at=1777885811_000000000,
            )
        )

    async def begin(self, *words):
        """Begin a command."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "propeller", "tasks", "logs", "t", *words),
            env={**os.environ, "PROPELLER_MANAGER_URL": str(self.http.base_url)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *words):
        """Run a command; give its exit code, its stdout and its stderr."""
        process = await self.begin(*words)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()


def play(part, directory):
    async def scene():
        async with asyncio.timeout(DEADLINE_S), a_manager(directory) as manager, serving(manager) as http:
            site = Scene(manager, http)
            site.bring_proplet()
            site.is_slow = True
            await site.post("/tasks", {"id": "t", "name": "f", "file": ADDITION_TEXT})
            await site.post("/tasks/t/start", status=200)
            await site.reached(RUNNING, "t")
            await part(site)

    asyncio.run(scene())


def test_each_stream_is_printed_to_the_same_one(tmp_path):
    async def part(site):
        assert await site.run() == (0, "", "no logs of task t\n")
        site.write(0, "out \x1b[1mü\n", stream="stdout")
        site.write(0, "err\nno line end")
        assert await site.run() == (0, "out \x1b[1mü\n", "err\nno line end")
        assert await site.run("--stream", "stdout") == (0, "out \x1b[1mü\n", "")
        assert await site.run("--tail", "1") == (0, "", "no line end")
        code, out, err = await site.run("--json")
        page = json.loads(out)
        assert (code, err, page["total"]) == (0, "", 2)
        assert page == await site.get("/tasks/t/logs")
        code, out, err = await site.run("--stream", "stdin")
        assert (code, out) == (1, "")
        assert err.startswith('error: stream: "stdin" is none; use stdout, stderr')

    play(part, tmp_path)


def test_many_pieces_are_all_printed(tmp_path):
    async def part(site):
        lines = [f"{number:04}\n" for number in range(2500)]
        for number, line in enumerate(lines):
            site.write(number * 5, line, stream="stdout")
        assert await site.run() == (0, "".join(lines), "")
        assert await site.run("--tail", "1500") == (0, "".join(lines[1000:]), "")
        code, out, _ = await site.run("--json", "--attempt", "all")
        assert (code, len(json.loads(out)["logs"])) == (0, 2500)

    play(part, tmp_path)


def test_where_a_stream_was_cut_is_said(tmp_path):
    async def part(site):
        site.write(0, "x" * 100, stream="stdout")
        site.write(MIB - 4, "end.", is_cut=True)
        assert await site.run() == (0, "x" * 100, "end.\n… stderr cut at 1 MiB\n")

    play(part, tmp_path)


@pytest.mark.parametrize("flag", ["-f", "--follow"])
def test_a_task_is_followed_to_its_end(tmp_path, flag):
    async def part(site):
        site.write(0, "one\n", stream="stdout")
        process = await site.begin(flag)
        assert await process.stdout.readline() == b"one\n"
        site.write(4, "two\n", stream="stdout")
        assert await process.stdout.readline() == b"two\n"
        site.end(site.started[0], error="it broke")
        site.write(0, "last words\n")
        out, err = await process.communicate()
        assert (process.returncode, out, err) == (0, b"", b"last words\n"), "the task failed, this did not"
        _, out, _ = await site.run(flag, "--json")
        pieces = [json.loads(line) for line in out.splitlines()]
        assert [piece.get("text") for piece in pieces] == ["one\n", "two\n", "last words\n", None]
        assert pieces[-1] == {"task_id": "t", "state": 4}

    play(part, tmp_path)


def test_ctrl_c_ends_the_command_and_not_the_task(tmp_path):
    async def part(site):
        site.write(0, "one\n", stream="stdout")
        process = await site.begin("-f")
        assert await process.stdout.readline() == b"one\n"
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        assert (process.returncode, out) == (130, b"")
        assert b"Traceback" not in err
        assert (await site.get("/tasks/t"))["state"] == RUNNING

    play(part, tmp_path)


def test_a_task_that_is_not_there(tmp_path):
    async def part(site):
        await site.post("/tasks/t/stop", status=200)
        await site.delete("/tasks/t")
        assert await site.run() == (1, "", "error: there is no task t; there are none yet\n")
        assert await site.run("-f") == (1, "", "error: there is no task t; there are none yet\n")

    play(part, tmp_path)


# -- broken connections --------------------------------------------------------------------------------------


def piece(number, text):
    content = {"id": number, "stream": "stderr", "offset": number, "text": text}
    return f"id: {number}\nevent: log\ndata: {json.dumps(content)}\n\n".encode()


END = b'event: end\ndata: {"task_id":"t","state":3}\n\n'


def follow(manager, **options):
    return Client("http://far", transport=httpx.MockTransport(manager)).follow_task_logs("t", **options)


def stream(*chunks):
    return httpx.Response(200, stream=Broken(*chunks))


def test_a_broken_stream_goes_on_without_repeating():
    manager = Manager(
        stream(b": following\n\n", piece(6, "one"), piece(8, "two")[:30]),
        httpx.ConnectError("refused"),
        httpx.Response(503, json={"error": "starting"}),
        httpx.Response(200, content=b": following\n\n" + piece(8, "two")),
        stream(b": following\n\n", b": still here\n\n", piece(9, "three"), END),
    )
    found = list(follow(manager, stream="stderr", tail=5))
    assert [item.get("text") for item in found] == ["one", "two", "three", None]
    assert found[-1] == {"task_id": "t", "state": 3}
    seen = [request.headers.get("last-event-id") for request in manager.asked]
    assert seen == [None, "6", "6", "6", "8"]
    assert {request.url.raw_path for request in manager.asked} == {
        b"/tasks/t/logs?stream=stderr&tail=5&follow=true"
    }


def test_what_can_go_wrong_is_told():
    with pytest.raises(ApiError, match="not found"):
        next(follow(Manager(httpx.Response(404, json={"error": "not found"}))))
    with pytest.raises(Unreachable):
        next(follow(Manager(httpx.ConnectError("refused"))))
    pieces = follow(Manager(stream(piece(1, "one")), *[httpx.ConnectError("refused")] * 3), give_up_s=0.0)
    assert next(pieces)["text"] == "one"
    with pytest.raises(Unreachable):
        next(pieces)
