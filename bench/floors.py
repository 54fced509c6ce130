"""What no system on this machine can beat: a bare fsync, commit, call of a guest, message."""

import asyncio
import multiprocessing
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import uvloop
import wasmtime

from bench.broker import broker, mqtt_floors
from bench.system import WASM, percentiles

_SECONDS_MAX = 60


class Floors:
    """Measures the floors as often as one likes; its processes wait in between."""

    def __init__(self, directory: Path, *, processes: int, scale: float, with_broker: bool) -> None:
        self._directory = directory
        self._broker = broker(directory / "floor-broker") if with_broker else None
        self._processes = processes
        self._syncs = max(20, int(300 * scale))
        self._calls = max(50, int(4_000 * scale))

    def __enter__(self) -> Self:
        self._pool = multiprocessing.get_context("spawn").Pool(self._processes)
        self._call_on(self._processes, 10)
        if self._broker is not None:
            self._broker.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._broker is not None:
            self._broker.kill()
        self._pool.terminate()
        self._pool.join()

    def measure(self) -> dict[str, float]:
        one = self._call_on(1, self._calls)
        all_of_them = self._call_on(self._processes, self._calls)
        return {
            **_named("append", append_ms(self._directory, self._syncs)),
            **_named("commit", commit_ms(self._directory, self._syncs)),
            "call ms": 1e3 / one,
            "calls/s": all_of_them,
            **(mqtt_floors(self._broker, self._syncs) if self._broker is not None else {}),
        }

    def _call_on(self, processes: int, count: int) -> float:
        """Instantiate and call `main` in this many processes at once; return the calls a second of all."""
        spans = self._pool.map_async(_call_many, [count] * processes, chunksize=1).get(_SECONDS_MAX)
        return processes * count / (max(end for _, end in spans) - min(begin for begin, _ in spans))


def _named(what: str, found: dict[str, float]) -> dict[str, float]:
    return {f"{what} {name} ms": ms for name, ms in found.items()}


def append_ms(directory: Path, count: int) -> dict[str, float]:
    """Append 4 KiB and fsync."""
    path = directory / "floor"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        os.write(descriptor, b"x" * 4096)
        os.fsync(descriptor)
        times.append((time.perf_counter() - began) * 1e3)
    os.close(descriptor)
    path.unlink()
    return percentiles(times)


def commit_ms(directory: Path, count: int) -> dict[str, float]:
    """Commit one row of 500 bytes to SQLite, synchronous=FULL, in a thread that an event loop waits for."""
    db = sqlite3.connect(directory / "floor.db", isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE IF NOT EXISTS floor (id INTEGER PRIMARY KEY, body TEXT)")

    async def work() -> list[float]:
        times = []
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as writer:
            for _ in range(count):
                began = time.perf_counter()
                await loop.run_in_executor(
                    writer, db.execute, "INSERT INTO floor (body) VALUES (?)", ("x" * 500,)
                )
                times.append((time.perf_counter() - began) * 1e3)
        return times

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        times = runner.run(work())
    db.close()
    return percentiles(times)


def _call_many(count: int) -> tuple[float, float]:
    engine = wasmtime.Engine()
    module = wasmtime.Module(engine, WASM)
    began = time.perf_counter()  # one clock for all processes
    for number in range(count):
        store = wasmtime.Store(engine)
        add = wasmtime.Instance(store, module, []).exports(store)["main"]
        assert isinstance(add, wasmtime.Func)
        add(store, number, 1)
    return began, time.perf_counter()
