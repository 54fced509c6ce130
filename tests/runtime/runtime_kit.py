"""Guests in the text format, and what runs them: here in this process, or in a pool."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

import psutil
import wasmtime

from propeller.runtime.cache import Cache, new_engine
from propeller.runtime.guest import Output, execute
from propeller.runtime.pool import Pool
from propeller.runtime.run import Ended, Limits, Run

DEADLINE_S = 120

ADD = """(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"""
LOOP = """(module (func (export "loop") (loop $l (br $l))))"""
SLEEP = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "sleep") (param $ns i64) (result i32)
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (local.get $ns))
    (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))"""


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


class Here:
    """Runs guests in this process, one at a time."""

    def __init__(self, directory: Path, limits: Limits | None = None) -> None:
        self.directory = directory
        self.limits = limits or Limits()
        self.engine = new_engine(self.limits)
        self.cache = Cache(self.engine, directory)
        self.output = Output(self.limits.output_bytes)

    def run(
        self,
        module: str,
        export: str,
        *inputs: str,
        cli_args: list[str] | None = None,
        env: dict[str, str] | None = None,
    ) -> Ended:
        run = Run(1, put(self.directory, module), export, list(inputs), cli_args or [], env or {})
        ended = execute(self.engine, self.cache.load(run.digest), run, self.limits, self.output)
        assert ended.key == 1
        assert 0 < ended.started_ns <= ended.finished_ns
        assert not (ended.results and ended.error)
        return ended


class Running:
    """A pool and what it told."""

    def __init__(self, directory: Path, size: int, limits: Limits) -> None:
        self.directory = directory
        self.ends: dict[int, Ended] = {}
        self.pool = Pool(directory, size=size, limits=limits, on_ended=self._on_ended)

    def _on_ended(self, ended: list[Ended]) -> None:
        for one in ended:
            assert one.key not in self.ends, "a run ended twice"
            self.ends[one.key] = one

    def submit(self, module: str, export: str, *inputs: str, keys: range | list[int]) -> None:
        digest = put(self.directory, module)
        self.pool.submit([Run(key, digest, export, list(inputs), [], {}) for key in keys])

    async def ended(self, *keys: int) -> list[Ended]:
        await until(lambda: all(key in self.ends for key in keys), f"runs {keys} to end")
        return [self.ends[key] for key in keys]

    async def executing(self, key: int) -> None:
        """Wait until a runner executes this run."""
        seats = self.pool._seats
        await until(lambda: any(seat.words.key == key for seat in seats.values()), f"run {key} to begin")

    def pid_of(self, place: int) -> int:
        """The process of a runner: they are the mother's children, in the order of their birth."""
        mother = self.pool._nursery._mother
        assert mother is not None
        children = psutil.Process(mother.pid).children()
        return sorted(children, key=lambda child: (child.create_time(), child.pid))[place].pid

    def kill(self, place: int = 0, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid_of(place), number)


@contextlib.asynccontextmanager
async def a_pool(directory: Path, *, size: int = 2, limits: Limits | None = None) -> AsyncIterator[Running]:
    running = Running(directory, size, limits or Limits())
    await running.pool.start()
    try:
        yield running
    finally:
        await running.pool.close()


async def until(is_so: Callable[[], bool], what: str) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE_S
    while not is_so():
        assert loop.time() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.002)
