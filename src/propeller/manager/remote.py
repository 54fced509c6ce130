"""The remote fleet: proplets behind a broker, ours and those that only know the contract.

Ours get their messages on topics of their own, modules by digest, and repeat what is not acknowledged.
Foreign ones get the shared topics and the module itself: inline, or in the registry's chunks where it is too
large for one message.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from propeller.core.effects import Outgoing, SendInvoke, SendStart, SendStop
from propeller.core.events import ConnectionLost, ConnectionRestored, RunEnded, RunSeen
from propeller.core.model import Module
from propeller.core.names import attempt_of
from propeller.errors import StoreUnusable
from propeller.manager.image_turns import ImageTurns
from propeller.manager.modules import pieces
from propeller.manager.service import Manager
from propeller.mqtt.link import Link
from propeller.mqtt.settings import MqttSettings
from propeller.wire.facts import fact_of
from propeller.wire.messages import (
    MODULE_TOPIC,
    Alive,
    Hello,
    InvokeResults,
    Logs,
    ModuleRequest,
    Results,
    Start,
    decode,
    encode,
    invoke_message,
    messages_to_ours,
    module_chunks,
    own_topic,
    start_message,
    stop_message,
    topic_of,
)
from propeller.wire.metrics import Metrics, TaskMetrics

_log = logging.getLogger(__name__)

_REGISTRY_REQUESTS = "registry/proplet"
#: Modules of the store as a foreign proplet may ask the registry for them.
_REPOSITORY = "propeller.local/modules@sha256:"


class RemoteFleet:
    """Carries effects to the broker, and what comes from it to the manager as facts."""

    def __init__(self, manager: Manager, settings: MqttSettings) -> None:
        self._manager = manager
        #: What was ignored, by kind.
        self.oddities: Counter[str] = Counter()
        self._foreign: asyncio.Queue[SendStart | SendStop | SendInvoke] = asyncio.Queue()
        self._turns = ImageTurns(self._send_start)
        self._answering: set[asyncio.Task[None]] = set()
        self._settings = settings
        self._link = Link(
            settings,
            topics=["control/proplet/+", _REGISTRY_REQUESTS],
            on_message=self._received,
            on_up=self._connected,
            on_down=self._disconnected,
        )
        manager.fleet = self

    async def start(self) -> asyncio.Task[None]:
        """Begin to connect; while there is no broker, proplets are silent and their work waits.

        Returns what ends with ``BrokerRefused`` if the broker won't have us, and else never.
        """
        self._manager.tell(ConnectionLost())
        self._serving = asyncio.create_task(self._serve_foreign())
        return self._link.start()

    async def stop(self) -> None:
        self._serving.cancel()
        for answering in self._answering:
            answering.cancel()
        self._turns.close()
        await self._link.close()

    # -- to proplets ---------------------------------------------------------------------------------------

    def send(self, effects: Sequence[Outgoing]) -> None:
        ours: list[Outgoing] = []
        for effect in effects:
            if isinstance(effect, SendStart | SendStop | SendInvoke) and not effect.is_ours:
                self._foreign.put_nowait(effect)
            else:
                ours.append(effect)
        for proplet_id, messages in messages_to_ours(ours).items():
            for message in messages:
                payload = encode(message)
                if isinstance(message, Start) and not self._link.fits(len(payload)):
                    self._refuse(proplet_id, message.id, message.attempt or 0, len(payload))
                else:
                    self._link.publish(own_topic(proplet_id, topic_of(message)), payload)

    def _connected(self) -> None:
        """Find out at once who is there and what was missed."""
        self._manager.tell(ConnectionRestored())
        self._link.publish("control/manager/hello", encode(Hello()))

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
        """Send on the shared topic; a module goes inline, or where it does not fit by a registry name."""
        if isinstance(effect, SendStop):
            stop = stop_message(effect)
            self._turns.over(stop.id)
            self._link.publish("control/manager/stop", encode(stop))
            return
        if isinstance(effect, SendInvoke):
            self._link.publish("control/manager/invoke", encode(invoke_message(effect)))
            return
        message = start_message(effect)
        module = effect.spec.module
        if module is not None:
            if self._link.fits(module.size_bytes * 4 // 3):
                message = start_message(effect, await self._module(module.digest))
            if not message.file or not self._link.fits(len(encode(message))):
                message = start_message(effect)
                message.image_url = _REPOSITORY + module.digest
        size_bytes = len(encode(message))
        if self._link.fits(size_bytes):
            self._turns.start(message)
        else:
            self._refuse(effect.proplet_id, effect.spec.id, effect.attempt, size_bytes)

    def _send_start(self, start: Start) -> None:
        self._link.publish("control/manager/start", encode(start))

    def _refuse(self, proplet_id: str, task_id: str, attempt: int, size_bytes: int) -> None:
        """Fail a task whose start no broker here would carry."""
        self._manager.tell(
            RunEnded(
                proplet_id=proplet_id,
                task_id=task_id,
                attempt=attempt,
                error=f"the task's start message has {size_bytes:,} bytes, and the limit on the way to its "
                f"proplet is {self._settings.max_packet_bytes:,}; make its inputs, env or the results of "
                "its parents smaller, or raise the packet limits of manager, broker and proplet",
            )
        )

    async def _module(self, digest: str) -> bytes:
        return (await self._manager.store.modules([digest])).get(digest, b"")

    # -- from proplets -------------------------------------------------------------------------------------

    def _received(self, topic: str, payload: bytes) -> None:
        try:
            message = decode(topic, payload)
        except ValueError as error:
            self._ignore(f"{topic}: can't be read", str(error))
            return
        if not self._link.fits(len(payload)):
            self._ignore(f"{topic}: too large", f"{len(payload):,} bytes")
            if not isinstance(message, Results):
                return
            # Ignored altogether, it would be sent for ever, and the task never end.
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
        if isinstance(message, Metrics | TaskMetrics):
            self._manager.samples.take(message)
            return
        if isinstance(message, InvokeResults):
            self._manager.invocations.took(message)
            return
        if isinstance(message, Logs):
            self._manager.logs.take(message)
            return
        if isinstance(message, Alive):
            self._manager.invocations.heard(message)
        fact = fact_of(message, is_local=False)
        if fact is not None:
            self._manager.tell(fact)

    def _is_foreign(self, proplet_id: str) -> bool:
        proplet = self._manager.proplet(proplet_id)
        return proplet is not None and not proplet.is_ours

    def _ignore(self, kind: str, detail: str) -> None:
        self.oddities[kind] += 1
        if self.oddities[kind] == 1:
            _log.warning("a message is ignored, and more of its kind are only counted: %s: %s", kind, detail)

    def _answer(self, topic: str, request: ModuleRequest) -> None:
        if topic == MODULE_TOPIC:
            answering = asyncio.create_task(self._send_pieces(request))
        elif request.app_name.startswith(_REPOSITORY):
            answering = asyncio.create_task(self._send_shared(request.app_name))
        else:
            return  # an image: the proxy answers
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def _send_pieces(self, request: ModuleRequest) -> None:
        if not isinstance(request.proplet_id, str):
            self._ignore(f"{MODULE_TOPIC}: can't be answered", "it does not say who asks")
            return
        try:
            for chunk in await pieces(self._manager.store, request):
                self._link.publish(own_topic(request.proplet_id, topic_of(chunk)), encode(chunk))
        except StoreUnusable as error:
            _log.error("module %s can't be read: %s", request.app_name, error)

    async def _send_shared(self, name: str) -> None:
        """Send a module in the contract's way: all chunks, where every proplet hears them."""
        digest = name.removeprefix(_REPOSITORY)
        try:
            data = await self._module(digest)
        except StoreUnusable as error:
            _log.error("module %s can't be read: %s", name, error)
            return
        for chunk in module_chunks(Module(digest, len(data)), data):
            chunk.app_name = name
            self._link.publish("registry/server", encode(chunk))
            await self._link.drained()
