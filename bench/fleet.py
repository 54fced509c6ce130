"""The measurements of a fleet: manager, proplets and a real Mosquitto, all programs of their own.

Both sides are durable: the manager's store and the proplets' outboxes sync each commit.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import uvloop
from tests.fleet.harness import Fleet

from bench.figures import Figure
from bench.system import FILE, percentiles
from propeller.mqtt.link import Link
from propeller.mqtt.settings import MqttSettings
from propeller.wire.gotime import parse_time
from propeller.wire.messages import Alive, Create, Message, Results, encode, own_topic, topic_of

_PROPLETS = 4
_ROUNDS = 3
#: A proplet that runs more than any fan-out here has.
_MANY = 5_000


@contextmanager
def a_fleet(directory: Path, proplets: int, *, qos: int = 1) -> Iterator[Fleet]:
    fleet = Fleet(directory, max(proplets, 1))
    fleet.sections = fleet.sections[:proplets]
    fleet.drop_access_rules()
    try:
        fleet.begin(
            f"--mqtt-qos={qos}",
            proplet_env={"PROPLET_MQTT_QOS": str(qos), "PROPLET_LIVELINESS_INTERVAL": "10"},
        )
        yield fleet
    finally:
        fleet.end()


def run_job(fleet: Fleet, count: int, *, is_chain: bool = False) -> tuple[float, list[dict[str, Any]]]:
    """Run a job over HTTP; return how long it ran, s, and its tasks."""
    name = f"j{time.monotonic_ns()}"
    tasks: list[dict[str, Any]] = [
        {"id": f"{name}-{n}", "name": "main", "file": FILE, "inputs": [n, 1]} for n in range(count)
    ]
    for before, task in pairwise(tasks) if is_chain else ():
        task["depends_on"] = [before["id"]]
    job_id = fleet.post("/jobs?file=false", {"name": name, "tasks": tasks})["job_id"]
    began = time.perf_counter()
    fleet.post(f"/jobs/{job_id}/start")
    while (state := fleet.get("/jobs?limit=1&tasks=false")["jobs"][0]["state"]) in (0, 1, 2):
        time.sleep(0.01)
    took = time.perf_counter() - began
    assert state == 3, "a task of the job failed"
    return took, fleet.get(f"/jobs/{job_id}?file=false")["tasks"]


def independent(directory: Path, scale: float, *, qos: int) -> list[Figure]:
    """Independent tasks on four proplets."""
    count = max(100, int(10_000 * scale))
    with a_fleet(directory, _PROPLETS, qos=qos) as fleet:
        run_job(fleet, max(100, count // 10))
        rates = [count / run_job(fleet, count)[0] for _ in range(_ROUNDS)]
    target = {"at_least": 4_000.0} if qos == 1 else {}
    return [
        Figure(name="tasks", value=statistics.median(rates), unit="/s", floor="calls/s", **target),
        Figure(name="slowest round, tasks", value=min(rates), unit="/s", floor="calls/s"),
    ]


def chain(directory: Path, scale: float) -> list[Figure]:
    """From the end of a task to the end of the one that waits for it: two commits and two messages."""
    count = max(30, int(500 * scale))
    with a_fleet(directory, _PROPLETS) as fleet:
        run_job(fleet, 30, is_chain=True)
        _, tasks = run_job(fleet, count, is_chain=True)
        bare = asyncio.run(round_trips_ms(settings_of(fleet, "bench"), max(50, int(500 * scale))))
    ends = sorted(parse_time(task["finish_time"]) or 0 for task in tasks)
    steps = percentiles([(after - before) / 1e6 for before, after in pairwise(ends)])
    return [
        Figure(
            name="step, p50", value=steps["p50"], unit="ms", at_most=2.5, floor="commit p50 ms", floor_count=2
        ),
        Figure(
            name="step, p99", value=steps["p99"], unit="ms", at_most=10, floor="commit p99 ms", floor_count=2
        ),
        Figure(name="bare round trip of a message, p50", value=percentiles(bare)["p50"], unit="ms"),
    ]


def settings_of(fleet: Fleet, name: str) -> MqttSettings:
    """Be a client of the fleet's broker under a name of one's own, with the proxy's place on the channel."""
    section = fleet.section("proxy")
    return MqttSettings(
        address=f"127.0.0.1:{fleet.port}",
        tenant_id=section["tenant_id"],
        channel_id=section["channel_id"],
        entity_id=section["entity_id"] if name == "bench" else name,
        api_key=section["api_key"],
        qos=1,
        inflight=1_000,
    )


async def round_trips_ms(settings: MqttSettings, count: int) -> list[float]:
    """Send a message to oneself through the broker, again and again."""
    heard = asyncio.Event()
    link = Link(settings, topics=["bench/echo"], on_message=lambda *_: heard.set())
    link.start()
    await link.up()
    found = []
    for _ in range(count):
        heard.clear()
        began = time.perf_counter()
        link.publish("bench/echo", b"x" * 600)
        await heard.wait()
        found.append((time.perf_counter() - began) * 1e3)
    await link.close()
    return found


# -- simulated proplets --------------------------------------------------------------------------------------


