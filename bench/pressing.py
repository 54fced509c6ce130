"""Creates and starts tasks over many connections: its command line is HOST PORT CONNECTIONS RATE SECONDS.

With a RATE, requests come at that rate, whatever becomes of them, as far as there are connections that
wait for no answer; with 0, each connection sends the next one as soon as it is answered. Prints what came of
it as JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from typing import cast

import uvloop

from bench.system import FILE

_CREATE = json.dumps({"name": "main", "inputs": [1, 2], "file": FILE}).encode()
_SLICE_S = 0.005


def _request(path: str, body: bytes = b"") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"content-type: application/json\r\n\r\n" + body


class Pressing:
    """What all connections share."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.starts = 0
        self.lost = 0
        self.waits_ms: list[float] = []
        self.free: deque[One] = deque()
        self.is_open_loop = False


class One(asyncio.Protocol):
    """One connection: it creates a task, and starts it with the next request."""

    def __init__(self, shared: Pressing) -> None:
        self._shared = shared
        self._buffer = b""
        self._task_id = ""
        self._sent_at = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._buffer, self._task_id = b"", ""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._shared.lost += 1
        self._transport = None

    @property
    def is_there(self) -> bool:
        return self._transport is not None

    def send(self) -> None:
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        is_start = bool(self._task_id)
        self._transport.write(
            _request(f"/tasks/{self._task_id}/start") if is_start else _request("/tasks?file=false", _CREATE)
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        status = int(head[9:12])
        self._shared.statuses[status] += 1
        if status == 201:
            self._task_id = json.loads(rest[:length])["id"]
        elif status == 200:
            self._shared.starts += 1
            self._task_id = ""
        if status < 300:
            self._shared.waits_ms.append((time.perf_counter() - self._sent_at) * 1e3)
        self.now_free()

    def close(self) -> None:
        if self._transport is not None:
            transport, self._transport = self._transport, None
            transport.abort()

    def now_free(self) -> None:
        """Send the next request, or wait for the time that it is to be sent at."""
        if not self.is_there:
            return
        if self._shared.is_open_loop:
            self._shared.free.append(self)
        else:
            self.send()


async def press(host: str, port: int, connections: int, rate: float, seconds: float) -> dict[str, object]:
    shared = Pressing()
    shared.is_open_loop = rate > 0
    loop = asyncio.get_running_loop()
    ones = [(await loop.create_connection(lambda: One(shared), host, port))[1] for _ in range(connections)]
    began = time.perf_counter()
    for one in ones:
        one.now_free()
    offered = unsent = 0
    while (passed := time.perf_counter() - began) < seconds:
        if shared.is_open_loop:
            for _ in range(int(rate * passed) - offered):
                offered += 1
                while shared.free and not shared.free[0].is_there:
                    shared.free.popleft()
                if shared.free:
                    shared.free.popleft().send()
                else:
                    unsent += 1
        await asyncio.sleep(_SLICE_S)
    for one in ones:
        one.close()
    waits = sorted(shared.waits_ms)
    return {
        "seconds": seconds,
        "offered": offered,
        "unsent": unsent,
        "lost": shared.lost,
        "statuses": {str(status): count for status, count in shared.statuses.items()},
        "started": shared.starts,
        "wait_p50_ms": waits[len(waits) // 2] if waits else None,
        "wait_p99_ms": waits[len(waits) * 99 // 100] if waits else None,
    }


def main() -> None:
    host, port, connections, rate, seconds = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(press(host, int(port), int(connections), float(rate), float(seconds)))))


if __name__ == "__main__":
    main()
