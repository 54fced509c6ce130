"""One run in a process of a program of this machine: its output, its start and its end."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from propeller.core.failures import ErrorKind, Failure
from propeller.core.results import of_output
from propeller.runtime import failures
from propeller.runtime.address import Address
from propeller.runtime.external.address import answering
from propeller.runtime.external.command import Command
from propeller.runtime.external.process import OutputPipe, Process
from propeller.runtime.guest_output import GuestOutput
from propeller.runtime.guest_run import Ended, Limits, Piece, Up
from propeller.runtime.pool.queued_run import QueuedRun
from propeller.runtime.system.death import death_of, status_text


class Execution:
    """Executes one run until its program ends or is killed.

    Args:
        queued: The run. Its output is its result, unless it is resident.
        command: The command line.
        limits: The limits; those of time, output and logs count.
        address: The address on which it serves; None where it does not.
        on_printed: Gets output that is no result, as it comes.
        on_up: Told that a resident run has begun, or serves.
        on_ended: Gets its end, from the loop.

    Raises:
        OSError: No process can be started.

    """

    def __init__(
        self,
        queued: QueuedRun,
        command: Command,
        limits: Limits,
        address: Address | None,
        *,
        on_printed: Callable[[list[Piece]], None],
        on_up: Callable[[list[Up]], None],
        on_ended: Callable[[Ended], None],
    ) -> None:
        self.address = address
        self._queued = queued
        self._key = queued.run.key
        self._limits = limits
        self._on_printed, self._on_up, self._on_ended = on_printed, on_up, on_ended
        #: The reason why it was killed.
        self._why: Failure | None = None
        self._is_stopped = False
        is_result = not queued.run.is_resident
        self._output = GuestOutput(
            "stdout", is_result=is_result, limit_bytes=limits.output_bytes if is_result else limits.log_bytes
        )
        self._errors = GuestOutput("stderr", limit_bytes=limits.log_bytes)
        with contextlib.ExitStack() as undoing:
            self._streams = (OutputPipe(self._output, self._on_read), OutputPipe(self._errors, self._on_read))
            for stream in self._streams:
                undoing.callback(stream.finish)
            self._process = Process(command, *self._streams, self._on_process_ended)
            undoing.pop_all()
        self.pid = self._process.pid
        loop = asyncio.get_running_loop()
        timeout_ns = limits.timeout_ns
        late = failures.of_time(limits)
        self._timer = loop.call_later(timeout_ns / 1e9, self._halt, late) if timeout_ns else None
        self._rising = loop.create_task(self._rise()) if queued.run.is_resident else None

    def stop(self) -> None:
        self._is_stopped = True
        self.kill()

    def kill(self) -> None:
        self._process.kill()

    def _halt(self, why: Failure) -> None:
        self._why = self._why or why
        self.kill()

    async def _rise(self) -> None:
        """Tell that the run is up, once it is."""
        where = ""
        if self.address is not None:
            await answering(self.address)
            where = f"started at port {self.address.port}"
        self._on_up([Up(self._key, where)])

    def _on_read(self) -> None:
        self._tell_pieces()
        if self._has_flooded:
            self._halt(failures.of_output(self._limits))

    @property
    def _has_flooded(self) -> bool:
        return self._output.is_result and self._output.is_over

    def _tell_pieces(self, *, is_last: bool = False) -> None:
        logs = (printed for printed in (self._output, self._errors) if not printed.is_result)
        pieces = [piece for printed in logs for piece in printed.pieces(self._key, is_last=is_last)]
        if pieces:
            self._on_printed(pieces)

    def _on_process_ended(self, process: Process) -> None:
        for waits in (self._timer, self._rising):
            if waits is not None:
                waits.cancel()
        for stream in self._streams:
            stream.finish()
        self._tell_pieces(is_last=True)
        self._on_ended(self._ended(process.exit_code))

    def _ended(self, exit_code: int) -> Ended:
        if self._is_stopped:
            return self._queued.stopped()
        failure = self._why
        is_lost = not failure and death_of(exit_code).is_from_outside
        if not failure and self._has_flooded:
            failure = failures.of_output(self._limits)
        if not failure and exit_code:
            said = self._errors.tail.decode(errors="replace").strip()
            error = f"Process exited with status: {status_text(exit_code)}, stderr: {said}"
            failure = (
                Failure(error, ErrorKind.LOST)
                if is_lost
                else Failure(error, ErrorKind.EXIT_CODE, max(exit_code, 0))  # below 0 it is a signal
            )
        is_result = self._output.is_result and not failure
        results = of_output(bytes(self._output.kept)) if is_result else ""
        handed_ns = self._queued.handed_ns
        return Ended(self._key, results, failure, handed_ns, time.time_ns(), is_lost=is_lost)
