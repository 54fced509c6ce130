"""One guest in this process, from its instantiation to its result.

A guest gets nothing of the machine but arguments, its environment, clocks, random numbers, the task's
standard input, standard output and error, and the directories of its grants. Whatever it does becomes an
``Ended``, unless it ends the process; that is why guests run in processes of their own.
"""

import os
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import wasmtime

from propeller.core.failures import ErrorKind, Failure
from propeller.core.results import of_output
from propeller.errors import Invalid
from propeller.runtime import failures
from propeller.runtime.failures import CanNotBegin, refused_as
from propeller.runtime.guest_run import Ended, GuestRun, Limits, Usage, environment
from propeller.runtime.quoting import shown
from propeller.runtime.runner import traps
from propeller.runtime.runner.assemblyscript import Aborted
from propeller.runtime.runner.cache import Cache, Program
from propeller.runtime.runner.component_program import ComponentCall, ExitedWithError
from propeller.runtime.runner.core_program import CoreCall, Exited
from propeller.runtime.runner.streams import Streams
from propeller.runtime.system.directories import Given, close, given_to
from propeller.runtime.wasi.session import Session

#: The file in which a program finds its parents' results; they are in its environment too.
PARENTS_FILE = "parents.json"


def check_stdin(program: Program, run: GuestRun) -> None:
    """Raise ``Invalid`` where a run is given standard input that nothing reads."""
    if run.stdin is not None and (run.port or not program.reads_stdin):
        error = failures.of_stdin("it serves HTTP") if run.port else failures.of_stdin()
        raise CanNotBegin(Failure(error, ErrorKind.INPUTS))


class Halt(StrEnum):
    """The reason why a guest was interrupted."""

    NONE = ""
    STOP = "stop"
    TIMEOUT = "timeout"
    OUTPUT = "output"


class Workspace:
    """The streams and the directory with which a process runs its guests, one after the other."""

    def __init__(self, streams: Streams, directory: Path) -> None:
        """Take the streams, and a directory of this process alone for files that guests may read."""
        self.streams = streams
        self._directory = directory
        self._stdin = -1

    def with_stdin(self, data: bytes) -> str:
        """Put a guest's standard input in place of the last one's; give the path at which it is read."""
        if self._stdin < 0:
            self._stdin = os.memfd_create("stdin")
        os.ftruncate(self._stdin, 0)
        os.pwrite(self._stdin, data, 0)
        return f"/proc/self/fd/{self._stdin}"

    def with_parents(self, parents: str) -> Path:
        """Write the results of a guest's parents to a file that it can read; give the file's directory."""
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / PARENTS_FILE).write_text(parents, encoding="utf-8")
        return self._directory


def execute(
    cache: Cache,
    program: Program,
    run: GuestRun,
    limits: Limits,
    workspace: Workspace,
    *,
    halted: Callable[[], Halt] = lambda: Halt.NONE,
    on_wait: Callable[[Callable[[], None]], None] = lambda _: None,
) -> Ended:
    """Run one guest to its end.

    Args:
        cache: The cache of the program; the next epoch of its engine ends the guest.
        program: The run's module.
        run: The function, its inputs and grants.
        limits: The limits of the guest.
        workspace: The streams and the directory of this process.
        halted: Asked once the epoch's deadline is set, and when the guest has ended. An interruption sets
            the answer first and advances the epoch then, so that none is lost.
        on_wait: Given a function that ends the guest while it waits in Propeller's own WASI, where no epoch
            ends it.

    """
    started_ns, began_cpu_ns = time.time_ns(), time.thread_time_ns()
    results: str | bytes = ""
    failure: Failure | None = None
    memory_bytes = fuel = 0
    halt, is_refused, tail = Halt.NONE, False, b""
    dirs: Sequence[Given] = ()
    try:
        call = program.call(run)
        store = wasmtime.Store(cache.engine)
        call.set_limits(store, limits)
        store.set_epoch_deadline(1)
        if cache.is_metered:
            store.set_fuel(limits.fuel)
        if call.wants_wasi:
            workspace.streams.begin(run.key, limits, is_result=call.is_command)
            dirs = directories(run, program, workspace)
            if call.wants_session:
                session = _session(run, dirs, workspace)
                on_wait(session.cancel)
                call.session = session
            else:
                store.set_wasi(_wasi(run, dirs, workspace))
        halt = halted()
        if not halt:
            results, failure = _outcome(call, store, limits)
            memory_bytes = call.memory_bytes()
        if cache.is_metered:
            fuel = limits.fuel - store.get_fuel()
        store.close()
        if call.wants_wasi:
            printed, is_over, tail = workspace.streams.end()
            results = of_output(printed) if call.is_command else results
            failure = failures.of_output(limits) if is_over else failure
        failure = failure and _explained(failure, call, tail, memory_bytes, limits)
    except Invalid as invalid:
        failure, is_refused = failures.of_refusal(invalid), True
    finally:
        close(dirs)
    if halt or failure:
        halt = halt or halted()
        failure = _of_halt(halt, limits) or failure
    usage = Usage(time.thread_time_ns() - began_cpu_ns, memory_bytes, fuel)
    is_stopped = halt is Halt.STOP
    results = "" if failure else results
    return Ended(run.key, results, failure, started_ns, time.time_ns(), is_stopped, usage, is_refused)


