"""Clocks and randomness for guests whose grants exclude the machine's own.

With a seed each run is the same: its randomness depends on the seed alone. A guest without randomness is
refused it; for one without a clock the time is 0. All guests can sleep, so a component keeps its monotonic
clock.
"""

import random
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import wasmtime
from wasmtime import component

from propeller.core.sandbox import Grants

_WASI = "wasi_snapshot_preview1"
#: Error numbers of WASI preview 1.
_SUCCESS, _FAULT, _INVALID, _NOT_SUPPORTED = 0, 21, 28, 58
#: WASI's clocks by their number.
_CLOCKS = (time.time_ns, time.monotonic_ns, time.process_time_ns, time.thread_time_ns)
#: No guest needs more at once.
_RANDOM_BYTES_MAX = 1 << 20


class Sources:
    """Randomness and time for the current run, by its grants."""

    def __init__(self, grants: Grants | None = None) -> None:
        self.begin(grants or Grants())

    def begin(self, grants: Grants) -> None:
        """Begin with a run that has these grants."""
        self._grants = grants
        is_seeded = not isinstance(grants.random, bool)
        self._random = (
            random.Random(grants.random) if is_seeded else random.SystemRandom()  # noqa: S311  it is asked for
        )

    def take(self, count: int) -> bytes:
        if self._grants.random is False:
            raise PermissionError("the task was not granted randomness (grants.random)")
        if count > _RANDOM_BYTES_MAX:
            raise ValueError(f"the guest asked for {count:,} random bytes at once")
        return self._random.randbytes(count)

    def now(self, clock: int) -> int:
        return _CLOCKS[clock]() if self._grants.clock else 0


class CoreSources(Sources):
    """Replaces functions of WASI preview 1 in a linker that allows shadowing."""

    def __init__(self, linker: wasmtime.Linker) -> None:
        super().__init__()
        i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()
        functions: dict[str, tuple[list[wasmtime.ValType], Callable[..., int]]] = {
            "random_get": ([i32, i32], self._random_get),
            "clock_time_get": ([i32, i64, i32], self._clock_time_get),
        }
        for name, (params, function) in functions.items():
            linker.define_func(_WASI, name, wasmtime.FuncType(params, [i32]), function, access_caller=True)

    def _random_get(self, caller: wasmtime.Caller, address: int, size: int) -> int:
        try:
            data = self.take(size & 0xFFFFFFFF)
        except PermissionError:
            return _NOT_SUPPORTED
        except ValueError:
            return _INVALID
        return _write(caller, data, address)

    def _clock_time_get(self, caller: wasmtime.Caller, clock: int, precision: int, address: int) -> int:
        if not 0 <= clock < len(_CLOCKS):
            return _INVALID
        return _write(caller, self.now(clock).to_bytes(8, "little"), address)


def _write(caller: wasmtime.Caller, data: bytes, address: int) -> int:
    memory = caller.get("memory")
    address &= 0xFFFFFFFF
    if not isinstance(memory, wasmtime.Memory) or address + len(data) > memory.data_len(caller):
        return _FAULT
    memory.write(caller, data, address)
    return _SUCCESS


class ComponentSources(Sources):
    """Replaces interfaces of WASI 0.2 in a linker that allows shadowing."""

    def define(self, linker: component.Linker, interfaces: Iterable[str]) -> None:
        """Define the interfaces about randomness and time among these, under the names of the imports."""
        functions: dict[str, dict[str, Callable[..., Any]]] = {
            "wasi:random/random": {
                "get-random-bytes": lambda _, size: self.take(size),
                "get-random-u64": lambda _: int.from_bytes(self.take(8)),
            },
            "wasi:random/insecure": {
                "get-insecure-random-bytes": lambda _, size: self.take(size),
                "get-insecure-random-u64": lambda _: int.from_bytes(self.take(8)),
            },
            "wasi:random/insecure-seed": {
                "insecure-seed": lambda _: (int.from_bytes(self.take(8)), int.from_bytes(self.take(8))),
            },
            "wasi:clocks/wall-clock": {
                "now": lambda _: _datetime(self.now(0)),
                "resolution": lambda _: _datetime(1_000),
            },
        }
        with linker.root() as root:
            for interface in interfaces:
                replaced = functions.get(interface.partition("@")[0])
                if replaced is not None:
                    with root.add_instance(interface) as instance:
                        for name, function in replaced.items():
                            instance.add_func(name, function)


def _datetime(ns: int) -> SimpleNamespace:
    return SimpleNamespace(seconds=ns // 1_000_000_000, nanoseconds=ns % 1_000_000_000)
