"""The uplink of a remote proplet: a broker, the contract's topics, and topics of its own.

It speaks to a native manager on topics of its own, which the broker lets nobody else use. Where none has
announced itself, it speaks on the contract's topics, which all share. With keys it speaks to its own manager
alone, and heeds nobody else (``signatures``).
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence

from msgspec import UNSET

from propeller.mqtt.link import Link, TooLarge, Will
from propeller.mqtt.settings import MqttSettings
from propeller.proplet.following import Following
from propeller.proplet.foreign_pace import ForeignPace
from propeller.proplet.signatures import Signatures, is_for_proxy
from propeller.proplet.uplink import UplinkListener
from propeller.wire.fleet.codec import decode, encode
from propeller.wire.fleet.from_manager import Announcement, FromManager, Invoke, Start, Stop
from propeller.wire.fleet.from_proplet import Alive
from propeller.wire.fleet.messages import (
    ANNOUNCEMENT_TOPIC,
    MODULE_TOPIC,
    Message,
    own_topic,
    said_topic,
    speaker,
    topic_of,
)
from propeller.wire.fleet.modules import ModuleChunk, ModuleRequest
from propeller.wire.fleet.signing import AROUND_LINES_BYTES, FROM_PROPLET_TOPIC, messages_in

_log = logging.getLogger(__name__)

_SHARED = (
    "control/manager/start",
    "control/manager/stop",
    "control/manager/invoke",
    "control/manager/hello",
    "registry/server",
)
_SHARED_ANSWER = "registry/server"
#: Below ``proplet/<its id>/``.
_OWN = ("control/manager/+", "registry/server")
_FAREWELL_S_MAX = 3.0
_ANNOUNCEMENT_S_MAX = 0.2
#: How many kinds of ignored messages are told apart.
_ODDITIES_MAX = 50


class MqttUplink:
    """Hands over in one batch what the broker sent in one piece."""

    def __init__(
        self,
        listener: UplinkListener,
        settings: MqttSettings,
        *,
        boot: int,
        namespace: str,
        signatures: Signatures | None = None,
    ) -> None:
        """Prepare it; ``start`` connects.

        Args:
            listener: Is told what comes.
            settings: The broker and the proplet's identity.
            boot: Of this start of the program; its will is not that of another.
            namespace: As in the heartbeats.
            signatures: Signs and checks all messages, if the proplet has keys.

        """
        self._listener = listener
        self._id = settings.entity_id
        self._own = own_topic(settings.entity_id, "")
        self._following = Following()
        self._proxy = _WayToProxy()
        self._pace = ForeignPace()
        #: Results that the manager would not bear yet, and what sends each, by a number of its own.
        self._held: dict[int, tuple[Message, asyncio.TimerHandle]] = {}
        self._holds = 0
        self._inbox: list[Message] = []
        self._signatures = signatures
        self._boot = boot
        #: What is signed together in a moment.
        self._unsigned: list[Message] = []
        self._is_started = False
        #: How many messages were ignored, by kind.
        self.oddities: Counter[str] = Counter()
        self._last_word = Alive(
            proplet_id=settings.entity_id, status="offline", namespace=namespace, boot=boot
        )
        self._link = Link(
            settings,
            topics=[ANNOUNCEMENT_TOPIC, *_SHARED, *(own_topic(self._id, topic) for topic in _OWN)],
            on_message=self._received,
            on_up=self._connected,
            on_down=self._disconnected,
            on_too_large=self._refused,
            will=Will(*self._will()),
        )

    def _will(self) -> tuple[str, bytes]:
        if self._signatures is not None:
            return self._signatures.will(self._last_word)
        # A manager that only knows the contract would take it for a sign of life.
        return said_topic(self._id, topic_of(self._last_word)), encode(self._last_word)

    async def start(self) -> None:
        """Begin to connect; the listener is told ``BrokerRefused`` if the broker won't have this proplet."""
        if not self._is_started:
            self._is_started = True
            await self._link.start()
            self._link.running.add_done_callback(self._ended)

    async def stop(self) -> None:
        for _, timer in self._held.values():
            timer.cancel()
        self._publish([message for message, _ in self._held.values()])
        self._sign()
        try:
            async with asyncio.timeout(_FAREWELL_S_MAX):
                if self._link.is_up:
                    await self._link.drained()
        except TimeoutError:
            _log.warning(
                "the broker did not take everything; what was not acknowledged is sent at the next start"
            )
        await self._link.stop()

    def _ended(self, linked: "asyncio.Task[None]") -> None:
        self._listener.over(None if linked.cancelled() else linked.exception())

    @property
    def is_up(self) -> bool:
        return self._link.is_up

    def send(self, messages: Sequence[Message]) -> None:
        now = time.monotonic_ns()
        ready: list[Message] = []
        for message in messages:
            if wait_ns := self._pace.wait_ns(message, now):
                self._holds += 1
                timer = asyncio.get_running_loop().call_later(wait_ns / 1e9, self._release, self._holds)
                self._held[self._holds] = message, timer
            else:
                ready.append(message)
        self._publish(ready)

    def _release(self, hold: int) -> None:
        message, _ = self._held.pop(hold)
        self._publish([message])

    def _publish(self, messages: Sequence[Message]) -> None:
        if self._signatures is not None:
            self._publish_signed(messages)
            return
        is_alone = self._following.is_alone(time.monotonic_ns())
        for message in messages:
            payload = encode(message)
            for topic in self._topics_of(message, is_alone=is_alone):
                self._link.publish(topic, payload)

    def _publish_signed(self, messages: Sequence[Message]) -> None:
        """Speak to our own manager, if it is there: after its announcement all that counts is said again."""
        assert self._signatures is not None
        join = self._signatures.join
        if join is not None and self._following.manager is not None:
            self._link.publish(said_topic(self._id, topic_of(join)), encode(join))
            return
        for message in messages:
            if isinstance(message, ModuleRequest) and is_for_proxy(message):
                message.boot = self._boot
                self._link.publish(said_topic(self._id, topic_of(message)), encode(message))
            elif self._following.manager is not None:
                if not self._unsigned:
                    asyncio.get_running_loop().call_soon(self._sign)
                self._unsigned.append(message)

    def _sign(self) -> None:
        """Send what was said since the last turn of the loop, with as few signatures as there is room for."""
        messages, self._unsigned = self._unsigned, []
        if self._signatures is not None and self._following.manager is not None:
            epoch = self._following.manager[1]
            for topic, payload in self._signatures.sealed(messages, epoch, self.room_bytes):
                self._link.publish(topic, payload)

    def _topics_of(self, message: Message, *, is_alone: bool) -> list[str]:
        shared = topic_of(message)
        if isinstance(message, ModuleRequest) and message.app_name.startswith("sha256:"):
            shared = MODULE_TOPIC
        own = said_topic(self._id, shared)
        has_manager = self._following.manager is not None
        if shared == topic_of(message) and isinstance(message, ModuleRequest):
            return self._proxy.topics(message.app_name, own, shared, is_own_first=has_manager)
        if not has_manager:
            return [shared]
        # While no manager is there, one that only knows the contract may look for proplets.
        return [own, shared] if is_alone and isinstance(message, Alive) else [own]

    def obstacle(self, message: Message) -> str:
        around = AROUND_LINES_BYTES if self._signatures is not None else 0
        return self._link.obstacle(len(encode(message)) + around)

    @property
    def room_bytes(self) -> int:
        return self._link.room_bytes

    def _connected(self) -> None:
        self._following.connected(time.monotonic_ns())
        if self._following.manager is not None:
            self._listener.connected()
            return
        # An announcement that the broker has kept comes in a moment, and says on which topics to speak.
        asyncio.get_running_loop().call_later(_ANNOUNCEMENT_S_MAX, self._say_hello_to_anybody)

    def _say_hello_to_anybody(self) -> None:
        if self._link.is_up and self._following.manager is None and self._signatures is None:
            self._listener.connected()

    def _disconnected(self, _unheard_s: float) -> None:
        if self._signatures is not None:  # each signed will counts once
            self._link.bequeath(self._will()[1])

    def _received(self, topic: str, payload: bytes) -> None:
        if self._signatures is None:
            self._take(topic, topic.removeprefix(self._own), payload)
            return
        before, join = self._following.manager, self._signatures.join
        try:
            for inner, words in self._signatures.heard(topic, payload):
                self._take(topic, inner, words)
        except ValueError as error:
            self._ignore(f"{topic}: {error}", "it may be forged")
        after = self._following.manager
        if join is not None and self._signatures.join is None:
            self._listener.connected()
        elif before is not None and after is not None and before[0] == after[0] and before[1] < after[1]:
            # It was started anew, and what was signed for its start before counts for nothing.
            self._listener.connected()

    def _take(self, topic: str, inner: str, payload: bytes) -> None:
        """Take in one message, which came on ``topic`` and is of the contract's topic ``inner``."""
        try:
            message = decode(inner, payload)
        except ValueError as error:
            self._ignore(topic, str(error))
            return
        if isinstance(message, Announcement):
            self._announced(message)
            return
        if isinstance(message, FromManager) and not self._heeds(topic, message):
            return
        if isinstance(message, ModuleChunk):
            self._proxy.answered(message.app_name, topic)
        self._pace.received(message, time.monotonic_ns())
        if not self._inbox:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._inbox.append(message)

    def _announced(self, said: Announcement) -> None:
        if self._following.announced(said, time.monotonic_ns()):
            _log.info("follows manager %s on %s", said.manager_id, said.where or "a machine it does not name")
            self._listener.connected()
        elif (
            self._following.manager
            and said.status == "here"
            and said.manager_id != self._following.manager[0]
        ):
            whom = self._following.manager[0]
            self._ignore(
                f"the channel from manager {said.manager_id}", f"manager {whom} is followed, which is alive"
            )

    def _heeds(self, topic: str, message: FromManager) -> bool:
        if self._following.heeds(message, time.monotonic_ns()):
            return True
        if isinstance(message, Start | Stop | Invoke) and message.proplet_id not in (None, UNSET, self._id):
            return False  # it is for another proplet, and was sent to all
        whom = self._following.manager
        assert whom is not None
        teller = (
            f"manager {message.by[0]}" if isinstance(message.by, tuple) else "a manager that gives no name"
        )
        self._ignore(f"{topic} from {teller}", f"manager {whom[0]} is followed, which is alive")
        return False

    def _ignore(self, kind: str, why: str) -> None:
        if kind not in self.oddities and len(self.oddities) >= _ODDITIES_MAX:
            kind = "others"
        self.oddities[kind] += 1
        if self.oddities[kind] == 1:
            _log.warning("a message on %s is ignored, and more of them only counted: %s", kind, why)

    def _refused(self, refused: TooLarge) -> None:
        _, topic = speaker(refused.topic)
        if topic != FROM_PROPLET_TOPIC:
            self._listener.refused(decode(topic, refused.payload), refused.why)
            return
        messages = [decode(*one) for one in messages_in(refused.payload)]
        if len(messages) == 1:
            self._listener.refused(messages[0], refused.why)
        for message in messages if len(messages) > 1 else ():
            self._publish([message])
            self._sign()  # each in an envelope of its own

    def _hand_over(self) -> None:
        messages, self._inbox = self._inbox, []
        self._listener.receive(messages)


class _WayToProxy:
    """Finds out whether the proxy listens to the proplet's own topic, as a native one does.

    Another proxy may take its place at any time. So a request without an answer is repeated on both topics;
    also because a native one says on the own topic alone why there is no module.
    """

    def __init__(self) -> None:
        #: By image that was asked for without an answer yet: whether that was on both topics.
        self._asked: dict[str, bool] = {}
        #: The topic on which answers come; "" while that is not known.
        self._way = ""

    def topics(self, image: str, own: str, shared: str, *, is_own_first: bool = True) -> list[str]:
        """Name the topics to ask on; ``is_own_first`` counts while it is not known where answers come."""
        is_again = self._asked[image] = image in self._asked
        if is_again:
            return [own, shared]
        asks_own = self._way != _SHARED_ANSWER if self._way else is_own_first
        return [own if asks_own else shared]

    def answered(self, image: str, topic: str) -> None:
        """Take in the topic of an answer; one on the shared topic may be for another proplet."""
        if image.startswith("sha256:"):
            return  # that was the manager
        was_on_both = self._asked.pop(image, False)
        if topic != _SHARED_ANSWER or was_on_both:
            self._way = topic
