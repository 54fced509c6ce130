"""Ports that nobody else has."""

import socket
import time


def free_port() -> int:
    """Find a port that was free a moment ago; the system does not give it out again soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def wait_for_port(port: int, host: str = "127.0.0.1", seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not answers(port, host):
        assert time.monotonic() < deadline, f"nobody listens on {host}:{port}"
        time.sleep(0.01)
