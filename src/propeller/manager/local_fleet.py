"""The local fleet: proplets that are children of this process, each at the end of a socket pair."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import cast

from propeller.core.effects import Outgoing
from propeller.core.events import PropletLost
from propeller.errors import StoreUnusable, Unavailable
from propeller.manager.dispatch import dispatch
from propeller.manager.modules import pieces
from propeller.manager.service import Fleet, Manager
from propeller.wire.fleet.codec import LineSplitter, from_line, to_line
from propeller.wire.fleet.from_proplet import Create
from propeller.wire.fleet.messages import Message
from propeller.wire.fleet.modules import CHUNK_BYTES, ModuleRequest
from propeller.wire.fleet.outgoing import messages_to_native

_log = logging.getLogger(__name__)


class LocalFleet:
    """Carries effects to the local proplets, and their messages to the manager.

    Effects for any other proplet go to the fleet ``beyond`` this machine, if there is one.
    """

    def __init__(self, manager: Manager, beyond: Fleet | None = None) -> None:
        self._manager = manager
        self._beyond = beyond
        self._connections: dict[str, _Connection] = {}

    async def attach(self, end: socket.socket) -> None:
        """Take over this end of a socket pair; the proplet at the other end says who it is."""
        await asyncio.get_running_loop().create_unix_connection(lambda: _Connection(self), sock=end)

    def send(self, effects: Sequence[Outgoing]) -> None:
        """Send all that goes to the same proplet in one write; effects for absent ones are repeated."""
        here = [effect for effect in effects if effect.proplet_id in self._connections]
        for proplet_id, batch in messages_to_native(here).items():
            self._connections[proplet_id].write(b"".join(map(to_line, batch)))
        if self._beyond is not None and len(here) < len(effects):
            self._beyond.send([effect for effect in effects if effect.proplet_id not in self._connections])

    def received(self, connection: "_Connection", message: Message) -> None:
        if isinstance(message, Create):
            connection.proplet_id, connection.boot = message.proplet_id, message.boot or 0
            self._connections[message.proplet_id] = connection
        if isinstance(message, ModuleRequest):
            connection.send_module(self._manager, message)
        else:
            dispatch(self._manager, message, is_local=True)

    def lost(self, connection: "_Connection") -> None:
        if self._connections.get(connection.proplet_id) is connection:
            del self._connections[connection.proplet_id]
            reason = f"the process of proplet {connection.proplet_id} ended"
            self._manager.tell(PropletLost(connection.proplet_id, reason, connection.boot))


class _Connection(asyncio.Protocol):
    proplet_id = ""
    boot = 0

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

    def send_module(self, manager: Manager, request: ModuleRequest) -> None:
        sending = asyncio.create_task(self._send_module(manager, request))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _send_module(self, manager: Manager, request: ModuleRequest) -> None:
        try:
            chunks = await pieces(manager.store, request, CHUNK_BYTES)
        except (StoreUnusable, Unavailable) as error:
            _log.error("module %s can't be read: %s", request.app_name, error)
            return
        self.write(b"".join(map(to_line, chunks)))
