"""The fork server: a small process that forks runners, kills them and reaps them.

It has wasmtime loaded and no threads, so that a runner is up in a few milliseconds and nothing of the
proplet (its event loop, its sockets, its threads) is carried into a runner. It owns the runners: only it
signals them, and only until it has reaped them, so that no signal hits another process with the same id.

Orders, on a Unix socket: ``("s", place)`` with the runner's end of a socket pair: fork a runner; ``("k",
place)``: kill it. Reports: ``(place, status)`` when a runner has died, with the status as from ``waitpid``.
When the socket closes, the proplet is gone: all runners are killed and the fork server ends.
"""

import contextlib
import mmap
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

import msgspec

from propeller.runtime.guest_run import Limits
from propeller.runtime.pool.protocol import SPAWN, RunnerStatus, order, report
from propeller.runtime.runner import runner
from propeller.runtime.system.launch import die_first, die_with_parent, leave_room


class _Forkserver:
    def __init__(self, control: socket.socket, page: mmap.mmap, directory: Path, limits: Limits) -> None:
        self._control = control
        self._page = page
        self._directory = directory
        self._limits = limits
        #: Process id of each living runner, and the place it has in the pool.
        self._places: dict[int, int] = {}
        self._wake, self._woken = socket.socketpair()

    def serve(self) -> None:
        self._wake.settimeout(0)
        self._woken.settimeout(0)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            readable, _, _ = select.select([self._control, self._woken], [], [])
            if self._woken in readable:
                self._woken.recv(4096)
                self._reap()
            if self._control in readable and not self._obey():
                break
        for pid in self._places:
            os.kill(pid, signal.SIGKILL)
        for pid in self._places:
            os.waitpid(pid, 0)

    def _obey(self) -> bool:
        try:
            data, fds, _, _ = socket.recv_fds(self._control, order.size, 1)
        except ConnectionError:
            return False
        if len(data) < order.size:
            return False
        what, place = order.unpack(data)
        if what == SPAWN:
            with socket.socket(fileno=fds[0]) as end:
                self._fork(place, end)
        else:
            for pid in [pid for pid, at in self._places.items() if at == place]:
                os.kill(pid, signal.SIGKILL)
        return True

    def _fork(self, place: int, end: socket.socket) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            sys.stderr.write(f"propeller: a runner can't be forked: {error.strerror}\n")
            self._report(place, 1 << 8)
            return
        if pid == 0:
            self._be_runner(place, end, parent)
        self._places[pid] = place

    def _be_runner(self, place: int, end: socket.socket, parent: int) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_parent(parent)
            die_first()
            self._control.close()
            self._wake.close()
            self._woken.close()
            runner.main(end, RunnerStatus(self._page, place), self._directory, place, self._limits)
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)

    def _reap(self) -> None:
        """Reap all runners that died; one signal may stand for several deaths."""
        while self._places:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            self._report(self._places.pop(pid), status)

    def _report(self, place: int, status: int) -> None:
        with contextlib.suppress(ConnectionError):  # the proplet is gone; serve() sees that next
            self._control.sendall(report.pack(place, status))


def main() -> None:
    """Serve; arguments: descriptor of the socket, of the shared page, the directory, the limits as JSON."""
    # Ctrl-C and a service manager's SIGTERM go to all; the proplet decides what becomes of the runs.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    leave_room()
    control = socket.socket(fileno=int(sys.argv[1]))
    page = mmap.mmap(int(sys.argv[2]), 0)
    os.close(int(sys.argv[2]))
    _Forkserver(control, page, Path(sys.argv[3]), msgspec.json.decode(sys.argv[4], type=Limits)).serve()


if __name__ == "__main__":
    main()
