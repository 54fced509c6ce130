"""Guests in an external program: each run is one process of a ``wasmtime`` command, or of one like it.

It has the interface of the pool (``pool/pool.py``) and follows the rules that need no runner:
of the limits those of time, output and logs hold, of the grants the directories that a task names among the
program's options (``options.py``). Each run pays for a start of the program. What a guest uses can be seen
while it runs, but not at its end.
"""

import asyncio
import contextlib
import errno
import logging
import os
import shutil
import subprocess
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import msgspec

from propeller.core.failures import ErrorKind, Failure
from propeller.core.sandbox import Dir
from propeller.errors import Invalid
from propeller.runtime import failures
from propeller.runtime.address import Address, address_asked_for
from propeller.runtime.external.address import free_address, obstacle_at
from propeller.runtime.external.command import Command, command_of
from propeller.runtime.external.execution import Execution
from propeller.runtime.external.options import held
from propeller.runtime.guest_run import Ended, GuestRun, Limits, Piece, Up
from propeller.runtime.outline import Kind, Outline, outline_of
from propeller.runtime.pool.queued_run import QueuedRun

_LIMITS = Limits()
_OUTLINES_MAX = 256
_STOP_S_MAX = 5.0
#: Errors where the machine is short of something, through no fault of a task.
_WANTS = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
#: More resident runs than this are refused, as by the pool.
_RESIDENTS_MAX = 256

#: How long a program may take to say its version, and how many characters of that are kept.
_VERSION_S_MAX, _VERSION_CHARS_MAX = 5.0, 200

_log = logging.getLogger(__name__)


