"""The manager's channel at its broker, through which nothing passes unless this manager serves it.

Until ``Standing`` has seen that no other manager serves, incoming messages are kept, and outgoing ones wait.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from propeller.core.times import Moment
from propeller.errors import AnotherManager
from propeller.manager.patience import Lead
from propeller.manager.standing import Standing
from propeller.mqtt.link import Link, TooLarge, Will
from propeller.mqtt.settings import MqttSettings
from propeller.wire.fleet.codec import decode, encode
from propeller.wire.fleet.from_manager import Announcement
from propeller.wire.fleet.messages import ANNOUNCEMENT_TOPIC

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.1
_FAREWELL_S_MAX = 1.0
#: Messages that wait until the channel is served; beyond this the oldest are dropped, and repeated later.
_WAITING_MAX = 100_000
_KEPT_BYTES_MAX = 64 * 2**20


class Channel:
    """A link through which nothing passes while it is not ours to serve."""

    def __init__(
        self,
        settings: MqttSettings,
        standing: Standing,
        *,
        topics: Sequence[str],
        on_message: Callable[[str, bytes], None],
        on_up: Callable[[], None],
        on_down: Callable[[float], None],
        on_too_large: Callable[[TooLarge], None],
        sign: Callable[[str, bytes], bytes] = lambda _, payload: payload,
        lead: Lead | None = None,
    ) -> None:
        """Prepare it; ``start`` connects. The arguments are as those of ``Link``.

        ``sign`` adds the signature to an announcement, given with its topic. Nothing is said while ``lead``,
        if there is one, does not let us act.
        """
        self._settings = settings
        self._standing = standing
        self._sign = sign
        self._lead = lead
        self._topics = topics
        self._on_too_large = on_too_large
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._is_served = False
        self._arrived: list[tuple[str, bytes]] = []
        self._arrived_bytes = 0
        self._running: asyncio.Task[None] | None = None
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=_WAITING_MAX)
        self._is_connected = self._is_paused = False
        self._link = self._make_link()

    def _make_link(self) -> Link:
        return Link(
            self._settings,
            topics=[ANNOUNCEMENT_TOPIC, *self._topics],
            on_message=self._received,
            on_up=self._connected,
            on_down=self._disconnected,
            on_too_large=self._on_too_large,
            will=Will(ANNOUNCEMENT_TOPIC, self._will(), is_kept=True),
        )

    def _will(self) -> bytes:
        return self._signed(self._standing.will(time.time_ns()))

    def _signed(self, said: Announcement) -> bytes:
        return self._sign(ANNOUNCEMENT_TOPIC, encode(said))

    async def start(self) -> None:
        """Begin to connect."""
        if self._running is None:
            await self._link.start()
            self._running = asyncio.create_task(self._stay())

    @property
    def running(self) -> "asyncio.Task[None]":
        """The work, from ``start`` on; ends with ``BrokerRefused`` or ``AnotherManager``."""
        assert self._running is not None
        return self._running

    async def stop(self) -> None:
        """Say good-bye, once what was sent is out; all that did not get out is repeated at the next start."""
        if self._running is None:
            return
        farewell = self._standing.left(time.time_ns())
        self._is_served = False
        try:
            async with asyncio.timeout(_FAREWELL_S_MAX):
                if self._link.is_up:
                    await self._link.drained()
        except TimeoutError:
            pass
        self._announce(farewell)
        await self._link.stop()

    async def pause(self) -> None:
        """Leave the broker, and say nothing of that: another may be in our place."""
        if self._running is not None and not self._is_paused:
            self._is_paused = True
            await self._link.stop()
            self._disconnected(0.0)

    async def resume(self) -> None:
        """Connect again; messages that were on their way are lost, and repeated by whoever needs them."""
        if self._is_paused:
            self._link = self._make_link()
            self._is_paused = False
            await self._link.start()

    def publish(self, topic: str, payload: bytes) -> None:
        self._waiting.append((topic, payload))
        if self._is_served and self._may_speak:
            self._publish_waiting()

    def _publish_waiting(self) -> None:
        while self._waiting:
            self._link.publish(*self._waiting.popleft())

    @property
    def _may_speak(self) -> bool:
        return self._lead is None or self._lead.may_act

    def hold(self, *, is_held: bool) -> None:
        """Take in no more messages for a moment, or go on; see ``Link.hold``."""
        self._link.hold(is_held=is_held)

    def obstacle(self, payload_bytes: int) -> str:
        return self._link.obstacle(payload_bytes)

    @property
    def room_bytes(self) -> int:
        return self._link.room_bytes

    async def drained(self) -> None:
        await self._link.drained()

    # -- who serves ------------------------------------------------------------------------------------------

    async def _stay(self) -> None:
        try:
            while self._standing.other is None:
                if self._is_paused:
                    await asyncio.sleep(_LOOK_EVERY_S)
                    continue
                linked = self._link.running
                await asyncio.wait({linked}, timeout=_LOOK_EVERY_S)
                if linked.done() and linked is self._link.running and not self._is_paused:
                    linked.result()
                if self._may_speak:
                    self._announce(self._standing.time_passed(_moment()))
        finally:
            self._link.running.cancel()
        # With a good-bye: else the broker keeps our will in place of the other's word.
        await self._link.stop()
        raise AnotherManager(_refusal(self._settings, self._standing.other))

    def _connected(self) -> None:
        self._is_connected = True
        self._announce(self._standing.connected(_moment()))

    def _disconnected(self, unheard_s: float) -> None:
        if not self._is_connected:
            return
        self._is_connected = self._is_served = False
        self._standing.disconnected()
        self._link.bequeath(self._will())
        self._on_down(unheard_s)

    def _announce(self, announcements: Sequence[Announcement]) -> None:
        for one in announcements if self._may_speak else ():
            # A question is not kept: the answer would be, and stands for more.
            said = self._signed(one)
            self._link.say_now(ANNOUNCEMENT_TOPIC, said, is_kept=one.status != "asks")
        if self._standing.is_serving and not self._is_served:
            self._serve()
        self._is_served = self._standing.is_serving

    def _serve(self) -> None:
        self._is_served = True
        if not self._standing.is_heard:
            _log.warning(
                "broker %s does not let %s read %s/%s: another manager on this channel would not be noticed; "
                "renew the broker's access rules with `propeller provision renew`",
                self._settings.address,
                self._settings.entity_id,
                self._settings.base,
                ANNOUNCEMENT_TOPIC,
            )
        self._on_up()
        arrived, self._arrived, self._arrived_bytes = self._arrived, [], 0
        for topic, payload in arrived:
            self._on_message(topic, payload)
        self._publish_waiting()

    def _received(self, topic: str, payload: bytes) -> None:
        if topic == ANNOUNCEMENT_TOPIC:
            self._heard(payload)
        elif self._is_served:
            self._on_message(topic, payload)
        elif self._arrived_bytes + len(payload) <= _KEPT_BYTES_MAX:
            self._arrived.append((topic, payload))
            self._arrived_bytes += len(payload)

    def _heard(self, payload: bytes) -> None:
        try:
            said = decode(ANNOUNCEMENT_TOPIC, payload)
        except ValueError as error:
            _log.warning("an announcement of a manager is ignored: %s", error)
            return
        assert isinstance(said, Announcement)
        self._announce(self._standing.heard(said, _moment()))


def _moment() -> Moment:
    return Moment(time.time_ns(), time.monotonic_ns())


def _refusal(settings: MqttSettings, other: Announcement) -> str:
    where = f" on {other.where}" if other.where else ""
    return (
        f"another manager, {other.manager_id}{where}, is alive on channel {settings.base} of broker "
        f"{settings.address}, and two would stop each other's tasks; stop that one, or give this one "
        "a channel of its own (`propeller provision`)"
    )
