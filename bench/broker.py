"""A real Mosquitto on loopback, and what it alone costs."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import uvloop
from tests.parts.mosquitto import Mosquitto, open_to_all

from bench.system import percentiles
from propeller.mqtt.link import Link
from propeller.mqtt.settings import MqttSettings

_SECONDS_MAX = 60
_TOPIC = "floor"
#: As large as a start or a result.
_PAYLOAD = b"x" * 300


def broker(directory: Path, *, is_tuned: bool = True) -> Mosquitto:
    """Make a broker that lets everybody in; its data goes below the directory."""
    return open_to_all(directory, is_tuned=is_tuned)


def mqtt_settings(broker: Mosquitto, entity_id: str, *, qos: int = 1) -> MqttSettings:
    return MqttSettings(
        address=f"tcp://{broker.address}", tenant_id="bench", channel_id="bench", entity_id=entity_id, qos=qos
    )


async def linked(
    broker: Mosquitto, name: str, topics: list[str], on_message: Callable[[str, bytes], None]
) -> Link:
    """Connect, and return when the subscriptions stand."""
    link = Link(mqtt_settings(broker, name), topics=topics, on_message=on_message)
    await link.start()
    async with asyncio.timeout(_SECONDS_MAX):
        await link.up()
    return link


def mqtt_floors(broker: Mosquitto, count: int) -> dict[str, float]:
    """Send messages of QoS 1 to oneself: one by one, and ten times as many as fast as they go."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_floors(broker, count))


async def _floors(broker: Mosquitto, count: int) -> dict[str, float]:
    arrived = asyncio.Semaphore(0)
    link = await linked(broker, "floor", [_TOPIC], lambda _topic, _payload: arrived.release())
    async with asyncio.timeout(_SECONDS_MAX):
        times = []
        for _ in range(count):
            began = time.perf_counter()
            link.publish(_TOPIC, _PAYLOAD)
            await arrived.acquire()
            times.append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        for _ in range(count * 10):
            link.publish(_TOPIC, _PAYLOAD)
        for _ in range(count * 10):
            await arrived.acquire()
        seconds = time.perf_counter() - began
    await link.stop()
    found = percentiles(times)
    return {
        "mqtt p50 ms": found["p50"],
        "mqtt p99 ms": found["p99"],
        "mqtt message ms": seconds * 1e3 / (count * 10),
        "mqtt messages/s": count * 10 / seconds,
    }
