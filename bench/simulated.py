"""The measurements of a manager with proplets that are only played: the manager can't tell."""

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil

from bench.broker import linked
from bench.figures import Figure
from bench.fleet import Fleet
from bench.system import FILE, percentiles, run_loop
from propeller.mqtt.link import Link
from propeller.wire.fleet.codec import decode, encode
from propeller.wire.fleet.from_manager import Start
from propeller.wire.fleet.from_proplet import Alive, Create, Results
from propeller.wire.fleet.messages import Message, topic_of
from propeller.wire.rfc3339 import parse_time

_BEAT_S = 5.0
#: They beat when they like, not several at once.
_TICK_S = 0.001
_FAST_BEAT_S = 0.01
_SECONDS_MAX = 60
_STARTS = "control/manager/start"


# -- heartbeats ---------------------------------------------------------------------------------------------


def heartbeats(directory: Path, scale: float) -> list[Figure]:
    """What many idle proplets cost their manager, and how it answers others meanwhile."""
    sizes = [max(10, int(size * scale)) for size in (1_000, 3_000, 10_000)]
    seconds = max(1.0, 15 * scale)
    with Fleet(directory, proplets=0) as fleet:
        return run_loop(_heartbeats(fleet, sizes, seconds))


async def _heartbeats(fleet: Fleet, sizes: Sequence[int], seconds: float) -> list[Figure]:
    link = await linked(fleet.broker, "simulator", [], lambda _topic, _payload: None)
    manager = psutil.Process(fleet.manager.pid)
    known: list[str] = []
    beating: asyncio.Task[None] | None = None
    figures = []
    for size in sizes:
        known += [_join(link, f"proplet-{number:05}", slots=4) for number in range(len(known), size)]
        await link.drained()
        await asyncio.to_thread(fleet.wait_for_proplets, size)
        if beating is None:
            beating = asyncio.create_task(_beat_all(link, known))
        await asyncio.sleep(min(1, seconds))  # what joining left behind is not idleness
        before = sum(manager.cpu_times()[:2])
        await asyncio.sleep(seconds)
        share = (sum(manager.cpu_times()[:2]) - before) / seconds * 100
        asked = percentiles(await asyncio.to_thread(_health_ms, fleet, seconds / 3))
        figures += [
            Figure(
                name=f"{size:,}, manager",
                value=share,
                unit="% of a core",
                at_most=5 if size == sizes[0] else None,
                target="≤ 5 %" if size == sizes[0] else "",
            ),
            Figure(name=f"{size:,}, GET /health, p50", value=asked["p50"], unit="ms"),
            Figure(name=f"{size:,}, GET /health, p99", value=asked["p99"], unit="ms"),
        ]
    assert beating is not None
    beating.cancel()
    for proplet_id in (known[0], known[-1]):
        silence_s = time.time() - await asyncio.to_thread(fleet.last_alive_at, proplet_id)
        assert silence_s < 2 * _BEAT_S, f"{proplet_id} was last heard of {silence_s:.1f} s ago"
    await link.stop()
    return figures


def _join(link: Link, proplet_id: str, *, slots: int) -> str:
    _send(link, Create(proplet_id=proplet_id, boot=1, slots=slots, running=[], metadata={"os": "linux"}))
    return proplet_id


def _send(link: Link, message: Message) -> None:
    link.publish(topic_of(message), encode(message))


async def _beat_all(link: Link, proplet_ids: list[str]) -> None:
    """Let each of them beat once in a while, one after the other; there may come more."""
    owed, at = 0.0, 0
    last = time.perf_counter()
    while True:
        await asyncio.sleep(_TICK_S)
        now = time.perf_counter()
        owed += (now - last) * len(proplet_ids) / _BEAT_S
        last = now
        while owed >= 1:
            _send(link, Alive(proplet_id=proplet_ids[at % len(proplet_ids)], boot=1, slots=4, running=[]))
            at, owed = at + 1, owed - 1


def _health_ms(fleet: Fleet, seconds: float) -> list[float]:
    """Ask a hundred times a second."""
    http = fleet.connection()
    times = []
    until_s = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until_s:
        http.get("/health")
        times.append((time.perf_counter() - began) * 1e3)
        time.sleep(0.01)
    http.close()
    return times


# -- fan-out ------------------------------------------------------------------------------------------------


