"""The API before a real manager and a real store; only the proplet is played."""

import asyncio
import base64
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from propeller.api.app import create_app
from propeller.api.authentication import Authentication
from propeller.core.effects import Effect, SendStart
from propeller.core.events import PropletSeen, RunEnded
from propeller.core.failures import ErrorKind, Failure
from propeller.core.policy import Policy
from propeller.core.states import TaskState
from propeller.manager.clock import Clock
from propeller.manager.service import Manager
from propeller.store.sqlite.store import SqliteStore

DEADLINE_S = 60
ADDITION = base64.b64decode("AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoJAQcAIAAgAWoL")
ADDITION_TEXT = base64.b64encode(ADDITION).decode()
METADATA = {
    "os": "linux",
    "tags": ["edge"],
    "total_memory_bytes": 1024,
    "hostname": "",
    "unknown": 1,
    "ip": 5,
}


class Site:
    """A manager, its API, and one proplet that adds numbers."""

    def __init__(self, manager: Manager, http: httpx.AsyncClient) -> None:
        self.manager = manager
        self.http = http
        #: While set, starts are kept and not answered.
        self.is_slow = False
        self.started: list[SendStart] = []
        manager.connect(self)

    def send(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendStart):
                self.started.append(effect)
                if not self.is_slow:
                    self.end(effect)

    async def started_one(self, task_id: str) -> SendStart:
        """Wait until the start of a task is kept, and give the last one."""
        async with asyncio.timeout(DEADLINE_S):
            while not (found := [start for start in self.started if start.spec.id == task_id]):
                await self.turned()
        self.started = [start for start in self.started if start.spec.id != task_id]
        return found[-1]

    def end(
        self,
        start: SendStart,
        results: Any = None,
        error: str = "",
        kind: ErrorKind = ErrorKind.OTHER,
        exit_code: int = 0,
    ) -> None:
        numbers = [value for value in start.inputs if not isinstance(value, str)]
        self.manager.tell(
            RunEnded(
                proplet_id=start.proplet_id,
                task_id=start.spec.id,
                attempt=start.attempt,
                results=f"{sum(numbers)}\n" if results is None else results,
                failure=Failure(error, kind, exit_code) if error else None,
            )
        )

    def bring_proplet(self, proplet_id: str = "p-9", *, is_local: bool = False) -> None:
        seen = PropletSeen(proplet_id=proplet_id, boot=1, slots=2, metadata=METADATA, is_local=is_local)
        self.manager.tell(seen)

    async def turned(self) -> None:
        """Wait until the manager has taken in all that it was told."""
        await self.refused("POST", "/tasks/none/start", 404)

    async def reached(self, state: TaskState, *task_ids: str) -> None:
        """Wait until each of these tasks was in a state once."""
        waiting = set(task_ids)
        async with asyncio.timeout(DEADLINE_S):
            async for item in self.manager.feed.follow(0):
                if item[1].state is state:
                    waiting.discard(item[1].task_id)
                if not waiting:
                    return

    async def get(self, path: str, status: int = 200) -> Any:
        return body_of(await self.http.get(path), status)

    async def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        sent = {} if body is None else {"json": body}
        return body_of(await self.http.post(path, **sent), status)

    async def put(self, path: str, body: Any, status: int = 200) -> Any:
        return body_of(await self.http.put(path, json=body), status)

    async def delete(self, path: str, status: int = 204) -> Any:
        return body_of(await self.http.delete(path), status)

    async def upload(
        self, task_id: str, module: bytes = ADDITION, name: str = "a.wasm", status: int = 200
    ) -> Any:
        files = {"file": (name, module, "application/wasm")}
        return body_of(await self.http.put(f"/tasks/{task_id}/upload", files=files), status)

    async def refused(self, method: str, path: str, status: int, **sent: Any) -> str:
        """Give the message of an error, whose shape is the same for all."""
        body = body_of(await self.http.request(method, path, **sent), status)
        assert list(body) == ["error"]
        assert isinstance(body["error"], str)
        return body["error"]


def body_of(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, response.text
    if status == 204:
        assert response.content == b""
        return None
    assert response.headers["content-type"] == "application/json"
    assert response.content.endswith(b"\n")
    return json.loads(response.content)


@contextlib.asynccontextmanager
async def a_manager(
    directory: Path, clock: Clock | None = None, policy: Policy | None = None
) -> AsyncIterator[Manager]:
    """Wire a manager as the program does, without local proplets."""
    store = SqliteStore(directory, durability="normal")
    try:
        manager = Manager(store, policy=policy or Policy(), clock=clock)
        await manager.load()
        await manager.start()
        yield manager
        manager.feed.close()
        await manager.stop()
    finally:
        await store.close()


def play(
    part: Callable[[Site], Awaitable[None]],
    directory: Path,
    *,
    errors_expected: int = 0,
    clock: Clock | None = None,
    policy: Policy | None = None,
) -> list[str]:
    """Run one coroutine against the API; give what was logged as an error, which none may be."""
    errors = Errors()

    async def scene() -> None:
        async with a_manager(directory, clock, policy) as manager:
            app = create_app(manager, instance_id="i-1")
            transport = httpx.ASGITransport(app=Authentication(app))
            async with httpx.AsyncClient(transport=transport, base_url="http://manager") as http:
                await part(Site(manager, http))

    with errors:
        asyncio.run(scene())
    assert len(errors.records) == errors_expected, errors.records
    return errors.records


@contextlib.asynccontextmanager
async def serving(
    manager: Manager, wrapped: Callable[[Any], Any] = lambda app: app
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve over a real socket, which is what streams need."""
    async with serving_app(wrapped(create_app(manager, instance_id="i-1"))) as http:
        yield http


@contextlib.asynccontextmanager
async def serving_app(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an application over a real socket, to everybody."""
    async with bound_server(Authentication(app)) as http:
        yield http


@contextlib.asynccontextmanager
async def bound_server(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an application that knows its callers over a real socket."""
    # With the protocol named, asyncio sends small writes at once.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=base_url, timeout=DEADLINE_S) as http:
            yield http
    finally:
        server.should_exit = True
        await running


class Server(uvicorn.Server):
    """Leaves the signals to the test runner."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield


class Errors(logging.Handler):
    """Collects what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))

    def __enter__(self) -> None:
        logging.getLogger().addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


def ids(items: Sequence[dict[str, Any]], key: str = "id") -> list[str]:
    return [item[key] for item in items]
