"""Joins many writes of the client into one: a system call for each message costs more than the message."""

import asyncio
from typing import Any


class CorkedTransport:
    """A transport that hands over to another, all at once, what was written in one turn of the loop."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._written: list[bytes | bytearray] = []

    def write(self, data: bytes | bytearray) -> None:
        if not self._written:
            self._loop.call_soon(self._hand_over)
        self._written.append(data)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        """Close after the rest is handed over, which has the good-bye in it."""
        self._hand_over()
        self._transport.close()

    def _hand_over(self) -> None:
        written, self._written = self._written, []
        if written and not self._transport.is_closing():
            self._transport.write(b"".join(written))


def cork(client: Any) -> None:
    """Let a connected client of gmqtt write through a cork; it has no interface for that."""
    connection = client._connection  # noqa: SLF001
    corked = CorkedTransport(connection._transport)  # noqa: SLF001
    connection._transport = connection._protocol._transport = corked  # noqa: SLF001
