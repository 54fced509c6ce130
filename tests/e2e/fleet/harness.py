"""A fleet of real programs: a broker with passwords and access rules, a manager, proplets, each to be ended."""

import contextlib
import os
import re
import signal
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.parts.mosquitto import Mosquitto
from tests.parts.netns import Island
from tests.parts.ports import free_port
from tests.waiting import gone, until

ADDITION = "AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoJAQcAIAAgAWoL"
PROPELLER = [sys.executable, "-m", "propeller"]


class Program:
    """A program of the fleet as a process; what it says goes to a file."""

    def __init__(self, command: list[str], log: Path, env: Mapping[str, str]) -> None:
        self._command = command
        self._env = {**os.environ, **env}
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        assert self.process is None
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._env)

    def kill(self) -> None:
        """End it as a crash does, with all that it started."""
        if self.process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            assert gone(family)
        self.process.wait(20)
        self.process = None

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        self.process = None
        return code

    @property
    def said(self) -> str:
        return self._log.read_text()


class Fleet:
    """Identities for a manager and some proplets, as ``propeller provision`` makes them, and their programs.

    ``foreign`` has ids of proplets that only know the contract; ``tls`` is the flag that makes certificates.
    """

    def __init__(self, directory: Path, proplets: int, foreign: Sequence[str] = (), tls: str = "") -> None:
        self.directory = directory
        self.port = free_port()
        self.config = directory / "config.toml"
        address = f"{'ssl' if tls else 'tcp'}://127.0.0.1:{self.port}"
        others = [word for name in foreign for word in ("--foreign", name)]
        size = ["--proplets", str(proplets), *others, *([tls] if tls else [])]
        self.ca = directory / "tls" / "ca.crt" if tls else None
        self.run("provision", "-f", str(self.config), *size, "--mqtt-address", address)
        self.broker = Mosquitto(directory / "mosquitto.conf", self.port)
        self.sections = ["proplet"] if proplets == 1 else [f"proplet{n + 1}" for n in range(proplets)]
        self.ids = dict(re.findall(r'\[(\w+)\][^\[]*?entity_id = "([^"]+)"', self.config.read_text()))
        self.proplets: dict[str, Program] = {}
        self.manager: Program | None = None
        self._others: list[Program] = []

    def run(self, *words: str) -> str:
        done = subprocess.run([*PROPELLER, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def section(self, name: str) -> dict[str, str]:
        """Read the identity of a program."""
        found: dict[str, str] = tomllib.loads(self.config.read_text())[name]
        return found

    def drop_access_rules(self, *, is_heard: bool = True) -> None:
        """Let whoever has a password say and hear everything, and maybe be heard by the manager."""
        config = self.directory / "mosquitto.conf"
        config.write_text(re.sub(r"(?m)^(acl_file|use_username_as_clientid) .*$", "", config.read_text()))
        if not is_heard:
            return
        text = self.config.read_text()
        self.config.write_text(re.sub(r"(?m)^allow_foreign .*$", 'allow_foreign = "*"', text))

    # -- programs ------------------------------------------------------------------------------------------

    def begin(self, *flags: str, proplet_env: Mapping[str, str] | None = None) -> None:
        """Start the broker, the manager, and all proplets; return when they are there."""
        self.broker.start()
        self.start_manager(*flags)
        for section in self.sections:
            self.start_proplet(section, **(proplet_env or {}))
        self.wait_for_proplets(len(self.sections))

    def start_manager(self, *flags: str, program: Sequence[str] = PROPELLER, **env: str) -> None:
        port = str(free_port())
        command = [
            *program,
            "manager",
            "--config",
            str(self.config),
            "--http-host",
            "127.0.0.1",
            "--http-port",
            port,
        ]
        command += ["--data-dir", str(self.directory / "manager"), *flags]
        self.manager = Program(command, self.directory / "manager.log", env)
        self.ask_at(port)

        def is_up() -> bool:
            assert self.manager is not None
            assert self.manager.process is not None
            assert self.manager.process.poll() is None, self.manager.said
            return self.is_answered()

        until(is_up)

    def ask_at(self, port: str) -> None:
        """Send requests to the manager on this port from now on."""
        if hasattr(self, "http"):
            self.http.close()
        scheme, trust = "http", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca is not None:
            scheme, trust = "https", ssl.create_default_context(cafile=self.ca)
        url = f"{scheme}://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=url, timeout=60, trust_env=False, verify=trust)

    def is_answered(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.http.get("/health").is_success
        return False

    def start_proplet(
        self, section: str, *, island: Island | None = None, clock: str = "", **env: str
    ) -> Program:
        """Start a proplet, maybe on another machine, maybe with a clock that is wrong by ``clock``."""
        command = [*PROPELLER, "proplet", "--config", str(self.config), "--section", section]
        command += ["--data-dir", str(self.directory / section)]
        if island is not None:
            env = {"PROPLET_MQTT_ADDRESS": f"tcp://{island.host}:{self.port}", **env}
            command = island.command(command)
        if clock:
            (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
            env = {"LD_PRELOAD": str(library), "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1", **env}
        env = {"PROPLET_LIVELINESS_INTERVAL": "1", "PROPLET_MQTT_QOS": "1", **env}
        self.proplets[section] = Program(command, self.directory / f"{section}.log", env)
        return self.proplets[section]

    def start_other(self, name: str, command: list[str], **env: str) -> Program:
        self._others.append(Program(command, self.directory / f"{name}.log", env))
        return self._others[-1]

    def wait_for_proplets(self, count: int, *, seconds: float = 60) -> None:
        def are_there() -> bool:
            return int(self.get("/proplets?status=active")["total"]) >= count

        until(are_there, seconds=seconds)

    def end(self) -> None:
        """End every program, also where one of them resists."""
        with contextlib.ExitStack() as each:
            if hasattr(self, "http"):
                each.callback(self.http.close)
            each.callback(self.broker.kill)
            for program in (self.manager, *self._others, *self.proplets.values()):
                if program is not None:
                    each.callback(program.kill)

    # -- HTTP ----------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        answer = self.http.request(method, path, json=body)
        assert answer.is_success if status is None else answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def task(self, **fields: Any) -> str:
        """Create a task and return its id."""
        return str(self.post("/tasks", {"name": "main", "file": ADDITION, "inputs": [1, 2], **fields})["id"])

    def wait_for_task(self, task_id: str, *states: int, seconds: float = 60) -> dict[str, Any]:
        """Wait until a task is in one of these states (of the ends, if none is given)."""

        def look() -> dict[str, Any] | None:
            task: dict[str, Any] = self.get(f"/tasks/{task_id}")
            return task if task["state"] in (states or (3, 4, 5, 6)) else None

        found: dict[str, Any] = until(look, seconds=seconds)
        return found

    def wait_for_workflow(self, workflow_id: str, *, seconds: float = 120) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            workflow = self._listed(workflow_id)
            live = sum(workflow["counts"][state] for state in ("pending", "scheduled", "running"))
            return None if live else workflow

        found: dict[str, Any] = until(look, seconds=seconds)
        return found

    def ended_tasks(self, workflow_id: str) -> int:
        counts = self._listed(workflow_id)["counts"]
        return int(sum(counts[state] for state in ("completed", "failed", "skipped", "interrupted")))

    def _listed(self, workflow_id: str) -> dict[str, Any]:
        """Look a workflow up in the list, where it is shown without its tasks: those would take their time."""
        listed = self.get("/workflows?limit=10")["workflows"]
        (found,) = (one for one in listed if one["workflow_id"] == workflow_id)
        return dict(found)


@pytest.fixture
def make_fleet(tmp_path):
    """Make fleets that are ended with the test, and show what they said if it failed."""
    made: list[Fleet] = []

    def make(proplets: int = 1, foreign: Sequence[str] = (), tls: str = "") -> Fleet:
        directory = tmp_path / f"fleet{len(made)}"
        directory.mkdir()
        made.append(Fleet(directory, proplets, foreign, tls))
        return made[-1]

    with contextlib.ExitStack() as each:
        yield make
        for fleet in made:
            each.callback(print_logs, fleet.directory)
            each.callback(fleet.end)


def print_logs(directory: Path) -> None:
    for log in sorted(directory.glob("*.log")):
        print(f"-- {log.name}\n{log.read_text()[-4000:]}")
