"""A machine that can't give something: the tests that need it say so, and are counted."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import machine

ROOT = Path(__file__).parent.parent.parent
#: Takes root's rights from a program; others have none.
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []


def test_without_the_right_to_make_networks_their_tests_are_skipped_and_counted():
    command = [
        *WITHOUT_RIGHTS,
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "tests/parts/test_parts.py",
    ]
    done = subprocess.run(
        [*command, "-k", "cable or cut or island"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    assert "\n4 skipped because this machine can't make networks of its own: unshare" in done.stdout
    assert "passed" not in done.stdout


def test_without_terminals_their_tests_are_skipped(monkeypatch):
    def none_left():
        raise OSError("out of pty devices")

    monkeypatch.setattr(pty, "openpty", none_left)
    with pytest.raises(pytest.skip.Exception, match="this machine can't make terminals: out of pty devices"):
        machine.need_terminals()
