"""One connection to a broker that comes back by itself, whatever the broker forgets meanwhile.

It is built on gmqtt, which speaks the protocol, and repeats unacknowledged messages if the broker has kept
the session. This file adds the rest: back-off, new subscriptions at every connect, a bound on the messages
on their way, repeating them if the broker has lost the session, and messages that are too large.

The protocol is MQTT 5, in which a broker gives its limits and reasons, or 3.1.1 if a broker knows no other.

A broker's acknowledgement is not durability: a program that publishes must be able to repeat the message.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gmqtt
from gmqtt.mqtt.constants import MQTTv50, MQTTv311
from gmqtt.mqtt.handler import MQTTConnectError

from propeller.errors import BrokerRefused, Invalid
from propeller.mqtt import client as gm
from propeller.mqtt import reasons
from propeller.mqtt.address import tls_for
from propeller.mqtt.corked import cork
from propeller.mqtt.limits import AROUND_BYTES, Limits
from propeller.mqtt.reconnect import ReconnectDelay
from propeller.mqtt.sessions import Sessions
from propeller.mqtt.settings import MqttSettings
from propeller.mqtt.terms import Terms
from propeller.mqtt.unacknowledged import Outgoing, Unacknowledged
from propeller.mqtt.waiting import Waiting

_log = logging.getLogger(__name__)
_silent = logging.getLogger(f"{__name__}.gmqtt")
_silent.setLevel(logging.CRITICAL)
logging.getLogger("gmqtt").setLevel(logging.CRITICAL)

#: After how many short connections in a row another program probably has the same identity.
_SHORT_ONES = 3
#: Room for the header and a topic below the prefix, with a proplet's id in it.
_TOPIC_BYTES_MAX = 1200
#: How soon after a message that it does not accept a broker ends the connection.
_JUST_NOW_S = 2.0


class TooLarge(NamedTuple):
    """A message that is not sent, because it is larger than this program or the broker allows."""

    topic: str
    payload: bytes
    #: Its size, the limit and whose limit it is, and what to do.
    why: str


class Will(NamedTuple):
    """The message that the broker publishes for this program if its connection breaks."""

    topic: str
    payload: bytes
    #: As for ``say_now``.
    is_kept: bool = False


class Link:
    """A connection as the module describes it. All topics are without the channel's prefix."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        topics: Sequence[str],
        on_message: Callable[[str, bytes], None],
        on_up: Callable[[], None] = lambda: None,
        on_down: Callable[[float], None] = lambda _: None,
        on_too_large: Callable[[TooLarge], None] = lambda _: None,
        will: Will | None = None,
    ) -> None:
        """Prepare a link; ``start`` connects it.

        Args:
            settings: The broker, and the identity there.
            topics: The topics to subscribe to, at every connect.
            on_message: Called with topic and payload of each message, in order; it must not block.
            on_up: Called each time that the link is up, with all subscriptions.
            on_down: Called each time that it is down again, with the time since the broker was heard of, s.
            on_too_large: Called with each message that can't be sent; ``room_bytes`` is already adapted then.
            will: The message that the broker publishes when the connection breaks.

        Raises:
            Invalid: The address or a TLS file can't be used.

        """
        self._settings = settings
        tls_for(settings)  # what can't be used is said at once
        self._prefix = f"{settings.base}/"
        self._topics = topics
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._on_too_large = on_too_large
        self._will = will
        self._terms = Terms(settings)
        self._sessions = Sessions()
        self._version = MQTTv50
        self._waiting = Waiting()
        self._unacknowledged = Unacknowledged(self._acknowledged)
        self._limits = Limits(settings.max_packet_bytes)
        #: With QoS 0 nothing is acknowledged: the last large messages, and when they were sent.
        self._unanswered: deque[tuple[float, Outgoing]] = deque(maxlen=100)
        self._client = self._make_client()
        self._connacked = asyncio.Event()
        self._lost = asyncio.Event()
        self._up = asyncio.Event()
        self._drained = asyncio.Event()
        self._has_been_up = False
        #: When the link came up last, on the monotonic clock, s; 0 while it is down.
        self._up_since = 0.0
        #: The reason that the broker gave for ending the connection; 0 for none.
        self._reason = 0
        #: True if it refused a message for its size: some brokers then end the connection.
        self._has_refused = False
        #: The kinds of refused and too large messages that were logged already.
        self._told: set[str] = set()
        self._reconnect_delay = ReconnectDelay()
        self._running: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        """True if the broker is connected and has accepted the subscriptions."""
        return self._up.is_set()

    async def start(self) -> None:
        """Begin to connect, and go on doing so until ``stop``."""
        if self._running is None:
            self._running = asyncio.create_task(self._stay_connected())

    @property
    def running(self) -> "asyncio.Task[None]":
        """The work, from ``start`` on; ends with ``BrokerRefused`` if the broker refuses it at first."""
        assert self._running is not None
        return self._running

    async def up(self) -> None:
        """Wait until the link is up; raise ``BrokerRefused`` if the broker refuses the connection."""
        waiting = asyncio.create_task(self._up.wait())
        await asyncio.wait({waiting, self.running}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.running.done():
            self.running.result()

    async def stop(self) -> None:
        """Say good-bye to the broker, which then does not publish the will."""
        if self._running is not None:
            self._running.cancel()
            await self._hang_up()

    def bequeath(self, payload: bytes) -> None:
        """Change the payload of the will, from the next connection on."""
        gm.bequeath(self._client, payload)

    def say_now(self, topic: str, payload: bytes, *, is_kept: bool = False) -> None:
        """Send a message before all that wait, at most once and with QoS 0; drop it while the link is down.

        The broker gives a kept message to programs that subscribe later, until another replaces it. A broker
        that keeps nothing gives it only to the present subscribers.
        """
        if self._up.is_set():
            self._client.publish(
                self._prefix + topic, payload, qos=0, retain=is_kept and self._terms.can_keep
            )

    def hold(self, *, is_held: bool) -> None:
        """Take in no more messages for a moment, or go on: the broker keeps them, as far as it has room.

        A new connection begins without a hold.
        """
        if self._up.is_set():
            gm.hold(self._client, is_held=is_held)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message when there is room; while the broker is away, messages wait, up to two bounds."""
        self._waiting.append(Outgoing(topic, payload))
        self._flush()

    def obstacle(self, payload_bytes: int) -> str:
        """Say why a message of this size can't be sent, as in ``TooLarge``; ``""`` if it can."""
        size_bytes = payload_bytes + AROUND_BYTES
        return "" if self._limits.lets_through(size_bytes) else self._limits.why_not(size_bytes)

    @property
    def room_bytes(self) -> int:
        """The largest payload that is likely to get through, for content that can be cut into pieces."""
        return self._limits.likely_bytes - len(self._prefix.encode()) - _TOPIC_BYTES_MAX

    async def drained(self) -> None:
        """Wait until the broker has acknowledged all messages."""
        while self._waiting or self._unacknowledged.count:
            self._drained.clear()
            await self._drained.wait()

    # -- the connection ------------------------------------------------------------------------------------

    def _make_client(self) -> Any:
        settings = self._settings
        will = (
            gmqtt.Message(
                self._prefix + self._will.topic,
                self._will.payload,
                qos=min(settings.qos, 1),
                retain=self._will.is_kept,
            )
            if self._will
            else None
        )
        client = gm.make_client(settings, will, self._unacknowledged, _silent)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._received
        client.on_disconnect = self._disconnected
        gm.watch_refusals(client, self._refused)
        return client

    async def _stay_connected(self) -> None:
        while True:
            self._reason, self._up_since, self._has_refused = 0, 0.0, False
            version = self._version
            trouble = await self._connect_and_stay()
            if version != self._version:
                continue
            lasted_s = time.monotonic() - self._up_since if self._up_since else 0.0
            delay_s = self._reconnect_delay.after(
                lasted_s,
                is_taken_over=self._reason == reasons.SESSION_TAKEN_OVER,
                is_explained=bool(self._reason) or self._has_refused,
            )
            _log.warning(
                "broker %s: %s; tried again in %.1f s",
                self._settings.address,
                trouble or self._why_lost(lasted_s),
                delay_s,
            )
            await asyncio.sleep(delay_s)

    def _why_lost(self, lasted_s: float) -> str:
        ways_out = "end one, or give each an identity of its own"
        if self._reason == reasons.SESSION_TAKEN_OVER:
            return (
                f"another program has connected as {self._settings.entity_id}, and a broker keeps only one; "
                f"{ways_out}"
            )
        if self._has_refused:
            return "it ended the connection over a message that is too large for it"
        lost = reasons.words_of(self._reason) if self._reason else "the connection was lost"
        times = self._reconnect_delay.short_ones - 1
        if times < _SHORT_ONES - 1:
            return lost
        return (
            f"{lost} after {lasted_s:.1f} s, as {times} times before; if another "
            f"program is connected as {self._settings.entity_id}, {ways_out}: a broker keeps only one of them"
        )

    async def _connect_and_stay(self) -> str:
        """Connect, and return when the connection is over: why it failed, or ``""`` if it was up."""
        for event in (self._connacked, self._lost, self._up):
            event.clear()
        gm.ask_for_session(self._client, is_kept=self._sessions.choose(time.monotonic()))
        # This returns only when all is acknowledged, which may be never; so events say that it is connected.
        connecting = asyncio.create_task(gm.connect(self._client, self._settings, self._version))
        waiting = [asyncio.create_task(event.wait()) for event in (self._connacked, self._lost)]
        try:
            await asyncio.wait(
                {connecting, *waiting},
                timeout=self._settings.timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not self._connacked.is_set():
                return await self._why_not(connecting)
            await self._lost.wait()
            self._find_too_large()
        finally:
            self._up.clear()
            for task in (connecting, *waiting):
                task.cancel()
            await asyncio.gather(connecting, *waiting, return_exceptions=True)
        return ""

    async def _why_not(self, connecting: "asyncio.Task[None]") -> str:
        has_hung_up = self._lost.is_set()
        try:
            if connecting.done():
                connecting.result()
        except MQTTConnectError as error:
            self._heed(error)
            return str(error)
        except (OSError, Invalid) as error:
            return str(error)
        finally:
            if gm.was_told_to_speak_older(self._client):
                self._version = MQTTv311
            await self._hang_up()
        if has_hung_up:
            return "it hung up before it answered"
        return f"no answer in {self._settings.timeout_s:g} s"

    def _heed(self, error: MQTTConnectError) -> None:
        """Adapt to a broker that refused us; raise ``BrokerRefused`` if only its owner can help."""
        code = error._code  # noqa: SLF001
        if code in reasons.OTHER_VERSION and self._version == MQTTv50:
            self._version = MQTTv311
        elif code == reasons.QOS_NOT_SUPPORTED and gm.lower_will(self._client):
            pass  # the next try uses that
        elif code == reasons.RETAIN_NOT_SUPPORTED and gm.let_will_go(self._client):
            pass  # likewise
        elif code in reasons.MAYBE_SESSIONS:
            self._sessions.refused(time.monotonic())
        elif not self._has_been_up and code not in reasons.PASSING:
            raise BrokerRefused(
                f"broker {self._settings.address} refused {self._settings.entity_id}: {error}; "
                "check entity_id and api_key against the broker's password file"
            ) from error

    async def _hang_up(self) -> None:
        try:
            async with asyncio.timeout(1):
                await self._client.disconnect()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the connection is gone, which was the aim

    # -- what the client tells -----------------------------------------------------------------------------

    def _connected(self, _client: Any, session_present: int, _code: int, properties: Any) -> None:
        self._connacked.set()
        self._sessions.accepted()
        cork(self._client)
        self._terms.connected(self._version, properties)
        self._limits.announced(*properties.get("maximum_packet_size", [0]))
        gm.allow_all_ids(self._client)
        if gm.is_clean(self._client):
            self._terms.tell_once(
                "refused a session that outlives the connection, and took one that does not; what gets lost "
                "while there is no connection is sent again"
            )
        if not session_present:
            # The broker lost the session: messages on their way are sent anew, before those that wait.
            self._waiting.put_back(self._take_back())
        self._client.subscriptions.clear()
        if self._topics:
            self._client.subscribe(
                [gmqtt.Subscription(self._prefix + topic, qos=self._terms.qos) for topic in self._topics]
            )
        else:
            self._is_ready()

    def _take_back(self) -> list[Outgoing]:
        originals = self._unacknowledged.taken_back()
        gm.free(self._client, originals)
        return list(originals.values())

    def _subscribed(self, _client: Any, _mid: int, granted: Sequence[int], _properties: Any) -> None:
        for topic, qos in zip(self._topics, granted, strict=False):
            if qos >= 128:
                _log.error(
                    "broker %s does not let %s read %s%s; check the broker's access rules",
                    self._settings.address,
                    self._settings.entity_id,
                    self._prefix,
                    topic,
                )
        self._terms.offered(qos for qos in granted if qos < 128)
        self._is_ready()

    def _is_ready(self) -> None:
        self._has_been_up = True
        self._up_since = time.monotonic()
        self._up.set()
        _log.info("broker %s: connected as %s", self._settings.address, self._settings.entity_id)
        self._on_up()
        self._flush()

    def _received(self, _client: Any, topic: str, payload: bytes, _qos: int, _properties: Any) -> None:
        if topic.startswith(self._prefix):
            self._on_message(topic[len(self._prefix) :], payload)

    def _disconnected(self, _client: Any, packet: Any, _error: Any = None) -> None:
        if isinstance(packet, bytes) and packet:  # the broker's reason; the end itself comes after it
            self._reason = packet[0]
        if self._up.is_set():
            self._on_down(time.monotonic() - gm.last_heard(self._client))
        self._up.clear()
        self._lost.set()

    def _acknowledged(self, message: Outgoing) -> None:
        self._limits.taken(self._packet_bytes(message))
        self._flush()

    def _flush(self) -> None:
        """Hand over waiting messages, as far as the bound on messages on their way allows."""
        while self._waiting and self._up.is_set() and self._unacknowledged.count < self._terms.inflight:
            message = self._waiting.popleft()
            size_bytes = self._packet_bytes(message)
            if not self._limits.lets_through(size_bytes):
                self._give_back(message)
                continue
            if not self._terms.qos and self._limits.is_suspicious(size_bytes):
                self._unanswered.append((time.monotonic(), message))
            self._unacknowledged.next = message
            topic = self._prefix + message.topic
            self._client.publish(topic, message.payload, qos=self._terms.qos)
        if not self._waiting and not self._unacknowledged.count:
            self._drained.set()

    # -- what is too large ---------------------------------------------------------------------------------

    def _packet_bytes(self, message: Outgoing) -> int:
        """Give the largest size of a message's packet: payload, topic, id, and 9 bytes of headers."""
        return len(message.payload) + len((self._prefix + message.topic).encode()) + 11

    def _refused(self, packet_id: int, reason: int) -> None:
        message = self._unacknowledged.take_out(packet_id)
        if message is None:
            return
        if reason == reasons.PACKET_TOO_LARGE:
            self._has_refused = True
            self._limits.refused(self._packet_bytes(message))
            self._give_back(message)
        else:
            self._tell_once(message, f"is refused: {reasons.words_of(reason)}")
        asyncio.get_running_loop().call_soon(self._flush)

    def _find_too_large(self) -> None:
        """Find out whether a message ended the connection; give back all messages that are as large."""
        if self._has_refused:
            return
        just_now = self._sent_just_now()
        largest = max(
            map(self._packet_bytes, [*self._unacknowledged.messages().values(), *just_now]), default=0
        )
        if self._reason not in (0, reasons.PACKET_TOO_LARGE):
            largest = 0  # no message is to blame
        if not self._limits.lost(largest, is_too_large=self._reason == reasons.PACKET_TOO_LARGE):
            return
        self._has_refused = True
        for packet_id, message in self._unacknowledged.messages().items():
            if not self._limits.lets_through(self._packet_bytes(message)):
                self._unacknowledged.take_out(packet_id)
                gm.free(self._client, [packet_id])
                self._give_back(message)
        for message in just_now:
            if not self._limits.lets_through(self._packet_bytes(message)):
                self._give_back(message)

    def _sent_just_now(self) -> list[Outgoing]:
        """Give the messages that were sent, with QoS 0, just before the end; older ones got through."""
        since = time.monotonic() - _JUST_NOW_S
        for at, message in self._unanswered:
            if at < since:
                self._limits.taken(self._packet_bytes(message))
        just_now = [message for at, message in self._unanswered if at >= since]
        self._unanswered.clear()
        return just_now

    def _give_back(self, message: Outgoing) -> None:
        """Tell the publisher that a message is too large; in the next turn, as it may publish another."""
        why = self._limits.why_not(self._packet_bytes(message))
        self._tell_once(message, f"is not sent: it {why}")
        too_large = TooLarge(message.topic, message.payload, why)
        asyncio.get_running_loop().call_soon(self._on_too_large, too_large)

    def _tell_once(self, message: Outgoing, what: str) -> None:
        kind = "/".join(message.topic.split("/")[-2:])
        if kind not in self._told:
            self._told.add(kind)
            _log.warning(
                "broker %s: a message on %s %s; of more like it nothing is said",
                self._settings.address,
                message.topic,
                what,
            )
