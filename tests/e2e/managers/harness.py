"""Several managers on one PostgreSQL, with a broker and proplets: all real programs, each to be ended."""

import base64
import contextlib
import functools
import os
import signal
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import wasmtime

from tests.e2e.fleet.harness import PROPELLER, Fleet, Program, print_logs
from tests.parts.netns import Island
from tests.parts.ports import free_port
from tests.parts.postgres import PASSWORD, USER, Postgres, running
from tests.waiting import until

#: ``log(i32, i64) -> i32``: appends the number to the file ``log`` in one of its directories, which may not be the
#: first, sleeps, and returns it.
LOGGER = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "log")
  (func $check (param i32) (if (local.get 0) (then unreachable)))
  (func (export "log") (param $n i32) (param $ns i64) (result i32)
    (local $dir i32)
    (local.set $dir (i32.const 3))
    (loop $next
      (if (call $open (local.get $dir) (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 0)
          (i64.const 64) (i64.const 64) (i32.const 1) (i32.const 16))
        (then
          (local.set $dir (i32.add (local.get $dir) (i32.const 1)))
          (call $check (i32.gt_u (local.get $dir) (i32.const 9)))
          (br $next))))
    (i32.store (i32.const 32) (local.get $n))
    (i32.store (i32.const 24) (i32.const 32))
    (i32.store (i32.const 28) (i32.const 4))
    (call $check (call $write (i32.load (i32.const 16)) (i32.const 24) (i32.const 1) (i32.const 40)))
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (local.get $ns))
    (call $check (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 192)))
    (local.get $n)))"""
LOGGING = base64.b64encode(wasmtime.wat2wasm(LOGGER)).decode()
MS_NS = 1_000_000


class One:
    """One of several managers: its program, and a client of its API."""

    def __init__(self, name: str, program: Program, port: int, host: str) -> None:
        self.name = name
        self.program = program
        self.port = port
        self.url = f"http://{host}:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    @property
    def pid(self) -> int:
        assert self.program.process is not None
        return self.program.process.pid

    def send(self, what: signal.Signals) -> None:
        os.kill(self.pid, what)

    @property
    def said(self) -> str:
        return self.program.said

    def is_answered(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.http.get("/health", timeout=2).is_success
        return False


class Several:
    """The managers of one database, and one fleet."""

    def __init__(self, directory: Path, server: Postgres, proplets: int = 1) -> None:
        self.server = server
        self.database = server.database()
        self.fleet = Fleet(directory, proplets)
        self.directory = directory
        self.logs = directory / "logs"
        self.logs.mkdir()
        (self.logs / "log").touch()
        self.managers: dict[str, One] = {}

    # -- programs ------------------------------------------------------------------------------------------

    def begin(self, *names: str, **env: str) -> None:
        """Start the broker, managers of these names, and all proplets; return when work can be done."""
        self.fleet.broker.start()
        for name in names:
            self.start(name, **env)
        self.fleet.ask_at(str(self.managers[names[0]].port))
        for section in self.fleet.sections:
            self.fleet.start_proplet(section, PROPLET_DIRS=str(self.logs))
        self.fleet.wait_for_proplets(len(self.fleet.sections))

    def start(
        self,
        name: str,
        *flags: str,
        island: Island | None = None,
        seen_from: Island | None = None,
        **env: str,
    ) -> One:
        """Start a manager, maybe on another machine or reached from one, and wait until it answers."""
        here = island.host if island else "127.0.0.1"
        host = island.own if island else "127.0.0.1"
        before = self.managers.get(name)
        if before is not None:
            before.http.close()
        port = before.port if before is not None else free_port()
        command = [*PROPELLER, "manager", "--config", str(self.fleet.config)]
        command += ["--http-host", "" if seen_from else host, "--http-port", str(port)]
        command += ["--data-dir", str(self.directory / name), *flags]
        if island is not None:
            command = island.command(command)
        variables = {
            "MANAGER_STORAGE_TYPE": "postgres",
            "MANAGER_POSTGRES_HOST": here,
            "MANAGER_POSTGRES_PORT": str(self.server.port),
            "MANAGER_POSTGRES_USER": USER,
            "MANAGER_POSTGRES_PASS": PASSWORD,
            "MANAGER_POSTGRES_DB": self.database,
            "MANAGER_MQTT_ADDRESS": f"tcp://{here}:{self.fleet.port}",
            "MANAGER_LIVENESS": "20s",
            "MANAGER_AUTH": "none",  # it may listen elsewhere than on loopback
            **env,
        }
        if seen_from is not None:
            variables["MANAGER_ADVERTISE_URL"] = f"http://{seen_from.host}:{port}"
        program = Program(command, self.directory / f"{name}.log", variables)
        one = self.managers[name] = One(name, program, port, host)

        def is_up() -> bool:
            assert one.program.process is not None
            assert one.program.process.poll() is None, one.said
            return one.is_answered()

        until(is_up)
        return one

    def begin_again(self, one: One) -> None:
        """Start a manager anew that has ended, as it was; it need not answer yet."""
        one.program.start()

    def revive(self, one: One) -> None:
        """Start a manager anew if it has ended, and wait until it answers."""
        if one.program.process is None:
            self.begin_again(one)
        until(one.is_answered)

    def end(self) -> None:
        with contextlib.ExitStack() as each:
            each.callback(self.fleet.end)
            for one in self.managers.values():
                each.callback(one.http.close)
                each.callback(one.program.kill)
                if one.program.process is not None:
                    with contextlib.suppress(ProcessLookupError):
                        one.send(signal.SIGCONT)

    # -- who leads -----------------------------------------------------------------------------------------

    def token(self) -> int:
        return int(self._row().split("|")[0])

    def _row(self) -> str:
        return self.server.sql(
            "SELECT token, holder, expires_at >= clock_timestamp() FROM leader", self.database
        )

    def leader(self) -> One:
        """Wait until one leads by the database, and give it."""

        def look() -> One | None:
            _, holder, leads = self._row().split("|")
            for one in self.managers.values():
                if leads == "t" and one.program.process is not None and f"-{one.pid}-" in holder:
                    return one
            return None

        found: One = until(look, seconds=20)
        return found

    def let_lead(self, one: One) -> None:
        """Let one of two managers lead, and the other be there."""
        other = next(found for found in self.managers.values() if found is not one)
        self.revive(one)
        if self.leader() is other:
            other.program.stop()
            until(lambda: self.leader() is one)
        self.revive(other)

    def others(self) -> list[One]:
        leader = self.leader()
        return [
            one for one in self.managers.values() if one is not leader and one.program.process is not None
        ]

    # -- work ----------------------------------------------------------------------------------------------

    def logged(self) -> list[int]:
        """Give all numbers that guests have written, in order."""
        data = (self.logs / "log").read_bytes()
        return [number for (number,) in struct.iter_unpack("<i", data[: len(data) // 4 * 4])]


def works_within(one: One, seconds: float, began: float) -> float:
    """Create, start and end a task at this manager; give how long after ``began`` it had ended, s."""
    body = {"name": "log", "file": LOGGING, "inputs": [0, 0]}
    until_s = began + seconds
    key = f"probe-{began}"

    def ask(method: str, path: str, **more: Any) -> httpx.Response:
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = one.http.request(method, path, timeout=15, **more)
                if answer.status_code not in (502, 503):
                    assert answer.is_success, answer.text
                    return answer
            assert time.monotonic() < until_s + 10, "no answer"

    task = ask("POST", "/tasks", json=body, headers={"Idempotency-Key": key}).json()["id"]
    ask("POST", f"/tasks/{task}/start", headers={"Idempotency-Key": f"{key}-start"})
    until(lambda: ask("GET", f"/tasks/{task}").json()["state"] == 3, seconds=seconds + 10)
    return time.monotonic() - began


@contextlib.contextmanager
def a_server() -> Iterator[Postgres]:
    """Keep a server that the islands reach too."""
    server = Postgres(host="*")
    with (server.data / "pg_hba.conf").open("a") as access:
        access.write("host all all 198.18.0.0/15 scram-sha-256\n")
    with running(server):
        yield server


@pytest.fixture(scope="session")
def database_server() -> Iterator[Postgres]:
    with a_server() as server:
        yield server


@contextlib.contextmanager
def several_managers(directory: Path, server: Postgres, proplets: int = 1) -> Iterator[Several]:
    """Make managers and a fleet that are ended afterwards; what they said is printed, for where a test fails."""
    directory.mkdir(exist_ok=True)
    several = Several(directory, server, proplets)
    try:
        yield several
    finally:
        several.end()
        print_logs(directory)


@pytest.fixture(scope="session")
def make_several(database_server):
    """Give ``several_managers`` a server."""
    return functools.partial(several_managers, server=database_server)


@pytest.fixture(scope="module")
def both(make_several, tmp_path_factory):
    """Keep two managers, with a broker and a proplet, for the tests of a file."""
    with make_several(tmp_path_factory.mktemp("several")) as several:
        several.begin("a", "b")
        yield several
