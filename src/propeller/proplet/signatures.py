"""How a proplet signs what it says, and which messages it heeds: those that its manager or proxy signed."""

import time
from collections.abc import Iterator, Sequence

from propeller.mqtt.settings import MqttSettings
from propeller.wire.fleet.codec import encode, line_of
from propeller.wire.fleet.from_proplet import Join
from propeller.wire.fleet.joining import JoinToken, join_of
from propeller.wire.fleet.messages import (
    ANNOUNCEMENT_TOPIC,
    MODULE_TOPIC,
    TOPICS,
    Message,
    own_topic,
    said_topic,
    topic_of,
)
from propeller.wire.fleet.modules import ModuleChunk, ModuleRequest
from propeller.wire.fleet.signing import (
    ANY_START,
    AROUND_LINES_BYTES,
    FROM_PROPLET_TOPIC,
    TO_PROPLET_TOPIC,
    Forged,
    Opener,
    Sealer,
    parcels,
)

#: What a manager says to all, with its signature in it.
_TO_ALL = (ANNOUNCEMENT_TOPIC, "control/manager/hello")
_CHUNK_TOPIC = next(topic for topic, kind in TOPICS.items() if kind is ModuleChunk)
_FROM_MANAGER = frozenset(topic for topic in TOPICS if topic.startswith("control/manager/")) | {_CHUNK_TOPIC}


class Signatures:
    """Signs for a proplet, and checks what is signed for it."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        manager_key: str,
        proxy_key: str = "",
        boot: int,
        token: JoinToken | None = None,
    ) -> None:
        """Prepare.

        Args:
            settings: The channel, and the proplet's id and its own key.
            manager_key: The public key of the manager.
            proxy_key: That of the proxy; without it no image comes from a proxy.
            boot: This start of the program, for which alone messages count.
            token: What the proplet joins with, if the manager may not know its key yet.

        """
        from propeller.wire.fleet.keys import PrivateKey, PublicKey  # noqa: PLC0415  others need no keys

        self._boot = boot
        self._topic = said_topic(settings.entity_id, FROM_PROPLET_TOPIC)
        self._own = own_topic(settings.entity_id, "")
        own = PrivateKey(settings.signing_key)
        self._sealer = Sealer(own, settings.base)
        self._join = token and join_of(token, settings.base, settings.entity_id, own.public, boot)
        self._has_answered = False
        self._manager = Opener(PublicKey(manager_key), settings.base)
        self._proxy = Opener(PublicKey(proxy_key), settings.base) if proxy_key else None

    @property
    def join(self) -> Join | None:
        """What to say in place of all else until the manager has answered; None if it knows this proplet."""
        return None if self._has_answered else self._join

    def will(self, will: Message) -> tuple[str, bytes]:
        """Give topic and payload of a will, for any start of the manager; each counts once."""
        return self._topic, self._sealed([_line(will)], ANY_START)

    def sealed(self, messages: Sequence[Message], epoch: int, room_bytes: int) -> Iterator[tuple[str, bytes]]:
        """Give topics and payloads that carry messages to this start of the manager, in order."""
        lines = [_line(message) for message in messages]
        for parcel in parcels(lines, room_bytes - AROUND_LINES_BYTES):
            yield self._topic, self._sealed(parcel, epoch)

    def _sealed(self, lines: Sequence[bytes], to: int) -> bytes:
        at = time.monotonic_ns()
        return self._sealer.sealed(self._topic, lines, to=to, session=self._boot, at=at)

    def heard(self, topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        """Give topics and payloads of what came.

        Raises:
            Forged: It counts for nothing.

        """
        if topic in _TO_ALL:
            if not self._manager.is_signed(topic, payload):
                raise Forged("the manager of PROPLET_MANAGER_KEY has not signed it")
            return [(topic, payload)]
        inner = topic.removeprefix(self._own)
        if inner != topic and inner == TO_PROPLET_TOPIC:
            messages = self._manager.opened(topic, payload, to=self._boot).messages()
            self._has_answered = True
            return [one for one in messages if one[0] in _FROM_MANAGER]
        if inner == topic or inner != _CHUNK_TOPIC:
            raise Forged("it is not signed, and this proplet has the keys of those who sign")
        if self._proxy is None:
            raise Forged(
                "it is of a proxy, and PROPLET_PROXY_KEY is not set; run `propeller provision renew`"
            )
        messages = self._proxy.opened(topic, payload, to=self._boot).messages()
        return [one for one in messages if one[0] == _CHUNK_TOPIC]


def is_for_proxy(message: Message) -> bool:
    """Say whether a message goes to the proxy, and not to the manager."""
    return isinstance(message, ModuleRequest) and not message.app_name.startswith("sha256:")


def _line(message: Message) -> bytes:
    topic = MODULE_TOPIC if isinstance(message, ModuleRequest) else topic_of(message)
    return line_of(topic, encode(message))
