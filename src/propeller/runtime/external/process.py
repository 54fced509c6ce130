"""One process of an external program: its output and its end, after which nothing of it stays behind.

It leads a process group of its own, which is killed as a whole when the run is stopped, and when the program
itself ends. The group is signalled only until its leader is reaped, so that no signal hits another process
with the same id.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

from propeller.runtime.external.command import Command
from propeller.runtime.guest_output import GuestOutput
from propeller.runtime.system import launch

_LAUNCH = launch.__file__
_PART_BYTES = 65536


class OutputPipe:
    """The pipe of one output stream of a process, read as long as the process writes.

    Args:
        output: Takes the bytes.
        on_read: Called after each part; it may kill the process.

    """

    def __init__(self, output: GuestOutput, on_read: Callable[[], None]) -> None:
        self._output = output
        self._on_read = on_read
        self._fd, self.child_end = os.pipe()
        os.set_blocking(self._fd, False)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        if self._take_part():
            self._on_read()

    def _take_part(self) -> bool:
        """Read a part; False when there is none now, or at the end."""
        try:
            part = os.read(self._fd, _PART_BYTES)
        except BlockingIOError:
            return False
        if not part:
            asyncio.get_running_loop().remove_reader(self._fd)
            return False
        self._output.take(part)
        return True

    def handed_over(self) -> None:
        """Close the process's end, of which the process has its own copy now."""
        if self.child_end >= 0:
            os.close(self.child_end)
            self.child_end = -1

    def finish(self) -> None:
        """Take what is left in the pipe, even where another process holds its other end, and close it."""
        self.handed_over()
        # No more than a pipe holds: a process that left the group may write on and on.
        for _ in range(16):
            if not self._take_part():
                break
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


@contextlib.contextmanager
def _standard_input(data: bytes | None) -> Iterator[int]:
    """Open what a process reads as its standard input."""
    if data is None:
        yield subprocess.DEVNULL
        return
    # A file in memory: nobody has to write while the program reads.
    file = os.memfd_create("stdin")
    try:
        os.pwrite(file, data, 0)
        yield file
    finally:
        os.close(file)


class Process:
    """A program that runs until it ends or is killed.

    Args:
        command: The command line.
        output: Its standard output.
        errors: Its standard error.
        on_end: Called once, from the loop, when it has ended and ``exit_code`` is known.

    Raises:
        OSError: It can't be started.

    """

    def __init__(
        self, command: Command, output: OutputPipe, errors: OutputPipe, on_end: Callable[["Process"], None]
    ) -> None:
        self._on_end = on_end
        #: Known once it has ended; the negative number of a signal that killed it.
        self.exit_code = 0
        # -I, so that no variable of a task means anything to the launcher.
        with _standard_input(command.stdin) as stdin:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), *command.argv],
                env=command.env,
                cwd="/",
                stdin=stdin,
                stdout=output.child_end,
                stderr=errors.child_end,
                start_new_session=True,
                pass_fds=command.descriptors,
            )
        output.handed_over()
        errors.handed_over()
        self.pid = self._popen.pid
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:
            self._popen.kill()
            self._popen.wait()
            raise
        asyncio.get_running_loop().add_reader(self._pidfd, self._ended)

    def kill(self) -> None:
        """Kill the program and its process group; nothing happens if it has ended."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _ended(self) -> None:
        self.kill()  # other processes of the group
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        self._popen.returncode = self.exit_code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._on_end(self)
