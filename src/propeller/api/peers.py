"""Connections to other managers: requests and answers pass in pieces, each at the pace of who takes it.

A general client for HTTP takes three times as long for a small request.

An answer may take as long as it takes. Where the other machine is silent, the connection is broken after
``keepalive.SILENCE_S``; where another leads, ``forwarding`` waits no more.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from propeller.keepalive import keep_alive

#: How much of an answer is held before it is taken.
_HELD_BYTES_MAX = 64 * 1024
_CONNECT_S = 1.0
#: Connections are kept for less time than servers keep them, which must not end one that is being used.
_IDLE_S = 15.0
_IDLE_MAX = 64

Headers = list[tuple[bytes, bytes]]


class Unreachable(ConnectionError):
    """There is no connection, so nothing was sent."""


class Broken(ConnectionError):
    """A connection ended before its answer did."""


class Head(NamedTuple):
    """The begin of an answer."""

    status: int
    headers: Headers


class Connection(asyncio.Protocol):
    """One connection, for one request after another."""

    def __init__(self) -> None:
        self.is_open = True
        self._can_write = True
        self._waiting: asyncio.Future[None] | None = None
        self._begin()

    def _begin(self) -> None:
        """Expect an answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._head: Head | None = None
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._is_whole = False
        #: True once nothing more of the request is to be sent.
        self._is_sent = False
        self._has_body = True
        self._keeps_alive = False

    async def ask(
        self, head: bytes, body: AsyncIterator[bytes], *, is_chunked: bool, has_body: bool = True
    ) -> Head:
        """Send a request, and give the begin of the answer, which may come before all is sent.

        Args:
            head: Line and headers, with the empty line.
            body: The body, in pieces.
            is_chunked: Whether the body has no length.
            has_body: False where the answer has none, whatever its headers say.

        Raises:
            Broken: The connection ended.

        """
        self._begin()
        self._has_body = has_body
        self._transport.write(head)
        async for piece in body:
            await self._until(lambda: self._can_write or self._head is not None)
            if self._head is not None:  # it is refused
                return self._head
            if not self.is_open:
                raise Broken
            self._transport.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked:
            self._transport.write(b"0\r\n\r\n")
        self._is_sent = True
        await self._until(lambda: self._head is not None)
        assert self._head is not None
        return self._head

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body of the answer as it comes; raise ``Broken`` if it ends too soon."""
        while True:
            await self._until(lambda: bool(self._pieces) or self._is_whole)
            if not self._pieces:
                return
            piece = b"".join(self._pieces)
            self._pieces.clear()
            if self._held_bytes > _HELD_BYTES_MAX:
                self._transport.resume_reading()
            self._held_bytes = 0
            yield piece

    @property
    def is_free(self) -> bool:
        """True if another request may be sent."""
        return self.is_open and self._is_sent and self._is_whole and self._has_body and self._keeps_alive

    def close(self) -> None:
        self._transport.abort()

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            if not self.is_open:
                raise Broken
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # -- what the loop says --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own does not inherit from it
        keep_alive(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._wake()

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self._wake()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()
        self._wake()

    # -- what the parser finds -----------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._head = Head(self._parser.get_status_code(), self._headers)
        self._is_whole = not self._has_body

    def on_body(self, body: bytes) -> None:
        was_little = self._held_bytes <= _HELD_BYTES_MAX
        self._pieces.append(body)
        self._held_bytes += len(body)
        if was_little and self._held_bytes > _HELD_BYTES_MAX:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        self._is_whole = True
        self._keeps_alive = self._parser.should_keep_alive()


class Connections:
    """Connections by address; those that are free are kept for a while."""

    def __init__(self, trust: Callable[[], ssl.SSLContext]) -> None:
        """Begin with none; ``trust`` gives the certificates that are believed at the moment."""
        self._trust = trust
        self._free: dict[str, list[tuple[Connection, float]]] = {}
        self._taken: set[Connection] = set()

    async def take(self, address: str) -> Connection:
        """Give a free connection to a URL, or a new one; raise ``Unreachable``."""
        loop = asyncio.get_running_loop()
        free = self._free.get(address, [])
        connection: Connection | None = None
        while free and connection is None:
            found, since = free.pop()
            if found.is_open and loop.time() - since < _IDLE_S:
                connection = found
            else:
                found.close()
        if connection is None:
            connection = await self._new(address)
        self._taken.add(connection)
        return connection

    async def _new(self, address: str) -> Connection:
        url = urlsplit(address)
        is_tls = url.scheme == "https"
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection,
                    url.hostname or "",
                    url.port or (443 if is_tls else 80),
                    ssl=self._trust() if is_tls else None,
                )
        except TimeoutError as error:
            raise Unreachable("it took too long") from error
        except (OSError, ValueError) as error:  # TLS errors are among them
            raise Unreachable(str(error)) from error
        return connection

    def give_back(self, address: str, connection: Connection) -> None:
        """Keep a connection that is free, and end any other."""
        self._taken.discard(connection)
        free = self._free.setdefault(address, [])
        if connection.is_free and len(free) < _IDLE_MAX:
            free.append((connection, asyncio.get_running_loop().time()))
        else:
            connection.close()

    def close(self) -> None:
        """End all connections."""
        for free in self._free.values():
            for connection, _ in free:
                connection.close()
        for connection in self._taken:
            connection.close()
        self._free.clear()
