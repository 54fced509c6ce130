"""Ports that nobody else has."""

import random
import socket
import time

#: Below those which systems give out by themselves. Otherwise a client that looks for a server which is away
#: may be given the server's own port for its end, and then talks to itself and keeps the server from its port.
_PORTS = range(20_000, 32_768)
_chance = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """Find a port that is free, and that was not given to anybody else in this process."""
    while True:
        port = _chance.choice(_PORTS)
        if port not in _given and _can_be_bound(port):
            _given.add(port)
            return port


def _can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


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
