"""One process of a foreign program: its output, its end, and that nothing of it stays behind.

It leads a process group of its own, which is killed as a whole: when somebody wants it ended, and when the
program itself ends. The group is signalled only while its leader is not reaped, so that no signal hits a
stranger who was given the same number.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable

from propeller.runtime.external.command import Command
from propeller.runtime.guest_output import GuestOutput
from propeller.runtime.system import launch

_LAUNCH = launch.__file__
_PART_BYTES = 65536


class Stream:
    """Reads what a process writes to one of its descriptors, for as long as it writes.

    Args:
        printed: Takes it in.
        on_read: Called after each part, and may kill the process.

    """

    def __init__(self, printed: GuestOutput, on_read: Callable[[], None]) -> None:
        self._printed = printed
        self._on_read = on_read
        self._fd, self.theirs = os.pipe()
        os.set_blocking(self._fd, False)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        if self._take_part():
            self._on_read()

    def _take_part(self) -> bool:
        """Read a part; False when there is none now, or none will come any more."""
        try:
            part = os.read(self._fd, _PART_BYTES)
        except BlockingIOError:
            return False
        if not part:
            asyncio.get_running_loop().remove_reader(self._fd)
            return False
        self._printed.take(part)
        return True

    def handed_over(self) -> None:
        """Close the process's end here, which has its own copy now."""
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1

    def finish(self) -> None:
        """Take what is still in the pipe, whoever may hold its other end, and close."""
        self.handed_over()
        # No more than a pipe holds: a process that got away may write on and on.
        for _ in range(16):
            if not self._take_part():
                break
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


class Process:
    """A program that runs until it ends or is killed.

    Args:
        command: What to start.
        output: Its standard output.
        errors: Its standard error.
        on_end: Called once, from the loop, when it has ended and ``exit_code`` is known.

    Raises:
        OSError: It can't be started.

    """

    def __init__(
        self, command: Command, output: Stream, errors: Stream, on_end: Callable[["Process"], None]
    ) -> None:
        self._on_end = on_end
        #: Once it has ended; the negative number of a signal that killed it.
        self.exit_code = 0
        # Isolated, so that no variable of a task means anything to the launcher.
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), *command.argv],
            env=command.env,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output.theirs,
            stderr=errors.theirs,
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
        """Kill the program and all that it started in its group; nothing happens if it has ended."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _ended(self) -> None:
        self.kill()  # what it left behind
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        self._popen.returncode = self.exit_code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._on_end(self)
