"""``propeller top`` as a command: where it starts, and what it says where it can't."""

import json
import os
import pty
import re
import subprocess
import sys

from tests.parts.machine import need_terminals


def test_without_a_terminal_it_says_what_to_use(shell):
    done = shell("top")
    assert (done.returncode, done.stdout) == (1, "")
    assert "top needs a terminal; elsewhere use: propeller tasks list" in done.stderr


def test_json_is_refused_as_json(shell):
    done = shell("top", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "for JSON use: propeller tasks list --json" in json.loads(done.stderr)["error"]


def test_on_a_terminal_it_shows_the_screen_until_q(shell):
    need_terminals()
    ours, theirs = pty.openpty()
    process = shell.begin("top", stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    shown, has_left = b"", False
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
            if b"Overview" in shown and not has_left:
                os.write(ours, b"q")
                has_left = True
    except OSError:  # the other end was closed
        pass
    finally:
        os.close(ours)
    assert process.wait(30) == 0
    assert has_left


def test_only_this_command_loads_what_it_draws_with():
    """Textual takes a quarter of a second, which no other command is to pay."""
    for words in (["--help"], ["top", "--help"], ["tasks", "list", "--help"]):
        command = [sys.executable, "-X", "importtime", "-m", "propeller", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert re.search(r"\| +propeller\.cli\.main$", done.stderr, re.MULTILINE)
        assert not re.search(r"\| +textual", done.stderr), words