def find_program(name: str) -> str | None:
    """Find the program that runs guests; where there is none, log a warning and give None.

    Args:
        name: A path if there is a slash in it, else a name to be found on ``PATH``; ``""`` for the embedded
            runtime, without a warning.

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


def version_of(program: str) -> str:
    """Give the name and version that a program says it has; its path alone if it says none."""
    command = [program, "--version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_VERSION_S_MAX, check=True)
    except (OSError, ValueError, subprocess.SubprocessError):
        return program[-_VERSION_CHARS_MAX:]
    return done.stdout.partition("\n")[0][:_VERSION_CHARS_MAX] or program[-_VERSION_CHARS_MAX:]


class ExternalRuntime:
    """Runs guests with a program of this machine, up to ``size`` at once, in the order of submission.

    Resident runs begin at once, beside those.

    Args:
        program: Path of the program.
        directory: Holds ``modules/<digest>``.
        size: How many guests run at once, at most.
        limits: The limits of a run without its own; those of time, output and logs count.
        allowed_dirs: The directories below which those in a task's options have to be.
        on_ended: Gets the runs that ended, from the loop's thread; what it raises is logged.
        on_printed: Gets output that is no result, before the run's end.
        on_up: Gets the resident runs that have begun, or serve.

    """

    def __init__(
        self,
        program: str,
        directory: Path,
        *,
        size: int,
        limits: Limits = _LIMITS,
        allowed_dirs: tuple[Dir, ...] = (),
        on_ended: Callable[[list[Ended]], None],
        on_printed: Callable[[list[Piece]], None] = lambda _: None,
        on_up: Callable[[list[Up]], None] = lambda _: None,
    ) -> None:
        assert size > 0
        self._program = program
        self._modules = directory.absolute() / "modules"
        self._size = size
        self._limits = limits
        self._allowed_dirs = allowed_dirs
        self._on_ended = on_ended
        self._on_printed = on_printed
        self._on_up = on_up
        self._waiting: OrderedDict[int, QueuedRun] = OrderedDict()
        #: The runs with a process, up to ``size``.
        self._active: dict[int, Execution] = {}
        #: The resident runs, each with a process.
        self._residents: dict[int, Execution] = {}
        self._outlines: OrderedDict[str, Outline] = OrderedDict()
        self._is_feeding = False
        self._is_stopped = False

    @property
    def waiting(self) -> int:
        """The number of runs that have no process yet."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._all())

    def executing(self) -> dict[int, int]:
        """Give the process of each run that is executed at this moment, by key; it executes no other."""
        return {key: execution.pid for key, execution in self._all().items()}

    def served(self) -> dict[int, tuple[int, int]]:
        """Give no counts: requests inside another program can't be seen."""
        return {}

    def processes(self) -> list[int]:
        return list(self.executing().values())

    def _all(self) -> dict[int, Execution]:
        return self._active | self._residents

    async def start(self) -> None:
        """Start nothing yet: each run starts a program."""
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """Kill all processes and forget all runs; nothing is told any more."""
        self._is_stopped = True
        self._waiting.clear()
        self._all_ended = asyncio.Event()
        executions = self._all().values()
        for execution in executions:
            execution.kill()
        if executions:
            # A process that hangs in the kernel can't be waited for; it dies when it comes back.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S_MAX):
                    await self._all_ended.wait()

    def submit(self, runs: list[GuestRun]) -> None:
        for run in runs:
            if run.key in self._waiting or run.key in self._all():
                raise ValueError(f"key {run.key} belongs to a run that has not ended")
        now = self._loop.time()
        self._waiting.update((run.key, QueuedRun(run, now)) for run in runs)
        self._feed_soon()

    def stop_run(self, key: int) -> None:
        """End a run, begun or not; ``on_ended`` tells when it is over. An unknown key means nothing."""
        queued = self._waiting.pop(key, None)
        if queued is not None:
            self._loop.call_soon(self._tell, queued.stopped())
        elif (execution := self._all().get(key)) is not None:
            execution.stop()

    def withdraw(self, older_than_s: float) -> list[int]:
        """Forget the runs that have waited longer than this; give their keys."""
        limit = self._loop.time() - older_than_s
        keys = [key for key, queued in self._waiting.items() if queued.since < limit]
        return [key for key in keys if self._waiting.pop(key)]

    def _feed_soon(self) -> None:
        """Begin runs from the loop, so that no end is told during ``submit``."""
        if not self._is_feeding:
            self._is_feeding = True
            self._loop.call_soon(self._feed)

    def _feed(self) -> None:
        self._is_feeding = False
        if self._is_stopped:
            return
        for key in [key for key, queued in self._waiting.items() if _needs_no_slot(queued.run)]:
            if (queued := self._waiting.pop(key, None)) is not None:
                self._begin(queued)
        while self._waiting and len(self._active) < self._size:
            self._begin(self._waiting.popitem(last=False)[1])

    def _begin(self, queued: QueuedRun) -> None:
        run = queued.run
        ended = None
        try:
            if run.is_preparation:
                self._outline_for(run)
                ended = Ended(run.key, "", None, 0, 0)
            else:
                self._execute(queued)
        except Invalid as invalid:
            ended = Ended(run.key, "", failures.of_refusal(invalid), 0, 0, is_refused=True)
        except (OSError, UnicodeEncodeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else error.reason) or error
            is_lost = isinstance(error, OSError) and error.errno in _WANTS
            kind = ErrorKind.LOST if is_lost else ErrorKind.OTHER
            failure = Failure(f"no process to run it could be started: {reason}", kind)
            ended = Ended(run.key, "", failure, 0, 0, is_lost=is_lost)
        except Exception as defect:  # as in the runner: a run that is not begun has to end
            failure = Failure(f"the proplet could not run the task: {type(defect).__name__}: {defect}")
            ended = Ended(run.key, "", failure, 0, 0)
        if ended is not None:
            self._tell(ended)

    def _execute(self, queued: QueuedRun) -> None:
        opened: list[int] = []
        try:
            self._execute_with(queued, opened)
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _execute_with(self, queued: QueuedRun, opened: list[int]) -> None:
        """Begin a run; ``opened`` gets the descriptors that are opened for its program."""
        command, address = self._command(queued.run, opened)
        if queued.run.is_resident and len(self._residents) >= _RESIDENTS_MAX:
            raise OSError(0, f"this proplet runs {_RESIDENTS_MAX} of its kind already")
        queued.handed_ns = time.time_ns()
        executions = self._residents if queued.run.is_resident else self._active
        executions[queued.run.key] = Execution(
            queued,
            command,
            queued.run.limits or self._limits,
            address,
            on_printed=self._tell_printed,
            on_up=self._tell_up,
            on_ended=self._on_execution_ended,
        )

    def _command(self, run: GuestRun, opened: list[int]) -> tuple[Command, Address | None]:
        """Put a command line together; give it, and the address where the run serves."""
        outline = self._outline_for(run)
        address = None
        if run.port:
            address, others = address_asked_for(run.cli_args)
            run = msgspec.structs.replace(run, cli_args=others)
            if address is None:
                # A server that was just begun may not listen yet.
                taken = {one.address.port for one in self._residents.values() if one.address is not None}
                address = free_address(run.port, taken)
            elif why := obstacle_at(address):
                raise Invalid(f"port {address.port} can't be listened on: {why}")
        run = msgspec.structs.replace(run, cli_args=held(run.cli_args, self._allowed_dirs, opened))
        file = self._modules / run.digest
        command = command_of(self._program, run, outline, file, str(address or ""))
        return command._replace(descriptors=opened), address

    def _outline_for(self, run: GuestRun) -> Outline:
        """Read the outline of a run's module; raise ``Invalid`` where it can't be run."""
        if len(run.digest) != 64 or not run.digest.isalnum():
            raise Invalid(f"{run.digest[:80]!r} is not a SHA-256 digest")
        outline = self._outline(run.digest)
        if run.port and run.stdin is not None:
            raise Invalid("stdin: a module that serves HTTP reads no standard input; leave stdin out")
        if outline.kind is Kind.SERVER and not run.port and run.export not in outline.exports:
            raise Invalid(
                "the module is a component that serves HTTP: it answers at its port and can't be invoked; "
                "start it as a task that is not latent"
            )
        return outline

    def _outline(self, digest: str) -> Outline:
        outline = self._outlines.get(digest)
        if outline is None:
            outline = self._outlines[digest] = outline_of(self._modules / digest)
            if len(self._outlines) > _OUTLINES_MAX:
                self._outlines.popitem(last=False)
        return outline

    def _on_execution_ended(self, ended: Ended) -> None:
        for executions in (self._active, self._residents):
            executions.pop(ended.key, None)
        if self._is_stopped:
            if not self._all():
                self._all_ended.set()
            return
        self._tell(ended)
        self._feed()

    def _tell(self, ended: Ended) -> None:
        if not self._is_stopped:
            try:
                self._on_ended([ended])
            except Exception:
                _log.exception("the handler of ended runs failed")

    def _tell_printed(self, pieces: list[Piece]) -> None:
        if not self._is_stopped:
            self._on_printed(pieces)

    def _tell_up(self, up: list[Up]) -> None:
        if not self._is_stopped:
            self._on_up(up)


def _needs_no_slot(run: GuestRun) -> bool:
    """Say whether a run begins at once: it is resident, or there is nothing to execute."""
    return run.is_resident or run.is_preparation
