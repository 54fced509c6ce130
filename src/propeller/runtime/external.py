"""Guests in a program of somebody else's: each run is one process of a ``wasmtime`` command, or of its like.

It has the face of the pool (``pool.py``) and keeps the same promises, save those that only a runner of ours
can keep: of the limits only those of the output hold, each run pays for a start of the program, and nobody
says at the end what the guest used. Who wants to know is told while it runs.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import msgspec

from propeller.errors import Invalid
from propeller.runtime import failures
from propeller.runtime.command import Command, command_of, port_asked_for
from propeller.runtime.outline import Kind, Outline, outline_of
from propeller.runtime.process import Process, Stream, status_in_words
from propeller.runtime.run import Ended, Limits, Run
from propeller.runtime.seat import Entry
from propeller.runtime.streams import TAIL_BYTES

_LIMITS = Limits()
_OUTLINES_MAX = 256
_CLOSE_S_MAX = 5.0
#: Ports for servers that ask for none, from the first on.
_PORTS = 100

_log = logging.getLogger(__name__)


def find_program(name: str) -> str | None:
    """Find the program to run guests with; None, and a warning in the log, where there is none.

    Args:
        name: A path if there is a slash in it, else looked up in the directories of ``PATH``; ``""`` for
            the embedded runtime, without a warning.

    """
    if not name:
        return None
    if not hasattr(os, "pidfd_open"):
        _log.warning("external runtimes need Linux; %s is not used, but the embedded runtime", name)
        return None
    path = Path(name).absolute() if "/" in name else shutil.which(name)
    if path is None or not os.access(path, os.X_OK) or not Path(path).is_file():
        where = "no program" if "/" in name else "not found on PATH"
        _log.warning("external runtime %s: %s; the embedded runtime is used instead", name, where)
        return None
    return str(path)


class _Active(msgspec.Struct, kw_only=True):
    """A run that has a process."""

    entry: Entry
    process: Process
    output: Stream
    errors: Stream
    #: Of a server; 0 for none.
    port: int
    is_stopping: bool = False


class ExternalRuntime:
    """Runs guests with a program of this machine, up to ``size`` at once, in the order of submission.

    Args:
        program: Path of the program.
        directory: Holds ``modules/<digest>``.
        size: How many guests run at once, at most.
        limits: Of these the bytes of output and errors that are kept.
        first_port: Where servers listen that name no address: here, or on one of the hundred that follow.
        on_ended: Gets the runs that ended, from the loop's thread; what it raises is logged.

    """

    def __init__(
        self,
        program: str,
        directory: Path,
        *,
        size: int,
        limits: Limits = _LIMITS,
        first_port: int = 8222,
        on_ended: Callable[[list[Ended]], None],
    ) -> None:
        assert size > 0
        self._program = program
        self._modules = directory.absolute() / "modules"
        self._size = size
        self._limits = limits
        self._first_port = first_port
        self._on_ended = on_ended
        self._waiting: OrderedDict[int, Entry] = OrderedDict()
        self._active: dict[int, _Active] = {}
        self._outlines: OrderedDict[str, Outline] = OrderedDict()
        self._is_feeding = False
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Runs that have no process yet."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._active)

    def executing(self) -> dict[int, int]:
        """Runs that are executed in this moment, by key: the process of each, which executes no other."""
        return {key: active.process.pid for key, active in self._active.items()}

    def served(self) -> dict[int, tuple[int, int]]:
        """Nobody outside can count the requests of another program."""
        return {}

    def processes(self) -> list[int]:
        return list(self.executing().values())

    async def start(self) -> None:
        """Nothing is started before the first run."""
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Kill all and forget all runs; ``on_ended`` is not called any more."""
        self._is_closed = True
        self._waiting.clear()
        self._all_ended = asyncio.Event()
        for active in self._active.values():
            active.process.kill()
        if self._active:
            # What hangs in the kernel can't be waited for; it dies when it comes back from there.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_ended.wait(), _CLOSE_S_MAX)

    def submit(self, runs: list[Run]) -> None:
        for run in runs:
            if run.key in self._waiting or run.key in self._active:
                raise ValueError(f"key {run.key} belongs to a run that has not ended")
        now = self._loop.time()
        self._waiting.update((run.key, Entry(run, now)) for run in runs)
        self._feed_soon()

    def stop(self, key: int) -> None:
        """End a run, begun or not; ``on_ended`` tells when it is over. An unknown key means nothing."""
        entry = self._waiting.pop(key, None)
        if entry is not None:
            self._loop.call_soon(self._tell, [entry.stopped()])
        elif key in self._active:
            self._active[key].is_stopping = True
            self._active[key].process.kill()

    def withdraw(self, older_than_s: float) -> list[int]:
        """Forget runs that have waited longer than this, and give their keys."""
        limit = self._loop.time() - older_than_s
        keys = [key for key, entry in self._waiting.items() if entry.since < limit]
        return [key for key in keys if self._waiting.pop(key)]

    def _feed_soon(self) -> None:
        """Begin runs from the loop, so that no end is told while somebody submits."""
        if not self._is_feeding:
            self._is_feeding = True
            self._loop.call_soon(self._feed)

    def _feed(self) -> None:
        self._is_feeding = False
        while self._waiting and len(self._active) < self._size and not self._is_closed:
            key, entry = self._waiting.popitem(last=False)
            entry.handed_ns = time.time_ns()
            try:
                self._active[key] = self._begun(entry)
            except Invalid as invalid:
                self._tell([Ended(key, "", str(invalid), 0, 0)])
            except (OSError, UnicodeEncodeError) as error:
                reason = (error.strerror if isinstance(error, OSError) else error.reason) or error
                self._tell([Ended(key, "", f"no process to run it could be started: {reason}", 0, 0)])

    def _begun(self, entry: Entry) -> _Active:
        command, port = self._command(entry.run)
        key = entry.run.key
        with contextlib.ExitStack() as stack:
            # What a server prints is no result; it may go on for years.
            output = Stream(self._limits.output_bytes, keeps_end=bool(port))
            stack.callback(output.finish)
            errors = Stream(TAIL_BYTES, keeps_end=True)
            stack.callback(errors.finish)
            process = Process(command, output, errors, lambda _: self._on_process_ended(key))
            output.on_full = process.kill
            stack.pop_all()
        return _Active(entry=entry, process=process, output=output, errors=errors, port=port)

    def _command(self, run: Run) -> tuple[Command, int]:
        """Put a command line together, and give the port of a server: 0 for what is none."""
        if len(run.digest) != 64 or not run.digest.isalnum():
            raise Invalid(f"{run.digest[:80]!r} is not a SHA-256 digest")
        outline = self._outline(run.digest)
        port = 0
        if outline.kind is Kind.SERVER:
            port, others = port_asked_for(run.cli_args)
            run = msgspec.structs.replace(run, cli_args=others)
            port = port or self._free_port()
            _log.info("module %s is served at port %d, unless its cli_args say where", run.digest, port)
        return command_of(self._program, run, outline, self._modules / run.digest, port=port), port

    def _outline(self, digest: str) -> Outline:
        outline = self._outlines.get(digest)
        if outline is None:
            outline = self._outlines[digest] = outline_of(self._modules / digest)
            if len(self._outlines) > _OUTLINES_MAX:
                self._outlines.popitem(last=False)
        return outline

    def _free_port(self) -> int:
        taken = {active.port for active in self._active.values()}
        for port in range(self._first_port, self._first_port + _PORTS):
            if port not in taken and _is_free(port):
                return port
        last = self._first_port + _PORTS - 1
        raise Invalid(f"no port from {self._first_port} to {last} is free; name another with --port")

    def _on_process_ended(self, key: int) -> None:
        active = self._active.pop(key)
        output, errors = active.output.finish(), active.errors.finish()
        if self._is_closed:
            if not self._active:
                self._all_ended.set()
            return
        self._tell([self._ended(active, output, errors)])
        self._feed()

    def _ended(self, active: _Active, output: str, errors: str) -> Ended:
        error = ""
        process = active.process
        if active.is_stopping:
            error = "the task was stopped"
        elif active.output.is_full:
            error = failures.of_output(self._limits)
        elif process.status:
            error = f"Process exited with status: {status_in_words(process.status)}, stderr: {errors.strip()}"
        results = "" if error or active.port else output
        key, began_ns = active.entry.run.key, active.entry.handed_ns
        return Ended(key, results, error, began_ns, time.time_ns(), active.is_stopping)

    def _tell(self, ended: list[Ended]) -> None:
        if not self._is_closed:
            try:
                self._on_ended(ended)
            except Exception:
                _log.exception("the handler of ended runs failed")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
