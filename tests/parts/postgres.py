"""A real PostgreSQL of its own: in a directory of its own, on a socket there and on a port of TCP."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.parts.certificates import Certificates
from tests.parts.ports import free_port
from tests.parts.programs import path_of

#: The role that owns the databases of tests, and its password; it is no superuser.
USER = PASSWORD = "propeller"
#: The superuser, who needs no password on the socket.
ADMIN = "postgres"

#: What makes it fast; ``kill -9`` takes nothing with it, for the system keeps what was written.
_TUNED = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": "200"}


class Postgres:
    """One server; it keeps its data over a stop and a crash, until it is removed."""

    def __init__(self, *, host: str = "127.0.0.1", settings: Mapping[str, str] | None = None) -> None:
        """Make the data directory; ``settings`` are those of ``postgresql.conf`` and stand above ours."""
        self.host = host
        self.port = free_port()
        self.settings = {**_TUNED, **(settings or {})}
        self._names = (f"test_{number}" for number in itertools.count(1))
        self._process: subprocess.Popen[bytes] | None = None
        self._has_role = False
        self._who = _user()
        self.directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self.data = self.directory / "data"
        self._log = self.directory / "log"
        self._log.touch()
        if self._who:
            for path in (self.directory, self._log):
                shutil.chown(path, self._who.pw_uid, self._who.pw_gid)
        words = ["--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8"]
        self._run("initdb", "-D", self.data, "-U", ADMIN, "--locale=C.UTF-8", *words)

    def copied(self, *, is_standby: bool = False) -> "Postgres":
        """Make another one with the data of this one, which does not run; a standby only reads."""
        assert self._process is None
        other = Postgres(host=self.host)
        shutil.rmtree(other.data)
        subprocess.run(["cp", "-a", self.data, other.data], check=True)
        other._has_role = self._has_role
        if is_standby:
            (other.data / "standby.signal").touch()
        return other

    @property
    def socket(self) -> str:
        """The directory of the socket, which clients take for a host."""
        return str(self.directory)

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def certify(self, certificates: Certificates) -> None:
        """Let it speak TLS from its next start on."""
        for source, name in ((certificates.server, "server.crt"), (certificates.server_key, "server.key")):
            target = self.data / name
            shutil.copyfile(source, target)
            target.chmod(0o600)
            if self._who:
                shutil.chown(target, self._who.pw_uid, self._who.pw_gid)
        self.settings["ssl"] = "on"

    # -- the process ---------------------------------------------------------------------------------------

    def start(self, seconds: float = 30) -> None:
        """Start it and wait until it answers, which it does when it has recovered."""
        assert self._process is None
        own = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": self.socket,
            **self.settings,
        }
        words = [word for name, value in own.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [path_of("postgres"), "-D", str(self.data), *words],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # so that a signal reaches all of its processes
                **self._as_user(),
            )
        self.wait(seconds)
        if not self._has_role:
            self.sql(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            self._has_role = True

    def wait(self, seconds: float = 30) -> None:
        """Wait until it takes connections."""
        deadline = time.monotonic() + seconds
        while self._psql("SELECT 1", "postgres").returncode:
            assert self._process is None or self._process.poll() is None, self.said[-4000:]
            assert time.monotonic() < deadline, f"PostgreSQL does not answer: {self.said[-4000:]}"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in order; connections are cut."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End all of its processes as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let all of its processes stand still: clients get no answer, and no error."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Kill it if it runs, and delete its data."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _signal(self, what: signal.Signals) -> None:
        """Send a signal to the server, first, and to its children, which have groups of their own."""
        server = self.pid
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        for pid in (server, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, what)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if how == signal.SIGKILL:
            self._signal(how)
        else:
            self._process.send_signal(how)
        self._process.wait(60)
        self._process = None

    # -- databases -----------------------------------------------------------------------------------------

    def database(self, *, template: str = "template1") -> str:
        """Make a fresh database, a copy of a template, that belongs to ``USER``; give its name.

        Nobody may be connected to the template.
        """
        name = next(self._names)
        self.sql(f"CREATE DATABASE {name} OWNER {USER} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Delete a database; whoever is connected to it is cut."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run SQL as the superuser; give what it printed, columns parted by ``|``."""
        done = self._psql(text, database)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def _psql(self, text: str, database: str) -> "subprocess.CompletedProcess[bytes]":
        command = [path_of("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-p", str(self.port)]
        command += ["-U", ADMIN, "-d", database, "-c", text]
        return subprocess.run(command, capture_output=True, check=False, timeout=60)

    def _run(self, program: str, *words: str | Path) -> None:
        done = subprocess.run(
            [path_of(program), *map(str, words)],
            capture_output=True,
            check=False,
            timeout=120,
            **self._as_user(),
        )
        assert done.returncode == 0, done.stderr.decode()

    def _as_user(self) -> dict:
        """Give the arguments of ``subprocess`` that start a program as the user who owns the data."""
        if self._who is None:
            return {"cwd": self.directory}
        who = {"user": self._who.pw_uid, "group": self._who.pw_gid, "extra_groups": []}
        return {"cwd": self.directory, **who}


def _user() -> pwd.struct_passwd | None:
    """Choose the user whom the server runs as: None for our own; it refuses to run as root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("there is no user postgres and no user nobody")


@contextlib.contextmanager
def running(server: Postgres) -> Iterator[Postgres]:
    """Keep a server for a while; what it said is printed, which pytest shows where a test fails."""
    try:
        server.start()
        yield server
    finally:
        print(f"-- PostgreSQL\n{server.said[-4000:]}")
        server.remove()
