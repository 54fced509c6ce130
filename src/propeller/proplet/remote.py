"""A remote proplet's way to its manager: a broker, the contract's topics, and topics of its own."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from propeller.mqtt.link import Link, Will
from propeller.mqtt.settings import MqttSettings
from propeller.proplet.agent import Agent
from propeller.wire.messages import (
    MODULE_TOPIC,
    Alive,
    Message,
    ModuleRequest,
    decode,
    encode,
    own_topic,
    topic_of,
)

_log = logging.getLogger(__name__)

_SHARED = ("control/manager/start", "control/manager/stop", "control/manager/hello", "registry/server")
_FAREWELL_S_MAX = 3.0


class RemoteUplink:
    """Hands over in one batch what the broker sent in one piece."""

    def __init__(self, agent: Agent, settings: MqttSettings, *, boot: int, namespace: str) -> None:
        """Prepare the way; ``start`` opens it.

        Args:
            agent: Whose way it is.
            settings: The broker and the proplet's identity.
            boot: Of this start of the program; its will is not that of another.
            namespace: As in the heartbeats.

        """
        self._agent = agent
        agent.uplink = self
        self._own = own_topic(settings.entity_id, "")
        self._inbox: list[Message] = []
        #: What was ignored, by kind.
        self.oddities: Counter[str] = Counter()
        will = Alive(proplet_id=settings.entity_id, status="offline", namespace=namespace, boot=boot)
        self._link = Link(
            settings,
            topics=[*_SHARED, f"{self._own}#"],
            on_message=self._received,
            on_up=agent.connected,
            will=Will(topic_of(will), encode(will)),
        )

    def start(self) -> asyncio.Task[None]:
        """Begin to connect; what this returns ends with ``BrokerRefused`` if the broker won't have us."""
        return self._link.start()

    @property
    def is_up(self) -> bool:
        return self._link.is_up

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            is_digest = isinstance(message, ModuleRequest) and message.app_name.startswith("sha256:")
            topic = MODULE_TOPIC if is_digest else topic_of(message)
            self._link.publish(topic, encode(message))

    def fits(self, message: Message) -> bool:
        return self._link.fits(len(encode(message)))

    async def farewell(self) -> None:
        try:
            async with asyncio.timeout(_FAREWELL_S_MAX):
                if self._link.is_up:
                    await self._link.drained()
        except TimeoutError:
            _log.warning(
                "the broker did not take everything; what was not acknowledged is sent at the next start"
            )
        await self._link.close()

    def _received(self, topic: str, payload: bytes) -> None:
        try:
            message = decode(topic.removeprefix(self._own), payload)
        except ValueError as error:
            self.oddities[topic] += 1
            if self.oddities[topic] == 1:
                _log.warning("a message on %s is ignored, and more of them only counted: %s", topic, error)
            return
        if not self._inbox:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._inbox.append(message)

    def _hand_over(self) -> None:
        messages, self._inbox = self._inbox, []
        self._agent.receive(messages)
