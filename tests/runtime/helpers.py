"""Guests in the text format, and what runs them: here in this process, or in a pool."""

import asyncio
import contextlib
import functools
import os
import select
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import psutil
import wasmtime

from propeller.core.sandbox import Dir
from propeller.runtime.guest_run import Ended, GuestRun, Limits, Piece
from propeller.runtime.pool.pool import Pool
from propeller.runtime.runner.cache import Cache
from propeller.runtime.runner.guest import Workspace, execute
from propeller.runtime.runner.streams import Streams

DEADLINE_S = 120

ADD = """(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"""
LOOP = """(module (func (export "loop") (loop $l (br $l))))"""


def program(body: str, *, data: str = "", more: str = "") -> str:
    """A WASI command: ``$write`` (fd, address, length) writes, ``$exit`` (code) exits."""
    return f"""(module
      (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
      (memory (export "memory") 4)
      (data (i32.const 1024) "{data}")
      (func $write (param $fd i32) (param $at i32) (param $length i32) (result i32)
        (i32.store (i32.const 0) (local.get $at))
        (i32.store (i32.const 4) (local.get $length))
        (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
      {more}
      (func (export "_start") {body}))"""


#: Prints its arguments, then its environment, each with a NUL behind.
ARGUMENTS = program("""
    (drop (call $args_sizes (i32.const 16) (i32.const 20)))
    (drop (call $args (i32.const 4096) (i32.const 8192)))
    (drop (call $write (i32.const 1) (i32.const 8192) (i32.load (i32.const 20))))
    (drop (call $env_sizes (i32.const 16) (i32.const 20)))
    (drop (call $env (i32.const 4096) (i32.const 8192)))
    (drop (call $write (i32.const 1) (i32.const 8192) (i32.load (i32.const 20))))""")
#: Writes on and on, and does not care whether it may.
FLOOD = program("(loop $l (drop (call $write (i32.const 1) (i32.const 0) (i32.const 65536))) (br $l))")


def put(directory: Path, module: str | bytes) -> str:
    """Store a module as the pool's owner does; give its digest."""
    wasm = bytes(wasmtime.wat2wasm(module)) if isinstance(module, str) else module
    digest = sha256(wasm).hexdigest()
    (directory / "modules").mkdir(parents=True, exist_ok=True)
    path = directory / "modules" / digest
    if not path.exists():  # a runner may be reading it
        path.write_bytes(wasm)
    return digest


def granted(run: GuestRun, *allowed: Dir) -> GuestRun:
    """Let the owner allow these directories, or those that the run's grants name."""
    assert run.grants is not None
    return msgspec.structs.replace(run, allowed_dirs=allowed or run.grants.dirs)


class Here:
    """Runs guests in this process, one at a time."""

    def __init__(self, directory: Path, limits: Limits | None = None) -> None:
        self.directory = directory
        self.limits = limits or Limits()
        self.cache = Cache(directory, stack_bytes=self.limits.stack_bytes, is_metered=self.limits.fuel > 0)
        #: What guests printed that was not their result.
        self.pieces: list[Piece] = []
        self.workspace = Workspace(Streams(self.pieces.extend), directory / "workspace")

    def run(
        self,
        module: str,
        export: str,
        *inputs: str,
        cli_args: list[str] | None = None,
        env: dict[str, str] | None = None,
    ) -> Ended:
        run = GuestRun(1, put(self.directory, module), export, list(inputs), cli_args or [], env or {})
        return self.execute(run)

    def execute(self, run: GuestRun) -> Ended:
        program_ = self.cache.load(run.digest)
        with self._drained():
            ended = execute(self.cache, program_, run, self.limits, self.workspace)
        assert ended.key == 1
        assert 0 < ended.started_ns <= ended.finished_ns
        assert not (ended.results and ended.error)
        return ended

    @contextlib.contextmanager
    def _drained(self) -> Iterator[None]:
        """Read what the guest prints while it runs, as a runner does."""
        is_over = threading.Event()

        def drain() -> None:
            while not is_over.is_set():
                select.select(self.workspace.streams.sources, [], [], 0.01)
                self.workspace.streams.drain()

        draining = threading.Thread(target=drain)
        draining.start()
        try:
            yield
        finally:
            is_over.set()
            draining.join()


class Running:
    """A pool and what it told."""

    def __init__(self, directory: Path, size: int, limits: Limits) -> None:
        self.directory = directory
        self.ends: dict[int, Ended] = {}
        #: What guests printed that was not their result.
        self.pieces: list[Piece] = []
        self.pool = Pool(
            directory, size=size, limits=limits, on_ended=self._on_ended, on_printed=self.pieces.extend
        )

    def _on_ended(self, ended: list[Ended]) -> None:
        for one in ended:
            assert one.key not in self.ends, "a run ended twice"
            self.ends[one.key] = one

    def submit(self, module: str, export: str, *inputs: str, keys: range | list[int]) -> None:
        digest = put(self.directory, module)
        self.pool.submit([GuestRun(key, digest, export, list(inputs), [], {}) for key in keys])

    async def ended(self, *keys: int) -> list[Ended]:
        await until(lambda: all(key in self.ends for key in keys), f"runs {keys} to end")
        return [self.ends[key] for key in keys]

    async def executing(self, key: int) -> None:
        """Wait until a runner executes this run."""
        await until(lambda: key in self.pool.executing(), f"run {key} to begin")

    async def printed(self, key: int, data: bytes) -> None:
        """Wait until a run has printed this."""

        def said() -> bytes:
            return b"".join(piece.data for piece in self.pieces if piece.key == key)

        await until(lambda: data in said(), f"run {key} to print {data!r}")

    def pid_of(self, place: int) -> int:
        """The process of a runner: they are the children of the fork server, in the order of their birth."""
        forkserver = self.pool._forkserver._process
        assert forkserver is not None
        children = psutil.Process(forkserver.pid).children()
        return sorted(children, key=lambda child: (child.create_time(), child.pid))[place].pid

    def kill(self, place: int = 0, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid_of(place), number)

    def kill_process(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def swapping(one: Path, other: Path) -> Iterator[None]:
    """Let two things change names, over and over; now and then the first is not there."""
    is_over = threading.Event()
    aside = one.with_name("aside")

    def keep_swapping() -> None:
        while not is_over.is_set():
            one.rename(aside)
            other.rename(one)
            aside.rename(other)

    swapper = threading.Thread(target=keep_swapping)
    swapper.start()
    try:
        yield
    finally:
        is_over.set()
        swapper.join()


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


@contextlib.asynccontextmanager
async def a_pool(directory: Path, *, size: int = 2, limits: Limits | None = None) -> AsyncIterator[Running]:
    running = Running(directory, size, limits or Limits())
    await running.pool.start()
    try:
        yield running
    finally:
        await running.pool.stop()


async def until(is_so: Callable[[], bool], what: str) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE_S
    while not is_so():
        assert loop.time() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.002)