class Crowd:
    """Many proplets on one connection: the manager can't tell."""

    def __init__(self, settings: MqttSettings, names: list[str], slots: int = 4) -> None:
        self.names = names
        self.starts: list[tuple[float, str]] = []
        self.wanted = asyncio.Event()
        self.count_wanted = 0
        self._slots = slots
        topics = [own_topic(name, "control/manager/start") for name in names if slots == _MANY]
        self.link = Link(settings, topics=topics, on_message=self._received)

    def _received(self, _topic: str, payload: bytes) -> None:
        self.starts.append((time.perf_counter(), json.loads(payload)["id"]))
        if len(self.starts) >= self.count_wanted:
            self.wanted.set()

    def say(self, message: Message) -> None:
        self.link.publish(topic_of(message), encode(message))

    async def join(self) -> None:
        self.link.start()
        await self.link.up()
        for name in self.names:
            self.say(Create(proplet_id=name, metadata={"os": "linux"}, boot=1, slots=self._slots, running=[]))
        await self.link.drained()

    async def beat(self, interval_s: float, seconds: float) -> None:
        """Let all say that they are alive, spread evenly over each interval."""
        began, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            due = int(passed / interval_s * len(self.names))
            for number in range(sent, due):
                name = self.names[number % len(self.names)]
                self.say(Alive(proplet_id=name, boot=1, slots=self._slots, running=[]))
            sent = due
            await asyncio.sleep(0.005)


def heartbeats(directory: Path, scale: float) -> list[Figure]:
    """What signs of life cost the manager, and how long it takes to answer meanwhile."""
    figures = []
    seconds = max(2.0, 15 * scale)
    for count in (1_000, 3_000, 10_000):
        place = directory / str(count)
        place.mkdir(parents=True)
        with a_fleet(place, 0) as fleet:
            share, slowest = uvloop.run(_listen_to(fleet, max(20, int(count * scale)), seconds))
        target = {"at_most": 5.0} if count == 1_000 else {}
        figures += [
            Figure(name=f"manager, {count:,} proplets every 5 s", value=share, unit="% of a core", **target),
            Figure(name=f"GET /health meanwhile, p99, {count:,} proplets", value=slowest, unit="ms"),
        ]
    return figures


async def _listen_to(fleet: Fleet, count: int, seconds: float) -> tuple[float, float]:
    crowd = Crowd(settings_of(fleet, "bench"), [f"sim-{number}" for number in range(count)])
    await crowd.join()
    await asyncio.to_thread(fleet.wait_for_proplets, count)
    assert fleet.manager is not None
    assert fleet.manager.process is not None
    manager = psutil.Process(fleet.manager.process.pid)
    beating = asyncio.create_task(crowd.beat(5.0, seconds + 1))
    await asyncio.sleep(0.5)
    before, began, waits = sum(manager.cpu_times()[:2]), time.perf_counter(), []
    while time.perf_counter() - began < seconds:
        asked = time.perf_counter()
        await asyncio.to_thread(fleet.get, "/health")
        waits.append((time.perf_counter() - asked) * 1e3)
        await asyncio.sleep(0.25)
    share = (sum(manager.cpu_times()[:2]) - before) / (time.perf_counter() - began) * 100
    await beating
    await crowd.link.close()
    return share, percentiles(waits)["p99"]


def fan_out(directory: Path, scale: float) -> list[Figure]:
    """From the result that releases 1,000 dependents to the last of their starts, as a proplet gets it."""
    count = max(50, int(1_000 * scale))
    with a_fleet(directory, 0) as fleet:
        spans = uvloop.run(_release(fleet, count))
    return [
        Figure(name="last start after the result", value=spans[0], unit="ms", at_most=500),
        Figure(name="longest gap in a heartbeat meanwhile", value=spans[1], unit="ms"),
    ]


async def _release(fleet: Fleet, count: int) -> tuple[float, float]:
    crowd = Crowd(settings_of(fleet, "bench"), ["fast"], slots=_MANY)
    crowd.count_wanted = 1
    await crowd.join()
    ask: Callable[..., Awaitable[Any]] = partial(asyncio.to_thread, fleet.call)
    await asyncio.to_thread(fleet.wait_for_proplets, 1)
    tasks: list[dict[str, Any]] = [{"id": "root", "name": "main", "file": FILE, "inputs": [1, 1]}]
    tasks += [{**tasks[0], "id": f"leaf-{n}", "depends_on": ["root"]} for n in range(count)]
    made = await ask("POST", "/workflows?file=false", {"tasks": tasks})
    await ask("POST", f"/workflows/{made['tasks'][0]['workflow_id']}/start")
    await crowd.wanted.wait()
    crowd.wanted.clear()
    crowd.count_wanted = count + 1
    beating = asyncio.create_task(crowd.beat(0.02, 3.0))
    began = time.perf_counter()
    crowd.say(Results(task_id="root", proplet_id="fast", results="2\n", attempt=1))
    await asyncio.wait_for(crowd.wanted.wait(), 60)
    took = (crowd.starts[-1][0] - began) * 1e3
    seen = (await ask("GET", "/proplets/fast/alive-history"))["history"]
    await beating
    await crowd.link.close()
    at = [(parse_time(one) or 0) / 1e6 for one in seen]
    return took, max((after - before for before, after in pairwise(at)), default=0.0)


MEASURES: dict[str, Callable[[Path, float], list[Figure]]] = {
    "fleet_qos1": partial(independent, qos=1),
    "fleet_qos2": partial(independent, qos=2),
    "fleet_chain": chain,
    "fleet_heartbeats": heartbeats,
    "fleet_fan_out": fan_out,
}
