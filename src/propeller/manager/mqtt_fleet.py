"""The MQTT fleet: proplets behind a broker, native and foreign ones.

A native proplet gets its messages on topics of its own and modules by digest, and repeats what is not
acknowledged. A foreign one gets messages on the shared topics, and the module itself: inline, or in the
registry's chunks if it is too large for one message.

The broker holds a native proplet to its own topics, so the topic says which proplet speaks. On the shared
topics of the contract any program can claim any name: there the manager hears only the proplets that
``allow_foreign`` names.

Who runs the broker is held to nothing. So a proplet whose key the manager knows signs what it says, and gets
signed messages (``signatures``).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from propeller.core.effects import Outgoing, SendInvoke, SendStart, SendStop
from propeller.core.events import ConnectionLost, ConnectionRestored, RunSeen
from propeller.core.model import Module
from propeller.core.names import attempt_of
from propeller.errors import StoreUnusable, Unavailable
from propeller.manager.channel import Channel
from propeller.manager.dispatch import dispatch
from propeller.manager.image_turns import ImageTurns
from propeller.manager.joining import Joining
from propeller.manager.modules import pieces
from propeller.manager.oversize import Oversize
from propeller.manager.patience import Lead
from propeller.manager.service import Manager
from propeller.manager.signatures import Signatures
from propeller.manager.standing import Standing
from propeller.mqtt.limits import AROUND_BYTES
from propeller.mqtt.settings import MqttSettings
from propeller.wire.fleet.codec import decode, encode
from propeller.wire.fleet.facts import sender_of
from propeller.wire.fleet.from_manager import FromManager, Hello, Start
from propeller.wire.fleet.from_proplet import Alive, Create, Join, Logs, Results
from propeller.wire.fleet.messages import (
    MODULE_TOPIC,
    TOPICS,
    Message,
    PropletMessage,
    speaker,
)
from propeller.wire.fleet.metrics import Metrics, TaskMetrics
from propeller.wire.fleet.modules import (
    NO_PIECE_FITS,
    REPOSITORY,
    ModuleRequest,
    module_chunks,
    piece_bytes,
)
from propeller.wire.fleet.outgoing import invoke_message, messages_to_native, start_message, stop_message

_log = logging.getLogger(__name__)

#: In place of ids: the manager hears every foreign proplet.
ANY = "*"
_REGISTRY_REQUESTS = "registry/proplet"
_JOIN = "control/proplet/join"
_HELLO_TO_ALL = "control/manager/hello"
#: What is dropped while facts come faster than they are taken in: of all messages these matter least.
_LEAST = frozenset(topic for topic, kind in TOPICS.items() if kind in (Logs, Metrics, TaskMetrics))
#: How many requests for modules are answered at once: each reads a module.
_ANSWERING_MAX = 1024
#: How long after an attempt to read a module, which takes long itself, the next one comes.
_AGAIN_S = 1.0
#: How many unheard proplets the log names.
_NAMED_MAX = 50


class MqttFleet:
    """Carries effects to the broker, and what comes from it to the manager as facts."""

    def __init__(
        self,
        manager: Manager,
        settings: MqttSettings,
        standing: Standing,
        *,
        allow_foreign: Sequence[str] = (ANY,),
        signatures: Signatures | None = None,
        proplet_keys: Mapping[str, str] = MappingProxyType({}),
        lead: Lead | None = None,
    ) -> None:
        """Prepare it; ``start`` connects. ``allow_foreign`` has ids, or ``ANY``.

        ``signatures`` says who has to sign; without, nobody has to.
        ``proplet_keys`` are the keys of proplets that did not have to join with a token, by id.
        Nothing is sent while ``lead``, if there is one, does not let this manager act.
        """
        self._manager = manager
        self._standing = standing
        self._signatures = signatures or Signatures(settings)
        self.joining = Joining(
            settings,
            lambda: manager.store,
            self._signatures,
            proplet_keys=proplet_keys,
            on_joined=self._joined,
        )
        self._allowed = frozenset(allow_foreign)
        if self._signatures.mode == "required":
            self._allowed -= {ANY}
        #: How often each of the first proplets was not heard, up to 2.
        self._not_heard: dict[str, int] = {}
        #: How many messages were ignored, by kind.
        self.oddities: Counter[str] = Counter()
        self._foreign: asyncio.Queue[SendStart | SendStop | SendInvoke] = asyncio.Queue()
        self._turns = ImageTurns(self._send_start)
        self._answering: set[asyncio.Task[None]] = set()
        self._serving: asyncio.Task[None] | None = None
        #: Set while nothing more is taken in from the broker, until the manager has room.
        self._holding: asyncio.Task[None] | None = None
        self._settings = settings
        oversize = Oversize(
            manager,
            send_again=self._send_to_native,
            send_foreign=self._turns.start,
            give_up_foreign=self._turns.over,
            answer=self._answer_soon,
        )
        self._channel = Channel(
            settings,
            standing,
            topics=["from/+/control/proplet/+", "control/proplet/+", _REGISTRY_REQUESTS],
            on_message=self._received,
            on_up=self._connected,
            on_down=self._disconnected,
            on_too_large=oversize.take,
            sign=self._signatures.to_all,
            lead=lead,
        )

    async def start(self) -> None:
        """Begin to connect; while there is no broker, proplets are silent and their work waits."""
        if self._serving is None:
            await self.joining.load()
            self._manager.signers, self._manager.joining = self._signatures.signers, self.joining
            self._manager.tell(ConnectionLost())
            self._serving = asyncio.create_task(self._serve_foreign())
            await self._channel.start()

    @property
    def running(self) -> "asyncio.Task[None]":
        """The work, from ``start`` on; ends with ``BrokerRefused``, or ``AnotherManager`` if one is alive."""
        return self._channel.running

    async def stop(self) -> None:
        if self._serving is not None:
            self._serving.cancel()
        if self._holding is not None:
            self._holding.cancel()
        for answering in self._answering:
            answering.cancel()
        self._turns.close()
        await self._channel.stop()

    async def pause(self) -> None:
        """Leave the broker: this manager may not act, and another may be in its place there."""
        await self._channel.pause()

    async def resume(self) -> None:
        """Connect again."""
        await self._channel.resume()

    # -- to proplets ---------------------------------------------------------------------------------------

    def send(self, effects: Sequence[Outgoing]) -> None:
        native: list[Outgoing] = []
        for effect in effects:
            if isinstance(effect, SendStart | SendStop | SendInvoke) and not effect.is_native:
                if self._may_be_foreign(effect.proplet_id):
                    self._foreign.put_nowait(effect)
            else:
                native.append(effect)
        for proplet_id, messages in messages_to_native(native).items():
            for message in messages:
                if isinstance(message, FromManager):
                    message.by = self._standing.by
            self._send_all(proplet_id, messages)

    def _send_to_native(self, proplet_id: str, message: Message) -> None:
        self._send_all(proplet_id, [message])

    def _send_all(self, proplet_id: str, messages: Sequence[Message]) -> None:
        proplet = self._manager.proplet(proplet_id)
        for topic, payload in self._signatures.to_proplet(
            proplet_id,
            messages,
            boot=proplet.boot if proplet is not None else 0,
            epoch=self._standing.epoch,
            room_bytes=self._channel.room_bytes,
        ):
            self._channel.publish(topic, payload)

    def _joined(self, proplet_id: str, boot: int) -> None:
        """Answer a proplet that has joined, by which it knows that its messages count."""
        self._manager.signers = self._signatures.signers
        for topic, payload in self._signatures.to_proplet(
            proplet_id,
            [Hello(by=self._standing.by)],
            boot=boot,
            epoch=self._standing.epoch,
            room_bytes=self._channel.room_bytes,
        ):
            self._channel.publish(topic, payload)

    def _connected(self) -> None:
        """Ask all proplets at once for what they hold."""
        self._manager.tell(ConnectionRestored())
        hello = encode(Hello(by=self._standing.by))
        self._channel.publish(_HELLO_TO_ALL, self._signatures.to_all(_HELLO_TO_ALL, hello))

    def _disconnected(self, unheard_s: float) -> None:
        self._manager.tell(ConnectionLost(unheard_ns=int(unheard_s * 1e9)))

    async def _serve_foreign(self) -> None:
        while True:
            effect = await self._foreign.get()
            try:
                await self._send_foreign(effect)
            except StoreUnusable as error:
                _log.error("task %s can't be sent: %s", effect, error)

    async def _send_foreign(self, effect: SendStart | SendStop | SendInvoke) -> None:
        """Send on the shared topic, with the module inline, or by a registry name if it does not fit."""
        if isinstance(effect, SendStop):
            stop = stop_message(effect)
            self._turns.over(stop.id)
            self._channel.publish("control/manager/stop", encode(stop))
            return
        if isinstance(effect, SendInvoke):
            self._channel.publish("control/manager/invoke", encode(invoke_message(effect)))
            return
        message = start_message(effect)
        module = effect.spec.module
        if module is not None:
            if not self._channel.obstacle(module.size_bytes * 4 // 3):
                message = start_message(effect, await self._module(module.digest))
            if not message.file or self._channel.obstacle(len(encode(message))):
                message = start_message(effect)
                message.image_url = REPOSITORY + module.digest
        self._turns.start(message)

    def _send_start(self, start: Start) -> None:
        self._channel.publish("control/manager/start", encode(start))

    async def _module(self, digest: str) -> bytes:
        """Read a module, however long the database is away: foreign proplets do not ask again."""
        while True:
            try:
                return (await self._manager.store.modules([digest])).get(digest, b"")
            except Unavailable as error:
                _log.warning("module %s can't be read yet: %s", digest, error)
                await asyncio.sleep(_AGAIN_S)

    # -- from proplets -------------------------------------------------------------------------------------

    def _received(self, topic: str, payload: bytes) -> None:
        sender, topic = speaker(topic)
        if not sender:
            self._take(sender, topic, payload)
            return
        try:
            if topic == _JOIN:
                self._soon(self.joining.take(_join(sender, payload)))
                return
            said = self._signatures.said(sender, topic, payload, self._standing.epoch)
        except ValueError as error:
            known = sender if self._signatures.must_sign(sender) else "a proplet without a key"
            self._ignore(f"of {known}: {error}", f"on a topic of {sender}")
            return
        for inner, words in said:
            self._take(sender, inner, words)

    def _take(self, sender: str, topic: str, payload: bytes) -> None:
        """Take in one message, on a topic of its sender's own or, without ``sender``, on a shared one."""
        if self._holding is not None and topic in _LEAST:
            self._ignore(f"{topic}: dropped, as more comes in than can be done", sender)
            return
        try:
            message = decode(topic, payload)
        except ValueError as error:
            kind = topic if topic in TOPICS or topic == MODULE_TOPIC else "no topic of the protocol"
            self._ignore(f"{kind}: can't be read", str(error))
            return
        if not isinstance(message, PropletMessage) or not self._is_heard(message, sender):
            return
        if len(payload) + AROUND_BYTES > self._settings.max_packet_bytes:
            self._ignore(f"{topic}: too large", f"{len(payload):,} bytes")
            if not isinstance(message, Results):
                return
            # If it were ignored altogether, it would be repeated for ever and the task would never end.
            message.results = None
            message.error = (
                f"the result's message has {len(payload):,} bytes, and the manager takes in "
                f"{self._settings.max_packet_bytes:,}; write less, or raise MANAGER_MQTT_MAX_PACKET_SIZE"
            )
        if isinstance(message, ModuleRequest):
            self._answer(topic, message)
            return
        if isinstance(message, Results) and not message.attempt:
            self._turns.over(message.task_id)
        if isinstance(message, TaskMetrics) and self._is_foreign(message.proplet_id):
            self._turns.over(message.task_id)
            message.task_id, _ = attempt_of(message.task_id)
            self._manager.tell(RunSeen(message.proplet_id, message.task_id))
        if self._is_of_anothers_task(message):
            self._ignore(f"{topic}: of a task that runs elsewhere", message.proplet_id)
            return
        dispatch(self._manager, message, is_local=False)
        if self._holding is None and not self._manager.has_room:
            self._holding = asyncio.create_task(self._hold())

    async def _hold(self) -> None:
        """Take in no more until the manager has room: results and heartbeats wait at the broker, in order."""
        self._channel.hold(is_held=True)
        try:
            await self._manager.room()
        finally:
            self._channel.hold(is_held=False)
            self._holding = None

    def _is_heard(self, message: PropletMessage, sender: str) -> bool:
        """Say whether a message counts; on a topic of its own, the topic names the sender."""
        if not sender:
            said_by = sender_of(message)
            if self._signatures.must_sign(said_by):
                self._ignore(
                    f"of {said_by}: on a topic that all share, and not signed", "somebody used its name"
                )
                return False
            return self._may_be_foreign(said_by)
        if isinstance(message, Create | Alive) and not message.boot:
            # Without a boot it would count as foreign, and its tasks would be sent to the shared topics.
            self._ignore("a proplet on a topic of its own has no boot", sender)
            return False
        message.proplet_id = sender
        return True

    def _may_be_foreign(self, proplet_id: str) -> bool:
        """Say whether the manager deals with a proplet on the shared topics."""
        if ANY in self._allowed or proplet_id in self._allowed or (self._allowed and not proplet_id):
            return True
        said = self._not_heard.get(proplet_id, 0)
        if said < 2 and (said or len(self._not_heard) < _NAMED_MAX):
            self._not_heard[proplet_id] = said + 1
        if said == 1:  # a native one may say hello to all before it has heard of this manager
            _log.warning(
                "proplet %s gets no work and is not heard: it speaks on the topics that all share, and only "
                "those that MANAGER_ALLOW_FOREIGN names may",
                proplet_id or "that does not say which",
            )
        self.oddities["a foreign proplet that is not allowed"] += 1
        return False

    def _is_of_anothers_task(self, message: PropletMessage) -> bool:
        """Say whether a log or sample is of a task that its sender does not run."""
        if isinstance(message, Logs):
            return self._manager.is_elsewhere(message.task_id, message.proplet_id, message.attempt or 0)
        if isinstance(message, TaskMetrics):
            return self._manager.is_elsewhere(message.task_id, message.proplet_id)
        return False

    def _is_foreign(self, proplet_id: str) -> bool:
        proplet = self._manager.proplet(proplet_id)
        return proplet is not None and not proplet.is_native

    def _ignore(self, kind: str, detail: str) -> None:
        self.oddities[kind] += 1
        if self.oddities[kind] == 1:
            _log.warning("a message is ignored, and more of its kind are only counted: %s: %s", kind, detail)

    def _answer(self, topic: str, request: ModuleRequest) -> None:
        if topic == MODULE_TOPIC:
            self._answer_soon(request)
        elif request.app_name.startswith(REPOSITORY):
            self._soon(self._send_shared(request.app_name))
        # Any other is an image: the proxy answers.

    def _answer_soon(self, request: ModuleRequest) -> None:
        self._soon(self._send_pieces(request))

    def _soon(self, answer: Coroutine[Any, Any, None]) -> None:
        """Answer a request for a module, unless too many are being answered: then it comes again."""
        if len(self._answering) >= _ANSWERING_MAX:
            answer.close()
            self._ignore("a request for a module", "too many are being answered; it comes again")
            return
        answering = asyncio.create_task(answer)
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def _send_pieces(self, request: ModuleRequest) -> None:
        if not isinstance(request.proplet_id, str):
            self._ignore(f"{MODULE_TOPIC}: can't be answered", "it does not say who asks")
            return
        try:
            size_bytes = piece_bytes(self._channel.room_bytes)
            for chunk in await pieces(self._manager.store, request, size_bytes):
                self._send_to_native(request.proplet_id, chunk)
        except (StoreUnusable, Unavailable) as error:
            _log.error("module %s can't be read: %s", request.app_name, error)

    async def _send_shared(self, name: str) -> None:
        """Send a module in the contract's way: all chunks, where every proplet hears them."""
        digest = name.removeprefix(REPOSITORY)
        try:
            data = await self._module(digest)
        except StoreUnusable as error:
            _log.error("module %s can't be read: %s", name, error)
            return
        while not await self._is_sent(name, Module(digest, len(data)), data):
            pass  # a piece was too large, so all of them are cut anew

    async def _is_sent(self, name: str, module: Module, data: bytes) -> bool:
        """Send all chunks, one after the other; stop if they turn out too large, as the first one shows."""
        size_bytes = piece_bytes(self._channel.room_bytes)
        if not size_bytes:
            # On the topic that all share, to say so would look like a piece of the module.
            self._ignore(f"a request for {name}", NO_PIECE_FITS)
            return True
        for chunk in module_chunks(module, data, size_bytes):
            chunk.app_name = name
            self._channel.publish("registry/server", encode(chunk))
            await self._channel.drained()
            if piece_bytes(self._channel.room_bytes) < size_bytes:
                return False
        return True


def _join(sender: str, payload: bytes) -> Join:
    """Read what a proplet says to join; raise ``ValueError``."""
    join = decode(_JOIN, payload)
    assert isinstance(join, Join)
    join.proplet_id = sender
    return join
