"""A proxy before PostgreSQL that cuts the connection at the very moment of a commit."""

import asyncio
import contextlib
import struct
import threading
from collections.abc import Iterator

#: What the fence of the engine's commit says (``store/postgres/commits.py``); alone it is a commit by itself.
_FENCE = b"commits = commits + 1"


class Proxy:
    """Hands everything on, but for commits that it is told to cut; it listens on a port of its own."""

    def __init__(self, host: str, port: int) -> None:
        """Prepare one before the server that listens there, which speaks without TLS."""
        self._target = (host, port)
        self._to_cut: list[str] = []
        #: How many commits were cut.
        self.cuts = 0
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self, *whens: str) -> None:
        """Cut one of the next commits for each word, in their order.

        ``before`` the server hears of it, or ``after`` it has carried it out and before the client hears of that.
        """
        self._to_cut += whens

    def lead_to(self, host: str, port: int) -> None:
        """Lead to another server from now on; connections that there are stay as they are."""
        self._target = (host, port)

    def cut_all(self) -> None:
        """Cut all connections that there are."""
        self._loop.call_soon_threadsafe(self._abort_all)

    def _abort_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    # -- running -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self) -> Iterator["Proxy"]:
        begun = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(begun)), daemon=True)
        thread.start()
        assert begun.wait(10)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(10)

    async def _serve(self, begun: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.host, self.port = server.sockets[0].getsockname()[:2]
        begun.set()
        await self._stop.wait()
        server.close()
        self._abort_all()
        await asyncio.sleep(0)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, there[1]}
        talk = _Talk(self, (reader, writer), there)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await talk.run()
        for one in (writer, there[1]):
            one.transport.abort()
            self._writers.discard(one)

    def next_cut(self) -> str:
        return self._to_cut.pop(0) if self._to_cut else ""


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Talk:
    """One connection: the messages of a client are looked at, and those of the server handed on."""

    def __init__(self, proxy: Proxy, client: Ends, server: Ends) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        #: Prepared statements that are the engine's commits.
        self._fences: set[bytes] = set()
        self._is_in_transaction = False
        self._answer: asyncio.Future[None] | None = None

    async def run(self) -> None:
        answers = asyncio.create_task(self._hand_back())
        asked = asyncio.create_task(self._hand_on())
        done, others = await asyncio.wait({answers, asked}, return_when=asyncio.FIRST_COMPLETED)
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for one in done:
            one.result()

    async def _hand_on(self) -> None:
        reader, _ = self._client
        (size,) = struct.unpack("!I", head := await reader.readexactly(4))
        self._server[1].write(head + await reader.readexactly(size - 4))
        is_cut_after = False
        while True:
            kind = await reader.readexactly(1)
            (size,) = struct.unpack("!I", head := await reader.readexactly(4))
            body = await reader.readexactly(size - 4)
            if self._is_commit(kind, body):
                cut = self._proxy.next_cut()
                if cut == "before":
                    self._proxy.cuts += 1
                    return
                is_cut_after = cut == "after"
            if is_cut_after and kind in b"QS":
                self._answer = asyncio.get_running_loop().create_future()
            self._server[1].write(kind + head + body)
            if self._answer is not None:
                await self._answer
                self._proxy.cuts += 1
                return

    def _is_commit(self, kind: bytes, body: bytes) -> bool:
        if kind == b"Q":
            if body.startswith(b"BEGIN"):
                self._is_in_transaction = True
            is_end = body.startswith((b"COMMIT", b"ROLLBACK"))
            self._is_in_transaction &= not is_end
            return body.startswith(b"COMMIT")
        if kind == b"P":
            name, sql, _ = body.split(b"\0", 2)
            if _FENCE in sql:
                self._fences.add(name)
        elif kind == b"B":
            return not self._is_in_transaction and body.split(b"\0", 2)[1] in self._fences
        return False

    async def _hand_back(self) -> None:
        reader, _ = self._server
        while True:
            kind = await reader.readexactly(1)
            (size,) = struct.unpack("!I", head := await reader.readexactly(4))
            body = await reader.readexactly(size - 4)
            if self._answer is None:
                self._client[1].write(kind + head + body)
            elif kind == b"Z":  # the server has done it
                self._answer.set_result(None)
                return
