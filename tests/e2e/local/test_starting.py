"""A manager that takes long to start: it says so to all who ask, and a signal ends it at once."""

import contextlib
import os
import signal
import subprocess
import time

import httpx
import pytest

from tests.e2e.local.harness import System
from tests.parts.ports import free_port
from tests.waiting import until

#: More than it takes to end.
SOON_S = 10


@pytest.fixture
def begin(tmp_path):
    """Start a manager and give its process, its URL and its log; what it needs to start is away."""
    made = []

    def start(*flags, **variables):
        port, log = free_port(), tmp_path / "log"
        command = [*System.program, "up", "--host", "127.0.0.1", "--port", str(port), "--proplets", "0"]
        with log.open("w") as said:
            process = subprocess.Popen(
                [*command, "--data-dir", str(tmp_path / "data"), *flags],
                stdout=said,
                stderr=said,
                env={**os.environ, **variables},
            )
        made.append(process)
        return process, f"http://127.0.0.1:{port}", log

    yield start
    for process in made:
        process.kill()
        process.wait()


def no_store(tmp_path):
    """Let a file of the store answer nothing, as on a disk that hangs."""
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "propeller.db-mark")
    return [], {}


def no_database(_):
    return ["--storage-type", "postgres"], {"MANAGER_POSTGRES_PORT": str(free_port())}


def asked(url, path):
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url + path, timeout=SOON_S, trust_env=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("lack", [no_store, no_database])
def test_it_says_that_it_starts_and_can_be_stopped(begin, tmp_path, lack, number):
    flags, variables = lack(tmp_path)
    process, url, log = begin(*flags, **variables)
    answer = until(lambda: asked(url, "/health"))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "this manager is starting" in answer.json()["error"]
    assert asked(url, "/tasks").status_code == 503
    sent_at = time.monotonic()
    process.send_signal(number)
    assert process.wait(60) == 0, log.read_text()
    assert time.monotonic() - sent_at < SOON_S
    assert "Traceback" not in log.read_text()
