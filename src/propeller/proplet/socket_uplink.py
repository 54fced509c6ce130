"""The uplink of a local proplet: one end of a socket pair, and lines of JSON."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import cast

from propeller.proplet.uplink import UplinkListener
from propeller.wire.fleet.codec import LineSplitter, from_line, to_line
from propeller.wire.fleet.messages import Message

_log = logging.getLogger(__name__)

#: A line may be as long as it likes; nothing here needs to be cut.
_ROOM_BYTES = 2**40


class SocketUplink(asyncio.Protocol):
    """The proplet ends with the connection: its manager started it."""

    def __init__(self, listener: UplinkListener, end: socket.socket) -> None:
        self._listener = listener
        self._end = end
        self._lines = LineSplitter()
        self._transport: asyncio.WriteTransport | None = None

    async def start(self) -> None:
        if self._transport is None:
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=self._end)

    async def stop(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's own does not inherit from it
        self._listener.connected()

    def data_received(self, data: bytes) -> None:
        messages: list[Message] = []
        for line in self._lines.feed(data):
            try:
                messages.append(from_line(line))
            except ValueError as error:
                _log.warning("the manager sent what can't be read: %s", error)
        self._listener.receive(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.over()

    @property
    def is_up(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, messages: Sequence[Message]) -> None:
        if messages and self._transport is not None:
            self._transport.write(b"".join(map(to_line, messages)))

    def obstacle(self, message: Message) -> str:
        return ""

    @property
    def room_bytes(self) -> int:
        return _ROOM_BYTES
