"""A component as an HTTP server, in this process, until it is stopped.

The event loop receives requests and sends answers; guests run in threads, one for each request. Bodies are
streamed both ways with little of them in memory, so that a slow reader slows the writer down.
"""

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
import uvicorn
import wasmtime

from propeller.core.sandbox import Grants
from propeller.runtime import failures
from propeller.runtime.address import Address
from propeller.runtime.guest_run import Trust
from propeller.runtime.system.directories import Given
from propeller.runtime.wasi.fields import without_forbidden
from propeller.runtime.wasi.incoming import GuestFault, Handler
from propeller.runtime.wasi.io import InputStream
from propeller.runtime.wasi.messages import IncomingRequest, Sink
from propeller.runtime.wasi.session import Session

#: How many guests answer at once, and how many requests wait for them; the next one is answered with 503.
THREADS, WAITING_MAX = 32, 1024
#: How long requests in flight may take when the server is stopped.
GRACE_S = 5
#: The time of a request is counted in ticks of at least 10 ms; those of a long one are longer, so that all of
#: them can be run through at once.
_TICK_S, _TICKS_MAX = 0.01, 3000


class Traffic(msgspec.Struct):
    """Counts of a server's requests."""

    requests: int = 0
    errors: int = 0
    in_flight: int = 0


def _tick_s(request_s: float) -> float:
    return max(_TICK_S, request_s / _TICKS_MAX)


def ticks(request_s: float) -> int:
    """Give the deadline of a store for a request that may take so long, as epochs of its engine."""
    return int(request_s / _tick_s(request_s)) + 2


