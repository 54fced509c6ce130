"""A real system for the commands, started once, and a directory with modules in it."""

import os
import subprocess
import sys

import pytest

from tests.e2e.local.harness import System

ADDITION = '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'
DIVISION = '(module (func (export "main") (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s))'
ENDLESS = '(module (func (export "main") (loop br 0)))'


class Shell:
    """Runs ``propeller`` as a process of its own, in a directory with modules in it."""

    def __init__(self, work, system):
        self.work = work
        self.system = system
        self.env = {**os.environ, "PROPELLER_MANAGER_URL": str(system.http.base_url)}
        # What a reader of the output would not have set.
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONUNBUFFERED"):
            self.env.pop(name, None)

    def begin(self, *arguments, **options):
        command = [sys.executable, "-m", "propeller", *arguments]
        return subprocess.Popen(command, cwd=self.work, env=self.env, **options)

    def __call__(self, *arguments, stdin=None):
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
    yield Shell(work, system)
    system.clean_up()