def _of_halt(halt: Halt, limits: Limits) -> Failure | None:
    match halt:
        case Halt.STOP:
            return failures.STOPPED
        case Halt.TIMEOUT:
            return failures.of_time(limits)
        case Halt.OUTPUT:
            return failures.of_output(limits)
    return None


def _outcome(
    call: CoreCall | ComponentCall, store: wasmtime.Store, limits: Limits
) -> tuple[str, Failure | None]:
    """Call the guest; give its results, or how it failed."""
    subject = _subject(call)
    try:
        return call(store), None
    except wasmtime.ExitTrap as exit_:
        error = f"{subject} exited with code {exit_.code}"
        return "", Failure(error, ErrorKind.EXIT_CODE, exit_.code) if exit_.code else None
    except Exited as exited:
        error = f"{subject} exited with code {exited.code}"
        return "", Failure(error, ErrorKind.EXIT_CODE, exited.code) if exited.code else None
    except Aborted as aborted:
        return "", _of(subject, Failure(str(aborted), ErrorKind.TRAP))
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        return "", _of(subject, traps.explained(error, limits))
    except traps.NeverBegins as never:
        raise CanNotBegin(_of(subject, traps.explained(never.error, limits))) from never
    except ExitedWithError as error:
        return "", Failure(f"{subject} exited with {error}", ErrorKind.EXIT_CODE, error.code)
    except (PermissionError, ValueError) as refusal:
        return "", Failure(f"{subject} failed: {refusal}", ErrorKind.TRAP)


def _explained(
    failure: Failure, call: CoreCall | ComponentCall, tail: bytes, memory_bytes: int, limits: Limits
) -> Failure:
    """Add the limits that may have made a guest fail, and what it wrote last."""
    failure = failures.with_hint(failure, memory_bytes, limits)
    return failures.with_last_words(failure, _subject(call), tail.decode(errors="replace"))


def _subject(call: CoreCall | ComponentCall) -> str:
    return "the program" if call.is_command else call.name


def _of(subject: str, failure: Failure) -> Failure:
    return Failure(f"{subject} failed: {failure.error}", failure.kind)


def directories(run: GuestRun, program: Program, workspace: Workspace) -> list[Given]:
    """Open the directories of a guest; the caller closes them. Raises ``Invalid`` as ``given_to`` does."""
    with refused_as(ErrorKind.REFUSED):
        return given_to(
            run, workspace.with_parents(run.parents) if run.parents and program.wants_files else None
        )


def _session(run: GuestRun, dirs: Sequence[Given], workspace: Workspace) -> Session:
    return Session(
        args=[run.export, *run.cli_args, *run.inputs],
        env=environment(run),
        grants=run.grants,
        trust=run.trust,
        dirs=dirs,
        stdin=run.stdin or b"",
        on_stdout=workspace.streams.print_out,
        on_stderr=workspace.streams.print_err,
    )


def _wasi(run: GuestRun, dirs: Sequence[Given], workspace: Workspace) -> wasmtime.WasiConfig:
    argv = [run.export, *run.cli_args, *run.inputs]
    env = environment(run)
    for text in (*argv, *env, *env.values()):
        if "\0" in text:
            error = f"an argument or a variable has a NUL character in it: {shown(text)}"
            raise CanNotBegin(Failure(error, ErrorKind.INPUTS))
    config = wasmtime.WasiConfig()
    config.argv = argv
    config.env = env.items()
    try:
        if run.stdin:
            config.stdin_file = workspace.with_stdin(run.stdin)
        config.stdout_file = workspace.streams.stdout_path
        config.stderr_file = workspace.streams.stderr_path
        for one in dirs:
            # The engine opens this path at once, and so gets the very directory that is open here.
            config.preopen_dir(f"/proc/self/fd/{one.descriptor}", one.guest, fs_mutable=one.may_change)
    except wasmtime.WasmtimeError as error:
        raise Invalid(f"{error}: /proc has to be mounted where this proplet runs") from error
    return config
