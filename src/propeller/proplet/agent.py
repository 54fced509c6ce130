"""The program around the machine: a socket to the manager, a pool of guests, modules on disk."""

import asyncio
import base64
import hashlib
import logging
import os
import platform
import signal
import socket
import time
import uuid
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import propeller
from propeller.proplet.machine import Action, Fetch, Kill, Machine, Outcome, Run, SendUp
from propeller.runtime.run import Ended
from propeller.runtime.run import Run as GuestRun
from propeller.wire.messages import (
    Alive,
    LineSplitter,
    Message,
    ModuleChunk,
    ModuleRequest,
    from_line,
    to_line,
)

_log = logging.getLogger(__name__)

HEARTBEAT_S = 10.0
_TICK_S = 1.0
#: Runs that have waited this long, while none ended, are given back.
_WAIT_S_MAX = 0.25
_LEAVE_S_MAX = 3.0
#: A module of which nothing came for so long is asked for again.
_ASK_AGAIN_S = 5.0


class _Chunks(NamedTuple):
    total: int
    pieces: dict[int, bytes]


class Guests(Protocol):
    """What runs guests; ``runtime.pool.Pool`` in all real proplets."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def submit(self, runs: list[GuestRun]) -> None: ...

    def stop(self, key: int) -> None: ...

    def withdraw(self, older_than_s: float) -> list[int]: ...

    @property
    def waiting(self) -> int: ...


class Agent(asyncio.Protocol):
    """Carries messages to the machine and its actions out, until the manager's end is closed."""

    guests: Guests

    def __init__(self, proplet_id: str, *, slots: int, directory: Path) -> None:
        self._machine = Machine(proplet_id, boot=uuid.uuid4().hex, slots=slots)
        self._modules = directory / "modules"
        self._modules.mkdir(parents=True, exist_ok=True)
        self._lines = LineSplitter()
        self._chunks: dict[str, _Chunks] = {}
        #: When a module was asked for, or a part of it came.
        self._asked_at: dict[str, float] = {}
        self._last_end = 0.0
        self._is_watching = False
        self._is_leaving = False
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, end: socket.socket) -> None:
        """Serve one manager over this socket; returns when either side has gone."""
        loop = asyncio.get_running_loop()
        await self.guests.start()
        await loop.create_unix_connection(lambda: self, sock=end)
        ticking = asyncio.create_task(self._tick())
        await self._over
        ticking.cancel()
        await self.guests.close()

    # -- the socket ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's own does not inherit from it
        # Before the first word: whoever has heard it may ask this process to leave.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._leave)
        self._transport.write(to_line(self._machine.hello(describe_host())))

    def data_received(self, data: bytes) -> None:
        now = time.time_ns()
        actions: list[Action] = []
        for line in self._lines.feed(data):
            try:
                message = from_line(line)
            except ValueError as error:
                _log.warning("the manager sent what can't be read: %s", error)
                continue
            if isinstance(message, ModuleChunk):
                actions += self._take_chunk(message, now)
            else:
                actions += self._machine.receive(message, now)
        self._carry_out(actions)
        self._end_if_done()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    # -- actions -------------------------------------------------------------------------------------------

    def _carry_out(self, actions: list[Action]) -> None:
        """Carry out in order; runs and messages go out in one batch each."""
        runs: list[GuestRun] = []
        lines: list[bytes] = []
        pending = actions
        while pending:
            actions, pending = pending, []
            for action in actions:
                match action:
                    case Run():
                        runs.append(_guest_run(action))
                    case SendUp(message):
                        lines.append(to_line(message))
                    case Kill(key):
                        runs = [run for run in runs if run.key != key]
                        self.guests.stop(key)
                    case Fetch(digest):
                        if not self._may_ask(digest):
                            continue
                        if self._has_module(digest):
                            self._forget_chunks(digest)
                            pending += self._machine.module_arrived(digest)
                        else:
                            lines.append(to_line(ModuleRequest(app_name=f"sha256:{digest}")))
        if lines:
            self._transport.write(b"".join(lines))
        if runs:
            self.guests.submit(runs)
            self._watch_queue()

    def guests_ended(self, batch: list[Ended]) -> None:
        """Report the ends of guests; given to the pool as its ``on_ended``."""
        now = time.time_ns()
        self._last_end = time.monotonic()
        actions: list[Action] = []
        for ended in batch:
            outcome = Outcome(
                key=ended.key,
                results=ended.results,
                error=ended.error,
                started_at=ended.started_ns,
                finished_at=ended.finished_ns,
            )
            actions += self._machine.ended(outcome, now)
        self._carry_out(actions)

    def _take_chunk(self, chunk: ModuleChunk, now: int) -> list[Action]:
        digest = chunk.app_name.removeprefix("sha256:")
        if chunk.total_chunks == 0:
            return self._do_without(digest, f"the manager has no module {chunk.app_name}", now)
        self._asked_at[digest] = time.monotonic()
        try:
            data = self._assembled(digest, chunk)
        except ValueError:
            return self._do_without(digest, f"module {chunk.app_name} arrived damaged", now)
        if data is None:
            return []
        try:
            partial = self._modules / f".{digest}.{os.getpid()}"
            partial.write_bytes(data)
            partial.rename(self._modules / digest)
        except OSError as error:
            why = f"the proplet can't keep the module in {self._modules}: {error.strerror}"
            return self._do_without(digest, why, now)
        self._forget_chunks(digest)
        return self._machine.module_arrived(digest)

    def _assembled(self, digest: str, chunk: ModuleChunk) -> bytes | None:
        """Put a chunk to the others; give the module once it is whole, or raise ``ValueError``."""
        chunks = self._chunks.setdefault(digest, _Chunks(chunk.total_chunks, {}))
        if chunk.total_chunks != chunks.total or not 0 <= chunk.chunk_idx < chunks.total:
            raise ValueError("not a chunk of this module")
        chunks.pieces[chunk.chunk_idx] = base64.b64decode(chunk.data, validate=True)
        if len(chunks.pieces) < chunks.total:
            return None
        data = b"".join(chunks.pieces[index] for index in range(chunks.total))
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError("another module")
        return data

    def _do_without(self, digest: str, why: str, now: int) -> list[Action]:
        self._forget_chunks(digest)
        return self._machine.module_missing(digest, why, now)

    def _forget_chunks(self, digest: str) -> None:
        self._chunks.pop(digest, None)
        self._asked_at.pop(digest, None)

    def _has_module(self, digest: str) -> bool:
        """Look for it on disk; a power cut may have left a part of it."""
        try:
            return hashlib.sha256((self._modules / digest).read_bytes()).hexdigest() == digest
        except (OSError, ValueError):
            return False

    def _may_ask(self, digest: str) -> bool:
        """Say whether to ask for a module now: it is not on its way already."""
        now = time.monotonic()
        if now - self._asked_at.get(digest, -_ASK_AGAIN_S) < _ASK_AGAIN_S:
            return False
        self._asked_at[digest] = now
        return True

    # -- time ----------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        last_beat = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_S)
            self._carry_out(self._machine.time_passed(time.time_ns()))
            self._watch_queue()  # the pool may have taken runs back that it had handed out
            if time.monotonic() - last_beat >= HEARTBEAT_S:
                last_beat = time.monotonic()
                self._transport.write(to_line(self._machine.alive()))

    def _watch_queue(self) -> None:
        """While runs wait and none ends, give back those that have waited long."""
        if not self._is_watching and self.guests.waiting:
            self._is_watching = True
            asyncio.get_running_loop().call_later(_WAIT_S_MAX, self._check_queue)

    def _check_queue(self) -> None:
        self._is_watching = False
        if time.monotonic() - self._last_end >= _WAIT_S_MAX:
            keys = self.guests.withdraw(_WAIT_S_MAX)
            reason = "the proplet is busy with longer tasks"
            self._carry_out(self._machine.withdrawn(keys, reason, time.time_ns()))
        self._watch_queue()

    def _leave(self) -> None:
        """Give back all work, say good-bye, and go once the manager has taken it in."""
        if self._transport.is_closing():
            return
        self._carry_out(self._machine.leave(time.time_ns()))
        goodbye: Message = Alive(proplet_id=self._machine.id, boot=self._machine.boot, status="offline")
        self._transport.write(to_line(goodbye))
        self._is_leaving = True
        asyncio.get_running_loop().call_later(_LEAVE_S_MAX, self._end)
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._is_leaving and self._machine.owes_nothing:
            self._end()

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)


def _guest_run(action: Run) -> GuestRun:
    start = action.start
    env = start.env if isinstance(start.env, dict) else {}
    if isinstance(start.proplet_id, str):
        env = {"PROPLET_ID": start.proplet_id, **env}
    return GuestRun(
        key=action.key,
        digest=str(start.module).removeprefix("sha256:"),
        export=start.name,
        inputs=start.inputs if isinstance(start.inputs, list) else [],
        cli_args=list(start.cli_args or ()),
        env=env,
    )


def describe_host() -> dict[str, object]:
    """Describe this machine as the contract's discovery message does (``mqtt``, section 4.1)."""
    return {
        "environment": "docker" if Path("/.dockerenv").exists() else "binary",
        "os": platform.system().lower(),
        "hostname": platform.node(),
        "cpu_arch": platform.machine(),
        "total_memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "proplet_version": propeller.__version__,
        "wasm_runtime": "wasmtime-internal",
    }
