"""A cluster of real NATS servers which speak MQTT: one may fail, and the others go on.

What NATS 2.9 (Debian 12) does not offer over MQTT: quality of service 2. It ends the connection of who
publishes with it, so programs are to be told ``--mqtt-qos 1``.
"""

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.parts.ports import free_port, wait_for_port
from tests.parts.programs import path_of
from tests.waiting import until


class Node:
    """One server of a cluster; it keeps what it has over a restart."""

    def __init__(self, directory: Path, name: str, cluster_ports: list[int], own: int) -> None:
        directory.mkdir(parents=True)
        self.name = name
        self.port = free_port()
        self._monitor = free_port()
        self._log = directory / "log"
        self._config = directory / "nats.conf"
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in cluster_ports)
        cluster = f"cluster {{ name: fleet, listen: 127.0.0.1:{own}, routes: [{routes}] }}"
        self._config.write_text(
            f"""\
server_name: {name}
listen: 127.0.0.1:{free_port()}
http: 127.0.0.1:{self._monitor}
jetstream {{ store_dir: "{directory}/data" }}
{cluster if len(cluster_ports) > 1 else ""}
mqtt {{ listen: "127.0.0.1:{self.port}", stream_replicas: {len(cluster_ports)} }}
"""
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [path_of("nats-server"), "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def is_ready(self) -> bool:
        """Say whether it takes part in a cluster that has a leader, and is up to date there."""
        found = self._asked("/healthz")
        return found is not None and found.get("status") == "ok"

    def _asked(self, path: str) -> dict[str, Any] | None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self._monitor}{path}", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except OSError:
            return None
        return found


class Cluster:
    """Three servers, each with its own address for MQTT."""

    def __init__(self, directory: Path, size: int = 3) -> None:
        ports = [free_port() for _ in range(size)]
        self.nodes = [
            Node(directory / f"node{n}", f"node{n}", ports, own) for n, own in enumerate(ports, start=1)
        ]

    def __enter__(self) -> Self:
        for node in self.nodes:
            node.start()
        try:
            for node in self.nodes:
                wait_for_port(node.port)
                until(node.is_ready)
        except BaseException:
            self.__exit__()
            for node in self.nodes:
                print(f"-- {node.name}\n{node.said[-3000:]}")
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()
