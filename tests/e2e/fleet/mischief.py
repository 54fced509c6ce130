"""Somebody on the channel who has a password and no manners."""

import random
import threading
from collections import Counter

import paho.mqtt.client as mqtt

from tests.e2e.fleet.harness import Fleet
from tests.waiting import until


class Stranger:
    """A client of the fleet's broker; topics are below the channel's prefix."""

    def __init__(self, fleet: Fleet, section_name: str = "proxy") -> None:
        section = fleet.section(section_name)
        self._base = f"m/{section['tenant_id']}/c/{section['channel_id']}"
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=section["entity_id"])
        self._client.username_pw_set(section["entity_id"], section["api_key"])
        self._client.connect("127.0.0.1", fleet.port)
        self._client.loop_start()
        until(self._client.is_connected)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(f"{self._base}/{topic}", payload, qos=1).wait_for_publish(20)

    def pour(self, topic: str, payload: bytes) -> None:
        """Say something that need not arrive, without waiting."""
        self._client.publish(f"{self._base}/{topic}", payload, qos=0)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Listener(Stranger):
    """Hears what is said on a topic."""

    def __init__(self, fleet: Fleet, topic: str, section_name: str = "proxy") -> None:
        super().__init__(fleet, section_name)
        self.heard: list[bytes] = []
        self._client.on_message = lambda _client, _data, message: self.heard.append(message.payload)
        self._client.subscribe(f"{self._base}/{topic}", qos=1)

    @property
    def lines(self) -> list[bytes]:
        """The lines of all that was heard: of a signed message, each but the first is a message of its own."""
        return [line for payload in self.heard for line in payload.splitlines()]

    def heard_of(self, text: str) -> bool:
        """Wait until somebody mentions it."""
        return bool(until(lambda: any(text.encode() in payload for payload in self.heard)))


class Parrot(Stranger):
    """Says everything that is said once more, up to a second later, in any order."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self.repeated = 0
        self._mine: Counter[tuple[str, bytes]] = Counter()
        self._chance = random.Random(11)
        self._timers: list[threading.Timer] = []
        self._client.on_message = self._heard
        for topic in ("control/#", "proplet/#", "from/#", "registry/#"):
            self._client.subscribe(f"{self._base}/{topic}", qos=1)

    def _heard(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        key = (message.topic, message.payload)
        if self._mine[key]:
            self._mine[key] -= 1
            return
        self._mine[key] += 1
        timer = threading.Timer(self._chance.random(), self._say, key)
        timer.start()
        self._timers.append(timer)

    def _say(self, topic: str, payload: bytes) -> None:
        self.repeated += 1
        self._client.publish(topic, payload, qos=1)

    def close(self) -> None:
        for timer in self._timers:
            timer.join()
        super().close()
