"""``propeller`` in forks of one process that has loaded it, each of which is spared the time to load.

A fork is a process of its own. It gets its arguments, directory, variables and streams, runs the program from its
first line on, and ends as any other. What loading has to do with is tried with programs that are started.

``python -m tests.parts.forks PATH`` is the process that forks: it listens on a Unix socket, and ends with its input.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_SIZE_BYTES = 8
_FORKED_WITHIN_S = 30


class Forks:
    """Starts the process that forks, and asks it for forks; several may run at once."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "forks"
        command = [sys.executable, "-m", "tests.parts.forks", str(self._path)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"it listens\n"

    def run(
        self, arguments: tuple[str, ...], *, cwd: Path, env: Mapping[str, str], seconds: float
    ) -> "subprocess.CompletedProcess[str]":
        """Run the program to its end, without input."""
        order = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": dict(env)}).encode()
        with contextlib.ExitStack() as opened:
            control = opened.enter_context(socket.socket(socket.AF_UNIX))
            out, err = (opened.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            nothing = opened.enter_context(Path(os.devnull).open("rb"))
            control.settimeout(_FORKED_WITHIN_S)
            control.connect(str(self._path))
            size = len(order).to_bytes(_SIZE_BYTES)
            socket.send_fds(control, [size], [each.fileno() for each in (nothing, out, err)])
            control.sendall(order)
            pid = _received(control, _SIZE_BYTES)
            control.settimeout(seconds)
            try:
                status = _received(control, _SIZE_BYTES)
            except TimeoutError:
                os.kill(int.from_bytes(pid), signal.SIGKILL)
                raise
            printed = []
            for each in (out, err):
                each.seek(0)
                printed.append(each.read().decode().replace("\r\n", "\n").replace("\r", "\n"))
        code = os.waitstatus_to_exitcode(int.from_bytes(status))
        return subprocess.CompletedProcess(["propeller", *arguments], code, *printed)

    def close(self) -> None:
        self._process.communicate()


def _received(control: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = control.recv(size - len(data))
        assert part, "the process that forks is gone"
        data += part
    return data


def _forked(control: socket.socket) -> None:
    """Return in a fork that is to run the program; the process in between tells how it ended."""
    size, descriptors, _, _ = socket.recv_fds(control, _SIZE_BYTES, 3)
    order = json.loads(_received(control, int.from_bytes(size)))
    if pid := os.fork():
        control.sendall(pid.to_bytes(_SIZE_BYTES))
        _, status = os.waitpid(pid, 0)
        control.sendall(status.to_bytes(_SIZE_BYTES))
        os._exit(0)
    control.close()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.path[0] = order["cwd"]
    sys.argv[1:] = order["arguments"]


def _serve(path: str) -> bool:
    """Fork until the input ends; say whether this is a fork."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("it listens", flush=True)
        while listener in select.select([listener, 0], [], [])[0]:
            control, _ = listener.accept()
            if not os.fork():
                break
            control.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
        else:
            return False
    _forked(control)
    return True


if __name__ == "__main__":
    # What every command loads that asks a manager; the rest each loads by itself.
    import httpcore
    import rich.console
    import rich.table

    import propeller.cli.main
    import propeller.client.api
    from propeller.__main__ import main

    assert httpcore, rich
    assert propeller
    if _serve(sys.argv[1]):
        main()