class Ticker:
    """Advances an engine's epoch at each tick while a guest has a deadline."""

    def __init__(self, engine: wasmtime.Engine, request_s: float) -> None:
        """Take the engine, and how long each request may take."""
        self._engine = engine
        self._request_s = request_s
        self._users = 0
        self._is_closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def __enter__(self) -> None:
        with self._changed:
            self._users += 1
            self._changed.notify()

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._users -= 1

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def run_out(self) -> None:
        """End all deadlines now."""
        for _ in range(ticks(self._request_s)):
            self._engine.increment_epoch()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._users > 0 or self._is_closed)
                if self._is_closed:
                    return
            time.sleep(_tick_s(self._request_s))
            self._engine.increment_epoch()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_up = on_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_up()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the pool decides when this process ends."""
        yield


class HttpServer:
    """Serves one component on one port."""

    def __init__(
        self,
        handler: Handler,
        engine: wasmtime.Engine,
        *,
        env: Mapping[str, str],
        grants: Grants,
        trust: Trust | None = None,
        dirs: Sequence[Given] = (),
        on_stdout: Callable[[bytes], None],
        on_stderr: Callable[[bytes], None],
        request_s: float,
        threads: int = THREADS,
        waiting_max: int = WAITING_MAX,
        grace_s: int = GRACE_S,
        on_traffic: Callable[[Traffic], None] = lambda _: None,
    ) -> None:
        """Take a component.

        Args:
            handler: The handler of the component.
            engine: The engine of its guests, used by this server alone.
            env: The guests' environment.
            grants: The guests' grants.
            trust: The certificates that they accept; None for those of the system.
            dirs: The guests' directories.
            on_stdout: Gets their standard output, in their threads.
            on_stderr: Gets their standard error, in their threads.
            request_s: How long each request may take; their stores' deadline is as many ``ticks``.
            threads: How many guests answer at the same time.
            waiting_max: How many requests wait for them; the next one is answered with 503.
            grace_s: How long requests in flight may take after a stop.
            on_traffic: Told after each request.

        """
        self.traffic = Traffic()
        self._handler = handler
        self._ticker = Ticker(engine, request_s)
        self._env = env
        self._grants = grants
        self._trust = trust
        self._dirs = dirs
        self._outputs = (on_stdout, on_stderr)
        self._request_s = request_s
        self._on_traffic = on_traffic
        self._grace_s = grace_s
        self._in_flight_max = threads + waiting_max
        self._threads = concurrent.futures.ThreadPoolExecutor(threads)
        self._is_stopped = False
        self._server: uvicorn.Server | None = None
        self._sessions: set[Session] = set()

    def run(self, end: socket.socket, on_up: Callable[[], None]) -> None:
        """Serve on a socket that listens, until ``stop``; ``on_up`` is called once the port answers."""
        config = uvicorn.Config(
            cast("Any", self._answer),
            interface="asgi3",
            proxy_headers=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            log_level="critical",  # failures are on the guest's standard error
            timeout_graceful_shutdown=self._grace_s,
        )
        self._server = _Server(config, on_up)
        self._server.should_exit = self._is_stopped
        try:
            asyncio.run(self._server.serve(sockets=[end]))
        finally:
            self._ticker.close()
            self._end_guests()

    def _end_guests(self) -> None:
        """End the guests that are left, which wait or compute."""
        for session in list(self._sessions):
            session.cancel()
        self._ticker.run_out()
        self._threads.shutdown(cancel_futures=True)

    def stop(self) -> None:
        """Take no more requests, give those in flight time to end, and return from ``run``."""
        self._is_stopped = True
        if self._server is not None:
            self._server.should_exit = True

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.traffic.requests += 1
        if self.traffic.in_flight >= self._in_flight_max:
            self.traffic.errors += 1
            await _say(send, 503, "too many requests wait; try again soon")
            return
        self.traffic.in_flight += 1
        try:
            await _Exchange(self, scope, receive, send).carry_out()
        finally:
            self.traffic.in_flight -= 1
            self._on_traffic(self.traffic)

    def call(self, session: Session, request: IncomingRequest, responder: "_Exchange") -> None:
        """Answer with a guest, in a thread of the pool."""
        with self._ticker:
            try:
                self._handler.handle(session, request, responder)
            except GuestFault as fault:
                if not responder.is_gone:
                    self.traffic.errors += 1
                    why = failures.of_request(self._request_s) if session.is_late else fault
                    self._outputs[1](f"{request.method} {request.target}: {why}\n".encode())
                raise

    def session(self) -> Session:
        session = Session(
            env=self._env,
            grants=self._grants,
            trust=self._trust,
            dirs=self._dirs,
            on_stdout=self._outputs[0],
            on_stderr=self._outputs[1],
            deadline=time.monotonic() + self._request_s,
        )
        self._sessions.add(session)
        return session

    def forget(self, session: Session) -> None:
        self._sessions.discard(session)

    @property
    def request_s(self) -> float:
        return self._request_s

    @property
    def threads(self) -> concurrent.futures.Executor:
        return self._threads


class _Exchange(Sink):
    """One request and its answer, between the event loop and the guest's thread."""

    def __init__(self, server: HttpServer, scope: Any, receive: Any, send: Any) -> None:
        self._server = server
        self._scope = scope
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._session = server.session()
        self._has_room = asyncio.Event()
        self._body = InputStream(self._session, self._tell_of_room)
        self._is_started = self._is_closed = self.is_gone = False

    async def carry_out(self) -> None:
        taking = asyncio.create_task(self._take_body())
        try:
            await self._loop.run_in_executor(
                self._server.threads, self._server.call, self._session, self._request(), self
            )
            if not self._is_closed:
                await self._end()
        except GuestFault as fault:
            if not self.is_gone:
                await self._fail(fault)
        finally:
            taking.cancel()
            self._session.cancel()
            self._server.forget(self._session)

    async def _fail(self, fault: GuestFault) -> None:
        if self._is_started:
            raise fault  # the connection breaks off, so that no client takes a part for the whole
        if self._session.is_late:
            await _say(
                self._send, 504, f"the guest took too long: {failures.of_request(self._server.request_s)}"
            )
        else:
            await _say(self._send, 500, "the guest failed")

    def _request(self) -> IncomingRequest:
        scope = self._scope
        headers = [(name.decode("latin-1"), value) for name, value in scope["headers"]]
        host = next((value.decode("latin-1") for name, value in headers if name == "host"), "localhost")
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        return IncomingRequest(
            method=scope["method"],
            target=target,
            scheme=scope["scheme"],
            authority=host,
            headers=without_forbidden(headers),
            stream=self._body,
        )

    async def _take_body(self) -> None:
        """Hand the body on as fast as the guest reads it; then wait for the client to go away."""
        is_more = True
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_gone = True
                if self._is_closed:  # the message comes after a complete answer too
                    return
                self._body.close("the client went away")
                self._session.cancel()
                return
            if not is_more:
                continue
            self._body.put(message.get("body", b""))
            is_more = message.get("more_body", False)
            if not is_more:
                self._body.close()
            while is_more and not self._body.has_room:
                self._has_room.clear()
                if not self._body.has_room:
                    await self._has_room.wait()

    # The guest's thread

    def _tell_of_room(self) -> None:
        self._loop.call_soon_threadsafe(self._has_room.set)

    def start(self, status: int, headers: list[tuple[str, bytes]]) -> Sink:
        self._is_started = True
        raw = [(name.lower().encode("latin-1"), value) for name, value in headers]
        self._say({"type": "http.response.start", "status": status, "headers": raw})
        return self

    def write(self, chunk: bytes) -> None:
        if chunk:
            self._say({"type": "http.response.body", "body": chunk, "more_body": True})

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._say({"type": "http.response.body", "body": b"", "more_body": False})

    def abort(self) -> None:
        """Do nothing: the client learns of it at the end of the guest's call."""

    async def _end(self) -> None:
        self._is_closed = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _say(self, message: dict[str, Any]) -> None:
        """Send a message, and wait until it is sent."""
        sending = asyncio.run_coroutine_threadsafe(self._send(message), self._loop)
        done = sending.add_done_callback
        done(lambda _: self._session.wake())
        try:
            self._session.wait(sending.done)
            sending.result()
        except Exception as error:
            sending.cancel()
            raise OSError("the client does not take the answer") from error


async def _say(send: Any, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode() + b"\n", "more_body": False})


def listening(address: Address, *, others: int = 0) -> socket.socket:
    """Listen on an address, or on one of the ``others`` ports after it.

    Raises:
        OSError: All are taken.

    """
    for number in range(address.port, address.port + others + 1):
        end = socket.socket(address.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # asyncio sends small answers at once where the protocol says TCP.
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            end.bind((address.bare_host, number))
            end.listen(128)
        except OSError:
            end.close()
            if number == address.port + others:
                raise
            continue
        return end
    raise AssertionError("the last one returns or raises")
