"""Which proplets have to sign what they say, and how what is said to them is signed.

A proplet whose key the manager knows is heard by its signature alone, and gets signed messages. Any other is
heard as ``signatures`` says: foreign proplets keep the contract's form, which has no signatures.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Literal

from propeller.mqtt.settings import MqttSettings
from propeller.wire.fleet.codec import decode, encode, line_of
from propeller.wire.fleet.from_proplet import Alive
from propeller.wire.fleet.messages import Message, own_topic, said_topic, topic_of
from propeller.wire.fleet.signing import (
    ANY_START,
    AROUND_LINES_BYTES,
    FROM_PROPLET_TOPIC,
    TO_PROPLET_TOPIC,
    Forged,
    Opener,
    Sealer,
    is_envelope,
    messages_in,
    parcels,
)

#: ``off``: no signature is looked at. ``seen``: who has a key signs. ``required``: nobody else is heard, but
#: for the foreign proplets that are named.
Mode = Literal["off", "seen", "required"]


class Signatures:
    """Signs for the manager, and checks what its proplets sign."""

    def __init__(
        self, settings: MqttSettings, proplet_keys: Mapping[str, str] | None = None, mode: Mode = "seen"
    ) -> None:
        """Prepare; without a key of our own nothing is signed, and nobody has to sign.

        Args:
            settings: The channel, and the manager's own key.
            proplet_keys: The public keys of proplets, by id.
            mode: Who is heard.

        """
        self.mode = mode
        #: Of this manager; ``""`` if it has no key.
        self.public_key = ""
        self._base = settings.base
        self._sealer: Sealer | None = None
        self._openers: dict[str, Opener] = {}
        if settings.signing_key:
            from propeller.wire.fleet.keys import PrivateKey  # noqa: PLC0415  others need no keys

            own = PrivateKey(settings.signing_key)
            self.public_key = own.public
            self._sealer = Sealer(own, settings.base)
            for proplet_id, key in (proplet_keys or {}).items():
                self.bind(proplet_id, key)

    @property
    def signers(self) -> frozenset[str]:
        """The proplets that are heard by their signature alone."""
        return frozenset(self._openers) if self.mode != "off" else frozenset()

    def bind(self, proplet_id: str, key: str) -> None:
        """Hear a proplet by this key and no other from now on; the first one stays."""
        from propeller.wire.fleet.keys import PublicKey  # noqa: PLC0415  others need no keys

        if proplet_id not in self._openers:
            self._openers[proplet_id] = Opener(PublicKey(key), self._base)

    def must_sign(self, proplet_id: str) -> bool:
        """Say whether a proplet is heard by its signature alone."""
        return self.mode != "off" and proplet_id in self._openers

    def to_all(self, topic: str, payload: bytes) -> bytes:
        """Sign a message that goes to all native programs."""
        return self._sealer.signed(topic, payload) if self._sealer is not None else payload

    def to_proplet(
        self, proplet_id: str, messages: Sequence[Message], *, boot: int, epoch: int, room_bytes: int
    ) -> list[tuple[str, bytes]]:
        """Give topics and payloads that carry messages to a native proplet.

        Args:
            proplet_id: The proplet.
            messages: What it is told, in order.
            boot: Its present start, for which alone they count.
            epoch: The present start of this manager.
            room_bytes: The largest payload that is likely to get through.

        """
        if self._sealer is None or proplet_id not in self._openers:
            return [(own_topic(proplet_id, topic_of(message)), encode(message)) for message in messages]
        topic = own_topic(proplet_id, TO_PROPLET_TOPIC)
        lines = [line_of(topic_of(message), encode(message)) for message in messages]
        now = time.monotonic_ns()
        return [
            (topic, self._sealer.sealed(topic, parcel, to=boot, session=epoch, at=now))
            for parcel in parcels(lines, room_bytes - AROUND_LINES_BYTES)
        ]

    def said(self, sender: str, topic: str, payload: bytes, epoch: int) -> list[tuple[str, bytes]]:
        """Give topics and payloads of what a proplet says on a topic of its own.

        Args:
            sender: The proplet whose topic it is.
            topic: The topic, without the proplet.
            payload: One message, or an envelope of them.
            epoch: The present start of this manager.

        Raises:
            Forged: It counts for nothing.

        """
        if not is_envelope(payload):
            if self.must_sign(sender):
                raise Forged("it is not signed, and the manager has a key of this proplet")
            if self.mode == "required":
                raise Forged("it is not signed, and MANAGER_SIGNATURES=required asks for that")
            return [(topic, payload)]
        opener = self._openers.get(sender)
        if opener is None or topic != FROM_PROPLET_TOPIC:
            raise Forged("no key of this proplet is in MANAGER_PROPLET_KEYS; see `propeller provision renew`")
        if self.mode == "off":
            return messages_in(payload)
        envelope = opener.opened(said_topic(sender, topic), payload, to=epoch, takes_wills=True)
        found = envelope.messages()
        if envelope.stamp.to == ANY_START != epoch and not _is_will(found):
            raise Forged("only a will is for any start of a manager")
        return found


def _is_will(messages: Sequence[tuple[str, bytes]]) -> bool:
    if len(messages) != 1:
        return False
    message = decode(*messages[0])
    return isinstance(message, Alive) and message.status == "offline"
