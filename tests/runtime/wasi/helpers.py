"""Components that have to do with HTTP: served, or sending requests."""

import contextlib
import functools
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import wasmtime
from wasmtime import component

from propeller.core.sandbox import Grants
from propeller.runtime.address import ALL, Address
from propeller.runtime.component.interface import ComponentInterface
from propeller.runtime.component.reader import interface_in
from propeller.runtime.component.types import component_interface
from propeller.runtime.runner.cache import Cache, new_engine
from propeller.runtime.wasi.incoming import Handler
from propeller.runtime.wasi.io import InputStream
from propeller.runtime.wasi.linking import linker_for
from propeller.runtime.wasi.messages import IncomingRequest
from propeller.runtime.wasi.server import HttpServer, listening, ticks
from propeller.runtime.wasi.session import Session
from tests.guests.helpers import guest, shared
from tests.runtime.helpers import put

DEADLINE_S = 60
_STACK_BYTES = 1 << 20


@functools.cache
def engine() -> wasmtime.Engine:
    return new_engine(stack_bytes=_STACK_BYTES)


@functools.cache
def loaded(name: str) -> tuple[component.Component, ComponentInterface, component.Linker]:
    """Compile a guest, once on this machine, and link it, once in this process."""
    digest = put(shared(), guest(name))
    cache = Cache(shared(), stack_bytes=_STACK_BYTES)
    cache.load(digest)
    ready = component.Component.deserialize_file(engine(), str(cache._compiled / digest))
    interface = component_interface(ready, engine())
    return ready, interface, linker_for(engine(), ready, interface)


def from_text(text: str) -> tuple[component.Component, ComponentInterface, component.Linker]:
    """Compile a component in the text format, whose interface is the same without the engine, and link it."""
    wasm = bytes(wasmtime.wat2wasm(text))
    ready = component.Component(engine(), wasm)
    interface = component_interface(ready, engine())
    assert interface_in(wasm) == interface
    return ready, interface, linker_for(engine(), ready, interface)


def new_store(seconds: float = DEADLINE_S) -> wasmtime.Store:
    store = wasmtime.Store(engine())
    store.set_limits(256 << 20, 100_000, 100, 100, 100)
    store.set_epoch_deadline(ticks(seconds))
    return store


def handler(name: str = "http_server", seconds: float = DEADLINE_S) -> Handler:
    return Handler(*loaded(name), lambda: new_store(seconds))


class Answer:
    """A responder that keeps what it is given."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, bytes]] = []
        self.chunks: list[bytes] = []
        self.is_complete = False
        self.on_write: Callable[[bytes], None] = lambda _: None

    def start(self, status: int, headers: list[tuple[str, bytes]]) -> "Answer":
        self.status, self.headers = status, headers
        return self

    def write(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.on_write(chunk)

    def close(self) -> None:
        self.is_complete = True

    def abort(self) -> None:
        self.is_complete = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


def request(
    session: Session,
    target: str,
    body: bytes | None = b"",
    *,
    method: str = "GET",
    headers: tuple[tuple[str, bytes], ...] = (),
) -> IncomingRequest:
    """Make a request; one whose body is None is still to get it."""
    stream = InputStream(session)
    if body is not None:
        stream.put(body)
        stream.close()
    return IncomingRequest(
        method=method, target=target, scheme="http", authority="x.test", headers=list(headers), stream=stream
    )


def ask(target: str, body: bytes = b"", *, session: Session | None = None, **more: Any) -> Answer:
    """Have a fresh guest answer one request, in this thread."""
    session = session or Session(deadline=time.monotonic() + DEADLINE_S)
    answer = Answer()
    handler().handle(session, request(session, target, body, **more), answer)
    return answer


class Served:
    """A server in a thread of this process."""

    def __init__(self, server: HttpServer, port: int) -> None:
        self.server = server
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self.printed: list[bytes] = []

    def get(self, target: str, method: str = "GET", body: Any = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            connection.request(method, target, body)
            response = connection.getresponse()
            return response.status, response.read()


@contextlib.contextmanager
def serving(
    name: str = "http_server",
    *,
    request_s: float = DEADLINE_S,
    env: dict[str, str] | None = None,
    **more: Any,
) -> Iterator[Served]:
    """Serve a guest until the block ends."""
    end = listening(Address(ALL, 0))
    printed: list[bytes] = []
    server = HttpServer(
        handler(name, request_s),
        engine(),
        env=env or {},
        grants=Grants(listen=True),
        on_stdout=printed.append,
        on_stderr=printed.append,
        request_s=request_s,
        **more,
    )
    up = threading.Event()
    thread = threading.Thread(target=server.run, args=(end, up.set))
    thread.start()
    try:
        assert up.wait(DEADLINE_S)
        served = Served(server, end.getsockname()[1])
        served.printed = printed
        yield served
    finally:
        server.stop()
        thread.join(DEADLINE_S)
        end.close()
        assert not thread.is_alive()
