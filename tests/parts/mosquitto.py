"""A real Mosquitto."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.parts.certificates import Certificates
from tests.parts.ports import answers, free_port
from tests.parts.programs import path_of


class Mosquitto:
    """One broker; it keeps its sessions over a restart unless told to lose them."""

    def __init__(self, config: Path, port: int, *, host: str = "127.0.0.1") -> None:
        self._config = config
        self._log = config.with_name("mosquitto.log")
        self.host = host
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def start(self, seconds: float = 20) -> None:
        """Start it and wait until it listens, which it does when it has read its sessions."""
        assert self._process is None
        with self._log.open("ab") as log:
            command = [path_of("mosquitto"), "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + seconds
        while not answers(self.port, self.host):
            assert self._process.poll() is None, f"mosquitto ended: {self.said[-2000:]}"
            assert time.monotonic() < deadline, f"mosquitto does not listen: {self.said[-2000:]}"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in peace: it saves its sessions."""
        self._end("terminate")

    def reload(self) -> None:
        """Let it read its files again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end("kill")

    def _end(self, how: str) -> None:
        if self._process is not None:
            getattr(self._process, how)()
            self._process.wait(20)
            self._process = None

    def lose_sessions(self) -> None:
        """Delete what it keeps; it must not run."""
        assert self._process is None
        for kept in self._config.parent.rglob("mosquitto.db*"):
            kept.unlink()


def open_to_all(
    directory: Path,
    *,
    host: str = "127.0.0.1",
    certificates: Certificates | None = None,
    is_mutual: bool = False,
    max_qos: int = 2,
    is_tuned: bool = True,
    more: Sequence[str] = (),
) -> Mosquitto:
    """Make a broker that asks nobody for a password; with certificates it speaks TLS.

    One that is not tuned has Mosquitto's own settings for all that makes it fast and safe. ``more`` are lines of
    its configuration, and stand above ours.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    lines = [
        f"listener {port} {host}",
        f"max_qos {max_qos}",
        "allow_anonymous true",
        "user root",
    ]
    if is_tuned:
        lines += [
            "persistence true",
            f"persistence_location {directory}/",
            "autosave_interval 1",
            "set_tcp_nodelay true",
            "max_inflight_messages 0",
            "max_queued_messages 0",
        ]
    if certificates:
        lines += [
            f"cafile {certificates.ca}",
            f"certfile {certificates.server}",
            f"keyfile {certificates.server_key}",
            f"require_certificate {'true' if is_mutual else 'false'}",
        ]
    config = directory / "mosquitto.conf"
    config.write_text("\n".join([*lines, *more]) + "\n")
    return Mosquitto(config, port, host=host)


@contextlib.contextmanager
def running(broker: Mosquitto) -> Iterator[Mosquitto]:
    """Keep a broker for a while; what it said is printed, which pytest shows where a test fails."""
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
        print(f"-- mosquitto\n{broker.said[-4000:]}")
