"""More requests than can be carried out: some wait, some are refused with the time to come again."""

import asyncio
import json

from propeller.api.entrance import Entrance
from propeller.assembly import connections
from propeller.errors import StoreUnusable
from tests.api.test_slow_clients import HALF, play, refusal

CREATE = json.dumps({"name": "main", "image_url": "docker.io/a/b:1"}).encode()
REQUEST = (
    b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(CREATE), CREATE)
)


def one_at_a_time(monkeypatch, *, wait_s_max=30.0):
    """Make an entrance with room for one, and a manager that is held up by each creation until it is let go."""
    monkeypatch.setattr(connections, "_PAUSE_S_MAX", 0.0)
    return Entrance("requests", at_once=1, wait_s_max=wait_s_max)


async def answer_of(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:-2])
    return int(head.split()[1]), headers, json.loads(await reader.readexactly(length))


class Gate:
    """Holds up what reaches the manager."""

    def __init__(self, monkeypatch):
        self.is_open = asyncio.Event()
        self.held = 0
        self._monkeypatch = monkeypatch

    def hold_up(self, manager):
        ask = manager.ask

        async def held(*given, **more):
            self.held += 1
            await self.is_open.wait()
            return await ask(*given, **more)

        self._monkeypatch.setattr(manager, "ask", held)


def test_a_request_waits_for_its_turn_and_stops_and_reads_do_not(tmp_path, monkeypatch):
    entrance = one_at_a_time(monkeypatch)

    async def part(scene):
        gate = Gate(monkeypatch)
        gate.hold_up(scene.manager)
        streams = [await scene.begin(REQUEST) for _ in range(3)]
        await scene.until(lambda: gate.held == 1 and entrance.waiting == 2)
        assert (await scene.http.get("/tasks")).status_code == 200
        stopping = asyncio.create_task(scene.http.post("/tasks/none/stop"))
        await scene.until(lambda: gate.held == 2)
        # One goes before its turn has come.
        streams[1][1].close()
        await scene.until(lambda: entrance.waiting == 1)
        gate.is_open.set()
        assert (await stopping).status_code == 404
        for reader, _ in (streams[0], streams[2]):
            assert (await answer_of(reader))[0] == 201
        assert (entrance.under_way, entrance.waiting) == (0, 0)

    play(tmp_path, part, commands=entrance)


def test_a_request_that_would_wait_too_long_is_refused_and_its_connection_goes_on(tmp_path, monkeypatch):
    entrance = one_at_a_time(monkeypatch, wait_s_max=0.0)

    async def part(scene):
        gate = Gate(monkeypatch)
        gate.hold_up(scene.manager)
        first, _ = await scene.begin(REQUEST)
        await scene.until(lambda: gate.held == 1)
        reader, writer = await scene.begin(REQUEST)
        status, headers, body = await answer_of(reader)
        assert (status, int(headers["retry-after"]) >= 1) == (503, True)
        assert body["error"].startswith("the manager is overloaded: 0 requests wait already; try again in ")
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await answer_of(reader))[0] == 200
        gate.is_open.set()
        assert (await answer_of(first))[0] == 201
        writer.write(REQUEST)
        assert (await answer_of(reader))[0] == 201

    play(tmp_path, part, commands=entrance)


def test_a_large_body_is_refused_before_it_comes(tmp_path, monkeypatch):
    entrance = one_at_a_time(monkeypatch, wait_s_max=0.0)

    async def part(scene):
        gate = Gate(monkeypatch)
        gate.hold_up(scene.manager)
        await scene.begin(REQUEST)
        await scene.until(lambda: gate.held == 1)
        asks = HALF[:-1].replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        for sent in (HALF.replace(b"1000", b"90000000"), asks):
            reader, _ = await scene.begin(sent)
            assert (await refusal(reader))[0] == 503
        gate.is_open.set()

    play(tmp_path, part, commands=entrance)


def test_of_too_many_connections_a_refused_one_goes_first(tmp_path, monkeypatch):
    entrance = one_at_a_time(monkeypatch, wait_s_max=0.0)
    monkeypatch.setattr(connections, "_PAUSE_S_MAX", 60.0)

    async def part(scene):
        gate = Gate(monkeypatch)
        gate.hold_up(scene.manager)
        await scene.begin(REQUEST)
        await scene.until(lambda: gate.held == 1)
        refused, _ = await scene.begin(REQUEST)
        await scene.until(lambda: scene.watch.turned_away)
        await scene.begin(b"")
        assert (await refusal(refused))[0] == 503
        gate.is_open.set()

    play(tmp_path, part, commands=entrance, connections_max=2)


def test_no_more_are_refused_than_are_carried_out(tmp_path, monkeypatch):
    """Otherwise clients that come again at once keep the manager busy with refusals alone."""
    entrance = one_at_a_time(monkeypatch, wait_s_max=0.0)
    monkeypatch.setattr(connections, "_PAUSE_S_MAX", 60.0)
    monkeypatch.setattr(connections, "_PAUSE_S", 0.0)

    async def part(scene):
        gate = Gate(monkeypatch)
        gate.hold_up(scene.manager)
        first, writer = await scene.begin(REQUEST)
        await scene.until(lambda: gate.held == 1)
        refused = [(await scene.begin(REQUEST))[0] for _ in range(3)]
        await scene.until(lambda: len(scene.watch.turned_away) == 3)
        gate.is_open.set()
        assert (await answer_of(first))[0] == 201
        assert (await answer_of(refused[0]))[0] == 503
        assert len(scene.watch.turned_away) == 2
        writer.write(REQUEST)
        assert (await answer_of(first))[0] == 201
        assert (await answer_of(refused[1]))[0] == 503
        assert len(scene.watch.turned_away) == 1

    play(tmp_path, part, commands=entrance)


def test_an_answer_that_the_store_can_not_be_written_says_when_to_come_again(tmp_path, monkeypatch):
    async def part(scene):
        async def unusable(*_given, **_more):
            raise StoreUnusable("the manager has stopped")

        monkeypatch.setattr(scene.manager, "ask", unusable)
        answer = await scene.http.post("/tasks/none/stop")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")

    play(tmp_path, part)
