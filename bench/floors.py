"""What no system on this machine can beat: a bare fsync, a bare commit, a bare call of a guest."""

import multiprocessing
import os
import sqlite3
import time
from pathlib import Path

import wasmtime

from bench.system import WASM, percentiles


def fsync_ms(directory: Path, count: int) -> dict[str, float]:
    """Append 4 KiB and fsync, in ms."""
    descriptor = os.open(directory / "floor", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        os.write(descriptor, b"x" * 4096)
        os.fsync(descriptor)
        times.append((time.perf_counter() - began) * 1e3)
    os.close(descriptor)
    return percentiles(times)


def commit_ms(directory: Path, count: int) -> dict[str, float]:
    """Commit one row of 500 bytes to SQLite with synchronous=FULL, in ms."""
    db = sqlite3.connect(directory / "floor.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE floor (id INTEGER PRIMARY KEY, body TEXT)")
    times = []
    for number in range(count):
        began = time.perf_counter()
        db.execute("INSERT INTO floor VALUES (?, ?)", (number, "x" * 500))
        times.append((time.perf_counter() - began) * 1e3)
    db.close()
    return percentiles(times)


def calls_per_s(processes: int, count: int) -> float:
    """Instantiate and call `add` in this many processes, in calls a second."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(_call_many, [10] * processes)
        began = time.perf_counter()
        pool.map(_call_many, [count] * processes)
        return processes * count / (time.perf_counter() - began)


def _call_many(count: int) -> None:
    engine = wasmtime.Engine()
    module = wasmtime.Module(engine, WASM)
    for number in range(count):
        store = wasmtime.Store(engine)
        add = wasmtime.Instance(store, module, []).exports(store)["main"]
        assert isinstance(add, wasmtime.Func)
        add(store, number, 1)
