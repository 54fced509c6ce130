"""A real system for the commands, started once, and a directory with modules in it."""

import os
import subprocess
import sys

import pytest

from tests.e2e.local.harness import System
from tests.parts.forks import Forks

ADDITION = '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'
DIVISION = '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s))'
ENDLESS = '(module (func (export "main") (loop br 0)))'


class Shell:
    """Runs ``propeller`` as a process of its own, in a directory with modules in it."""

    def __init__(self, work, system, forks):
        self.work = work
        self.system = system
        self._forks = forks
        self.env = {**os.environ, "PROPELLER_MANAGER_URL": str(system.http.base_url)}
        # What a reader of the output would not have set.
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONUNBUFFERED"):
            self.env.pop(name, None)

    def begin(self, *arguments, **options):
        """Start it as users do."""
        command = [sys.executable, "-m", "propeller", *arguments]
        return subprocess.Popen(command, cwd=self.work, env=self.env, **options)

    def __call__(self, *arguments, stdin=None):
        """Run it to its end; without input it is a fork, which takes a third of the time."""
        if stdin is None:
            return self._forks.run(arguments, cwd=self.work, env=self.env, seconds=60)
        command = [sys.executable, "-m", "propeller", *arguments]
        return subprocess.run(
            command,
            cwd=self.work,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            input=stdin,
        )


@pytest.fixture(scope="package")
def shell(tmp_path_factory):
    work = tmp_path_factory.mktemp("cli")
    (work / "addition.wat").write_text(ADDITION)
    (work / "division.wat").write_text(DIVISION)
    (work / "endless.wat").write_text(ENDLESS)
    system = System(work / "data")
    system.up(env={**os.environ, "PROPLET_METRICS_INTERVAL": "1"})
    forks = Forks(tmp_path_factory.mktemp("forks"))
    yield Shell(work, system, forks)
    forks.close()
    system.clean_up()
