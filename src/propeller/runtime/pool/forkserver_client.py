"""The pool's side of the fork server: asks for runners and hears how they died."""

import asyncio
import contextlib
import mmap
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from propeller.runtime.guest_run import Limits
from propeller.runtime.pool.protocol import KILL, SPAWN, RunnerStatus, order, page_bytes, report
from propeller.runtime.system.death import Death, death_of

_END_S_MAX = 5.0


class ForkserverClient:
    """Starts the fork server when a runner is first wanted, and again after it has died."""

    def __init__(
        self, directory: Path, limits: Limits, *, places: int, on_death: Callable[[int, Death], None]
    ) -> None:
        self._directory = directory
        self._limits = limits
        self._places = places
        #: Gets the place of a runner that died, and how.
        self._on_death = on_death
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._page: mmap.mmap | None = None
        self._living: set[int] = set()
        self._partial = b""

    @property
    def pid(self) -> int | None:
        """Process id of the fork server, while there is one."""
        return None if self._process is None else self._process.pid

    def spawn(self, place: int) -> tuple[socket.socket, RunnerStatus]:
        """Start a runner; what becomes of it is told on the socket, or by ``on_death``.

        Raises:
            OSError: No process or no descriptor is to be had.

        """
        if self._control is None:
            self._start()
        assert self._control is not None
        assert self._page is not None
        status = RunnerStatus(self._page, place)
        status.end()
        own_end, child_end = socket.socketpair()
        own_end.settimeout(0)
        with child_end:
            try:
                socket.send_fds(self._control, [order.pack(SPAWN, place)], [child_end.fileno()])
            except OSError:
                own_end.close()
                raise
        self._living.add(place)
        return own_end, status

    def kill(self, place: int) -> None:
        """Kill a runner; its death is reported like any other."""
        if self._control is not None and place in self._living:
            with contextlib.suppress(OSError):
                self._control.send(order.pack(KILL, place))

    async def close(self) -> None:
        """End all; when this returns, no process is left."""
        self._living.clear()
        self._hang_up()
        process, self._process = self._process, None
        if process is not None:
            await asyncio.get_running_loop().run_in_executor(None, _wait_for_end, process)

    def _start(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        with contextlib.ExitStack() as stack:
            page = stack.enter_context(_shared_file(page_bytes(self._places)))
            self._page = mmap.mmap(page.fileno(), 0)
            own_end, child_end = socket.socketpair()
            stack.enter_context(child_end)
            own_end.settimeout(0)
            descriptors = (child_end.fileno(), page.fileno())
            limits = msgspec.json.encode(self._limits).decode()
            arguments = [*map(str, descriptors), str(self._directory), limits]
            try:
                self._process = subprocess.Popen(
                    # -P: of modules in the working directory, where guests may write, none is loaded.
                    [sys.executable, "-P", "-m", "propeller.runtime.runner.forkserver", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=descriptors,
                )
            except OSError:
                own_end.close()
                raise
        self._control = own_end
        self._partial = b""
        asyncio.get_running_loop().add_reader(own_end, self._on_readable)

    def _on_readable(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._on_forkserver_died()
            return
        data = self._partial + data
        whole = len(data) - len(data) % report.size
        self._partial = data[whole:]
        for place, status in report.iter_unpack(data[:whole]):
            if place in self._living:
                self._living.remove(place)
                self._on_death(place, death_of(os.waitstatus_to_exitcode(status)))

    def _on_forkserver_died(self) -> None:
        """The runners died with it."""
        self._hang_up()
        living, self._living = self._living, set()
        how = "ended together with the process that starts such processes"
        for place in sorted(living):
            self._on_death(place, Death(how, is_from_outside=True))

    def _hang_up(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control = None


def _shared_file(size_bytes: int) -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("propeller-runners"), "r+b", buffering=0)
    else:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the caller's business
    file.truncate(size_bytes)
    return file


def _wait_for_end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_END_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