def fan_out(directory: Path, scale: float) -> list[Figure]:
    """From one result until the starts of many tasks that waited for it come from the broker."""
    width = max(50, int(1_000 * scale))
    with Fleet(directory, proplets=0) as fleet:
        rounds = run_loop(_fan_outs(fleet, width))
    first, last, silence = (statistics.median(values) for values in zip(*rounds, strict=True))
    return [
        Figure(name="result to first start", value=first, unit="ms", floor="mqtt p50 ms", floor_count=2),
        Figure(
            name=f"result to start {width:,}",
            value=last,
            unit="ms",
            floor="mqtt message ms",
            floor_count=width,
            at_most=500,
        ),
        Figure(name="longest silence of a heart meanwhile", value=silence, unit="ms", at_most=500),
    ]


async def _fan_outs(fleet: Fleet, width: int) -> list[tuple[float, float, float]]:
    arrived: asyncio.Queue[tuple[float, str, Start]] = asyncio.Queue()

    def on_message(topic: str, payload: bytes) -> None:
        message = decode(_STARTS, payload)
        assert isinstance(message, Start)
        arrived.put_nowait((time.perf_counter(), topic.split("/")[1], message))

    ear = await linked(fleet.broker, "ear", [f"proplet/+/{_STARTS}"], on_message)
    mouth = await linked(fleet.broker, "mouth", [], lambda _topic, _payload: None)
    for number in range(4):
        _join(mouth, f"wide-{number}", slots=-(-width // 4))
    _join(mouth, "heart", slots=1)
    await asyncio.to_thread(fleet.wait_for_proplets, 5)
    beating = asyncio.create_task(_beat_fast(mouth))
    rounds = [await _fan_out(fleet, mouth, arrived, f"round{number}", width) for number in range(3)]
    beating.cancel()
    await asyncio.gather(ear.stop(), mouth.stop())
    return rounds


async def _beat_fast(link: Link) -> None:
    while True:
        _send(link, Alive(proplet_id="heart", boot=1, slots=1))
        await asyncio.sleep(_FAST_BEAT_S)


async def _fan_out(
    fleet: Fleet, mouth: Link, arrived: "asyncio.Queue[tuple[float, str, Start]]", name: str, width: int
) -> tuple[float, float, float]:
    """Return ms until the first and the last start, and the longest time between handled heartbeats."""
    tasks = [{"id": f"{name}-{n}", "name": "main", "file": FILE, "inputs": [n, 1]} for n in range(width + 1)]
    for task in tasks[1:]:
        task["depends_on"] = [tasks[0]["id"]]
    await asyncio.to_thread(_start_workflow, fleet, tasks)
    async with asyncio.timeout(_SECONDS_MAX):
        _, proplet_id, root = await arrived.get()
        with _handled_heartbeats(fleet) as handled:
            await asyncio.sleep(0.1)
            began = time.perf_counter()
            _send(mouth, _result(root, proplet_id))
            starts = [await arrived.get() for _ in range(width)]
            await asyncio.sleep(0.1)
    for _, proplet_id, start in starts:
        _send(mouth, _result(start, proplet_id))
    silence = max(after - before for before, after in pairwise(sorted(handled)))
    return (starts[0][0] - began) * 1e3, (starts[-1][0] - began) * 1e3, silence / 1e6


def _start_workflow(fleet: Fleet, tasks: Sequence[dict[str, object]]) -> None:
    created = fleet.http.post("/workflows?file=false", {"tasks": tasks})
    fleet.http.post(f"/workflows/{created['tasks'][0]['workflow_id']}/start")


def _result(start: Start, proplet_id: str) -> Results:
    now = time.time_ns()
    return Results(
        task_id=start.id,
        proplet_id=proplet_id,
        results="1\n",
        attempt=start.attempt,
        started_at=now - 1_000_000,
        finished_at=now,
    )


@contextmanager
def _handled_heartbeats(fleet: Fleet) -> Iterator[set[int]]:
    """Collect when the manager took in those of the heart, as its API tells; complete when this is over."""
    handled: set[int] = set()
    is_over = threading.Event()

    def look() -> None:
        http = fleet.connection()
        while not is_over.wait(0.02):
            history = http.get("/proplets/heart/alive-history?limit=100")["history"]
            handled.update(filter(None, map(parse_time, history)))
        http.close()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield handled
    finally:
        is_over.set()
        looking.join(_SECONDS_MAX)
