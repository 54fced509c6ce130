"""Run one guest in this process, from instantiation to its result text.

A guest gets nothing of the machine: no directories, no sockets, an empty standard input; of WASI only
arguments, its environment, clocks, random numbers and output. Whatever it does comes back as an ``Ended``,
save what ends the process; that is why guests run in processes of their own.
"""

import contextlib
import os
import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import wasmtime

from propeller.errors import Invalid
from propeller.runtime.program import Program
from propeller.runtime.run import Ended, Limits, Run, Usage
from propeller.runtime.values import shown, to_text, to_wasm, type_names

_BACKTRACE_LINES = 12
_MESSAGE_MAX = 4096


class Output:
    """The file that catches a program's standard output; one is enough for all the runs of a process.

    A file costs a third of a callback from the guest into Python. It lives in memory and has no name, where
    the system offers that, so that a killed process leaves nothing behind.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        if hasattr(os, "memfd_create"):
            self._fd = os.memfd_create("propeller-stdout")
            self.path = f"/proc/self/fd/{self._fd}"
        else:
            self._fd, self.path = tempfile.mkstemp(prefix="propeller-stdout-")

    def is_over(self) -> bool:
        return os.fstat(self._fd).st_size > self.limit_bytes

    def take(self) -> bytes:
        """Give what was written, and forget it."""
        written = os.pread(self._fd, self.limit_bytes, 0)
        os.ftruncate(self._fd, 0)
        return written

    def close(self) -> None:
        os.close(self._fd)
        if not self.path.startswith("/proc/"):
            Path(self.path).unlink(missing_ok=True)

    @contextlib.contextmanager
    def bounded(self) -> Iterator[None]:
        """Let no file of this process grow past the limit; a guest that tries gets an errno."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        limit = self.limit_bytes + 1
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def execute(
    engine: wasmtime.Engine,
    program: Program,
    run: Run,
    limits: Limits,
    output: Output,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Ended:
    """Run one guest to its end.

    Args:
        engine: With epoch interruption; the next epoch ends the guest.
        program: The run's module.
        run: What to call, and with what.
        limits: What the guest may use.
        output: Where a program's standard output is caught; empty before and after.
        is_stopped: Asked once the epoch's deadline is set. Whoever stops a run says so here first and then
            advances the epoch, so that no stop is lost.

    """
    started_ns = time.time_ns()
    meter = _Meter(program)
    results = error = ""
    stopped = False
    try:
        name = program.choose(run.export)
        is_command = program.is_command(name)
        arguments = [] if is_command else _arguments(program, name, run.inputs)
        store = wasmtime.Store(engine)
        store.set_limits(limits.memory_bytes, limits.table_elements, 1, limits.tables, limits.memories)
        store.set_epoch_deadline(1)
        if is_stopped():
            stopped = True
        elif is_command:
            results, error = _command(store, meter, run, output, limits)
        else:
            results, error = _call(store, meter, name, arguments, run=run, limits=limits)
        meter.read(store)
        store.close()
    except Invalid as invalid:
        error = str(invalid)
    if stopped or (error and is_stopped()):
        results, error, stopped = "", "the task was stopped", True
    return Ended(run.key, "" if error else results, error, started_ns, time.time_ns(), stopped, meter.usage())


class _Meter:
    """Measures one run of a program in this thread."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._began_ns = time.thread_time_ns()
        self._memories: list[wasmtime.Memory] = []
        self._memory_bytes = 0

    def instantiated(self, store: wasmtime.Store) -> Mapping[str, object]:
        """Make the instance, and give its exports."""
        exports = self.program.ready.instantiate(store).exports(store)
        for name in self.program.memories:
            memory = exports[name]
            assert isinstance(memory, wasmtime.Memory)
            self._memories.append(memory)
        return exports

    def read(self, store: wasmtime.Store) -> None:
        """Take down what is gone with the store."""
        # Several are one under several names: a guest may have no more.
        self._memory_bytes = max((memory.data_len(store) for memory in self._memories), default=0)

    def usage(self) -> Usage:
        return Usage(time.thread_time_ns() - self._began_ns, self._memory_bytes)


def _arguments(program: Program, name: str, inputs: list[str]) -> list[int | float]:
    params, results = program.functions[name]
    if strange := [t for t in (*params, *results) if t not in type_names]:
        raise Invalid(
            f"{program.functions[name].of(name)} has the type {strange[0]}, which has no text form here"
        )
    if len(inputs) != len(params):
        types = f" ({', '.join(params)})" if params else ""
        given = f"{len(inputs)} input was" if len(inputs) == 1 else f"{len(inputs)} inputs were"
        shown_inputs = f": {shown(inputs)}" if inputs else ""
        plural = "" if len(params) == 1 else "s"
        raise Invalid(f"{name} takes {len(params)} parameter{plural}{types}, but {given} given{shown_inputs}")
    return [
        to_wasm(text, type_name, export=name, number=number)
        for number, (text, type_name) in enumerate(zip(inputs, params, strict=True), 1)
    ]


def _call(
    store: wasmtime.Store,
    meter: _Meter,
    name: str,
    arguments: list[int | float],
    *,
    run: Run,
    limits: Limits,
) -> tuple[str, str]:
    tail = _Tail(limits.error_bytes)
    program = meter.program
    try:
        if program.wants_wasi:
            store.set_wasi(_wasi(run, tail))
        exports = meter.instantiated(store)
        if name != "_initialize" and program.is_plain("_initialize"):
            _function(exports, "_initialize")(store)
        value = _function(exports, name)(store, *arguments)
    except wasmtime.ExitTrap as exit_:
        return "", "" if exit_.code == 0 else f"{name} exited with code {exit_.code}{tail}"
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        return "", f"{name} failed: {explained(error)}{tail}"
    types = program.functions[name].results
    values = [] if not types else [value] if len(types) == 1 else value
    return "".join(to_text(v, t) + "\n" for v, t in zip(values, types, strict=True)), ""


def _command(
    store: wasmtime.Store, meter: _Meter, run: Run, output: Output, limits: Limits
) -> tuple[str, str]:
    tail = _Tail(limits.error_bytes)
    error = ""
    with output.bounded():
        try:
            if meter.program.wants_wasi:
                wasi = _wasi(run, tail)
                wasi.stdout_file = output.path
                store.set_wasi(wasi)
            exports = meter.instantiated(store)
            _function(exports, "_start")(store)
        except wasmtime.ExitTrap as exit_:
            error = "" if exit_.code == 0 else f"the program exited with code {exit_.code}{tail}"
        except (wasmtime.Trap, wasmtime.WasmtimeError) as trap:
            error = f"the program failed: {explained(trap)}{tail}"
    is_over = output.is_over()
    written = output.take()
    if is_over:
        return "", f"the program wrote more than the limit of {output.limit_bytes} bytes to standard output"
    return written.decode(errors="replace"), error


def _wasi(run: Run, tail: "_Tail") -> wasmtime.WasiConfig:
    argv = [run.export, *run.cli_args, *run.inputs]
    for text in (*argv, *run.env, *run.env.values()):
        if "\0" in text:
            raise Invalid(f"an argument or a variable has a NUL character in it: {shown(text)}")
    config = wasmtime.WasiConfig()
    config.argv = argv
    config.env = run.env.items()
    config.stderr_custom = tail.write
    return config


def _function(exports: Mapping[str, object], name: str) -> wasmtime.Func:
    function = exports[name]
    assert isinstance(function, wasmtime.Func)
    return function


class _Tail:
    """The last bytes of standard error. A callback, not a file: nobody must fail for being chatty."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._parts: deque[bytes] = deque()
        self._size = 0

    def write(self, part: bytes) -> None:
        self._parts.append(part[-self._limit_bytes :])
        self._size += len(self._parts[-1])
        while self._size - len(self._parts[0]) >= self._limit_bytes:
            self._size -= len(self._parts.popleft())

    def __str__(self) -> str:
        text = b"".join(self._parts)[-self._limit_bytes :].decode(errors="replace").strip()
        return f"; standard error: {text}" if text else ""


_WORDS = {
    wasmtime.TrapCode.STACK_OVERFLOW: "the stack overflowed (endless recursion?)",
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: "memory access out of bounds",
    wasmtime.TrapCode.TABLE_OUT_OF_BOUNDS: "table access out of bounds",
    wasmtime.TrapCode.INDIRECT_CALL_TO_NULL: "indirect call of a null function",
    wasmtime.TrapCode.BAD_SIGNATURE: "indirect call of a function of another type",
    wasmtime.TrapCode.INTEGER_OVERFLOW: "integer overflow",
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: "integer division by zero",
    wasmtime.TrapCode.BAD_CONVERSION_TO_INTEGER: "a float that does not fit was converted to an integer",
    wasmtime.TrapCode.UNREACHABLE: "unreachable code was reached (a panic or an abort)",
    wasmtime.TrapCode.INTERRUPT: "it was interrupted",
}


def explained(error: wasmtime.Trap | wasmtime.WasmtimeError) -> str:
    """Say what happened in words, then wasmtime's own words with the first lines of the backtrace."""
    code = error.trap_code if isinstance(error, wasmtime.Trap) else None
    lines = str(error).strip().splitlines()
    if len(lines) > _BACKTRACE_LINES:
        lines = [*lines[:_BACKTRACE_LINES], f"  … {len(lines) - _BACKTRACE_LINES} more lines"]
    text = "\n".join(lines)
    text = text if len(text) <= _MESSAGE_MAX else text[:_MESSAGE_MAX] + "…"
    if code is None:
        return text
    return f"{_WORDS.get(code, code.name.lower().replace('_', ' '))}\n{text}"
