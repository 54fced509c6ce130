"""A manager and proplets as programs of their own, with a real broker between them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.parts.ports import answers, free_port

from bench.broker import broker
from bench.http import Http
from propeller.wire.fleet.keys import new_key, public_of
from propeller.wire.rfc3339 import parse_time

_SECONDS_MAX = 120
_PROPELLER = [sys.executable, "-m", "propeller"]


class Fleet:
    """All of it, from the broker's start to its end; what the programs say goes to files."""

    def __init__(
        self,
        directory: Path,
        *,
        proplets: int,
        qos: int = 1,
        is_tuned: bool = True,
        is_signed: bool = False,
    ) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)
        #: By program; none where nothing is signed.
        self._keys = {name: new_key() for name in _names(proplets)} if is_signed else {}
        self._qos = qos
        self._port = free_port()
        self._programs: list[subprocess.Popen[bytes]] = []
        self.broker = broker(directory / "broker", is_tuned=is_tuned)
        self._proplets = proplets

    def __enter__(self) -> Self:
        self.broker.start()
        self.manager = self._start("manager", HTTP_HOST="127.0.0.1", HTTP_PORT=str(self._port))
        self.http = self.connection()
        until(self._is_up)
        for number in range(self._proplets):
            self._start("proplet", number)
        self.wait_for_proplets(self._proplets)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        for program in self._programs:
            program.kill()  # whatever else it started ends with the session of this measurement
            program.wait(_SECONDS_MAX)
        self.broker.kill()

    def connection(self) -> Http:
        return Http("127.0.0.1", self._port)

    def wait_for_proplets(self, count: int) -> None:
        until(lambda: self._ask("/proplets?status=active&limit=1")["total"] >= count)

    def last_alive_at(self, proplet_id: str) -> float:
        """Tell when the manager last heard of a proplet, s since the epoch."""
        return (parse_time(self._ask(f"/proplets/{proplet_id}")["last_alive_at"]) or 0) / 1e9

    def _ask(self, path: str) -> Any:
        """Ask over a connection of its own: the manager hangs up on one that was silent for long."""
        http = self.connection()
        try:
            return http.get(path)
        finally:
            http.close()

    def _start(self, command: str, number: int | None = None, **settings: str) -> subprocess.Popen[bytes]:
        name = command if number is None else f"{command}{number}"
        settings |= {
            "MQTT_ADDRESS": f"tcp://{self.broker.address}",
            "MQTT_QOS": str(self._qos),
            "TENANT_ID": "bench",
            "CHANNEL_ID": "bench",
            "ENTITY_ID": name,
            "API_KEY": "none",
            "DATA_DIR": str(self._directory / name),
        }
        settings |= self._signing(command, name)
        given = {f"{command.upper()}_{key}": value for key, value in settings.items()}
        with (self._directory / f"{name}.log").open("wb") as log:
            program = subprocess.Popen(
                [*_PROPELLER, command], stdout=log, stderr=log, env={**os.environ, **given}
            )
        self._programs.append(program)
        return program

    def _signing(self, command: str, name: str) -> dict[str, str]:
        """Give the settings of a program for its own key and those of the others."""
        if not self._keys:
            return {}
        if command == "proplet":
            return {"SIGNING_KEY": self._keys[name], "MANAGER_KEY": public_of(self._keys["manager"])}
        public = (f"{other}={public_of(key)}" for other, key in self._keys.items() if other != name)
        return {"SIGNING_KEY": self._keys[name], "PROPLET_KEYS": ",".join(public)}

    def _is_up(self) -> bool:
        assert self.manager.poll() is None, (self._directory / "manager.log").read_text()
        return answers(self._port)


def _names(proplets: int) -> list[str]:
    return ["manager", *(f"proplet{number}" for number in range(proplets))]


def until(look: Callable[[], object]) -> None:
    """Wait for something to be true."""
    deadline = time.monotonic() + _SECONDS_MAX
    while not look():
        assert time.monotonic() < deadline, "a part of the fleet hangs"
        time.sleep(0.01)
