"""The terms of a broker, as far as it announces them: quality of service, messages at once, kept messages."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from gmqtt.mqtt.constants import MQTTv50

from propeller.mqtt.settings import MqttSettings

_log = logging.getLogger(__name__)

#: How many messages may be on their way if the settings do not say. A broker of MQTT 5 announces its limit.
#: Older ones can't; Mosquitto takes 20 by default, and makes a program that sends more wait for long.
_INFLIGHT_MAX, _INFLIGHT_USUAL = 100, 20


class Terms:
    """The terms that hold at present; a broker may announce others at each connect."""

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        #: As in the settings, or lower if the broker offers less.
        self.qos = settings.qos
        #: How many sent messages may wait for its acknowledgement.
        self.inflight = settings.inflight or _INFLIGHT_USUAL
        #: True if it keeps messages for later subscribers, as far as it says.
        self.can_keep = True
        self._told: set[str] = set()

    def connected(self, version: int, said: Mapping[str, Any]) -> None:
        """Take in what a broker says of itself, as the properties of MQTT 5; an older one has none."""
        usual = _INFLIGHT_MAX if version == MQTTv50 else _INFLIGHT_USUAL
        self.inflight = min([self._settings.inflight or usual, *said.get("receive_maximum", [])])
        self.can_keep = bool(*said.get("retain_available", [1]))
        self.qos = self._settings.qos
        self.offered(said.get("max_qos", []))

    def offered(self, qualities: Iterable[int]) -> None:
        """Publish with no more than the best of these: some brokers end the connection of who does."""
        best = max(qualities, default=self.qos)
        if best < self.qos:
            self.qos = best
            self.tell_once(
                f"offers quality of service {best} at most, not {self._settings.qos}; that is used"
            )

    def tell_once(self, what: str) -> None:
        """Warn of what the broker does, but not at each connect."""
        if what not in self._told:
            self._told.add(what)
            _log.warning("broker %s %s", self._settings.address, what)
