"""A real `propeller up` as a process, to be asked, killed and started again on the same data."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.waiting import gone

ADDITION = "AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoJAQcAIAAgAWoL"
ENDED = 3


class System:
    """One manager with its local proplets, on one data directory."""

    program: Sequence[str] = (sys.executable, "-m", "propeller")

    def __init__(self, data_dir: Path, *flags: str) -> None:
        self.data_dir = data_dir
        self.flags = flags
        self.log = data_dir.with_name(data_dir.name + ".log")

    def up(self, **options: Any) -> None:
        command = [*self.program, "up", "--host", "127.0.0.1", "--port", "0"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--data-dir", str(self.data_dir), *self.flags],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                **options | {"env": {**options.get("env", os.environ), "PYTHONFAULTHANDLER": "1"}},
            )
        if hasattr(self, "http"):
            self.http.close()
        hurry = threading.Timer(30, self.process.send_signal, [signal.SIGABRT])  # its log says where it stood
        hurry.start()
        assert self.process.stdout is not None
        found = re.search(r"http://[\d.]+:\d+", self.process.stdout.readline())
        hurry.cancel()
        assert found, f"it did not come up: {self.log.read_text()}"
        self.url = found[0]
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def call(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        answer = self.http.request(method, path, json=body)
        assert answer.is_success if status is None else answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def kill(self) -> None:
        """End the manager as a crash does, and see its proplets go with it."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.reap()
        assert gone(family), "local proplets end with their manager"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.reap()

    def reap(self) -> int:
        """Wait for the end of the manager and return its exit code."""
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.http.close()
        return code

    def proplet_processes(self) -> list[psutil.Process]:
        return [
            child
            for child in psutil.Process(self.process.pid).children()
            if "propeller.proplet" in child.cmdline()
        ]

    def clean_up(self) -> None:
        if not hasattr(self, "process"):
            return
        if self.process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.kill()
        if hasattr(self, "http"):
            self.reap()


@pytest.fixture
def system(tmp_path):
    made = System(tmp_path / "data")
    yield made
    made.clean_up()
