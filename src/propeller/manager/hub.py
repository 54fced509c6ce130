"""The local fleet: proplets that are children of this process, each at the end of a socket pair."""

import asyncio
import logging
import socket
from typing import cast

from propeller.core.effects import Effect
from propeller.core.events import PropletLost
from propeller.core.model import Module
from propeller.manager.service import Manager
from propeller.wire.facts import fact_of
from propeller.wire.messages import (
    Create,
    LineSplitter,
    Message,
    ModuleChunk,
    ModuleRequest,
    from_line,
    message_of,
    module_chunks,
    to_line,
)

_log = logging.getLogger(__name__)


class LocalFleet:
    """Carries effects to the local proplets, and their messages to the manager as facts."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._connections: dict[str, _Connection] = {}
        manager.fleet = self

    async def attach(self, end: socket.socket) -> None:
        """Take over this end of a socket pair; the proplet at the other end says who it is."""
        await asyncio.get_running_loop().create_unix_connection(lambda: _Connection(self), sock=end)

    def send(self, effects: list[Effect]) -> None:
        """Send all that goes to the same proplet in one write; what has no way is repeated later."""
        lines: dict[str, list[bytes]] = {}
        for effect in effects:
            if effect.proplet_id in self._connections:
                lines.setdefault(effect.proplet_id, []).append(to_line(message_of(effect)))
        for proplet_id, batch in lines.items():
            self._connections[proplet_id].write(b"".join(batch))

    def received(self, connection: "_Connection", message: Message) -> None:
        if isinstance(message, Create):
            connection.proplet_id, connection.boot = message.proplet_id, message.boot
            self._connections[message.proplet_id] = connection
        if isinstance(message, ModuleRequest):
            connection.send_module(self._manager, message.app_name)
            return
        fact = fact_of(message, is_local=True)
        if fact is not None:
            self._manager.tell(fact)

    def lost(self, connection: "_Connection") -> None:
        if self._connections.get(connection.proplet_id) is connection:
            del self._connections[connection.proplet_id]
            reason = f"the process of proplet {connection.proplet_id} ended"
            self._manager.tell(PropletLost(connection.proplet_id, reason, connection.boot))


class _Connection(asyncio.Protocol):
    proplet_id = ""
    boot = ""

    def __init__(self, fleet: LocalFleet) -> None:
        self._fleet = fleet
        self._lines = LineSplitter()
        self._sending: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's own does not inherit from it

    def data_received(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            try:
                message = from_line(line)
            except ValueError as error:
                _log.warning("proplet %s sent what can't be read: %s", self.proplet_id, error)
                continue
            self._fleet.received(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        for sending in self._sending:
            sending.cancel()
        self._fleet.lost(self)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def send_module(self, manager: Manager, name: str) -> None:
        sending = asyncio.create_task(self._send_module(manager, name))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _send_module(self, manager: Manager, name: str) -> None:
        digest = name.removeprefix("sha256:")
        data = (await manager.store.modules([digest])).get(digest)
        if data is None:
            self.write(to_line(ModuleChunk(app_name=name, chunk_idx=0, total_chunks=0, data="")))
            return
        for chunk in module_chunks(Module(digest, len(data)), data):
            self.write(to_line(chunk))
