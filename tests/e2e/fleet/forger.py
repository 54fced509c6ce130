"""Somebody who runs the broker: says what he likes in any name, with any key but the right one."""

import json
import time
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as mqtt

from propeller.wire.fleet.codec import to_line
from propeller.wire.fleet.keys import PrivateKey
from propeller.wire.fleet.messages import Message
from propeller.wire.fleet.signing import Sealer
from tests.e2e.fleet.harness import Fleet
from tests.e2e.fleet.mischief import Stranger


class Forger(Stranger):
    """Hears all, keeps it, and says it again; signs with the key of a program of the fleet, by its section."""

    def __init__(self, fleet: Fleet, key_of: str) -> None:
        super().__init__(fleet, key_of)
        self._fleet = fleet
        self._sealer = Sealer(PrivateKey(fleet.section(key_of)["signing_key"]), self._base)
        self.heard: list[tuple[str, bytes]] = []
        self._client.on_message = self._hear
        self._client.subscribe(f"{self._base}/#", qos=1)

    def _hear(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic.removeprefix(f"{self._base}/"), message.payload))

    @property
    def epoch(self) -> int:
        """Of the manager, which everybody hears."""
        return int(json.loads((self._fleet.directory / "manager/manager.json").read_text())["epoch"])

    def plain(self, topic: str, **fields: Any) -> None:
        self.publish(topic, json.dumps(fields).encode())

    def signed(self, topic: str, *messages: Message, to: int, session: int = 2**62) -> None:
        """Say something with the forger's own key, as of a start later than any."""
        lines = [to_line(message) for message in messages]
        self.publish(topic, self._sealer.sealed(topic, lines, to=to, session=session, at=time.monotonic_ns()))

    def again(self, heard: Sequence[tuple[str, bytes]]) -> None:
        for topic, payload in heard:
            self.publish(topic, payload)
