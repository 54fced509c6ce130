"""Whom a manager answers: on loopback everybody, elsewhere those that it was told of, and nobody by mistake."""

import contextlib
import os
import re
import signal
import subprocess
import sys

import httpx
import pytest

from propeller.assembly.access import refuse_unasked, ways_of
from propeller.assembly.serving import listen
from propeller.config.definitions import MANAGER
from propeller.config.errors import BadSettings
from propeller.config.programs import manager_settings
from propeller.config.sources import resolve
from propeller.errors import CannotListen
from propeller.manager.keyring import Keyring


@contextlib.contextmanager
def listening(host):
    listeners = listen(host, 0)
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_elsewhere_than_on_loopback_it_has_to_be_told_who_may_use_it(host):
    with listening(host) as listeners, pytest.raises(CannotListen) as refused:
        refuse_unasked((), listeners)
    assert "--auth tokens" in str(refused.value)
    assert "--insecure-no-auth" in str(refused.value)
    assert all(listener.fileno() == -1 for listener in listeners)
    for auth in (("none",), ("tokens",)):
        with listening(host) as listeners:
            refuse_unasked(auth, listeners)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2"])
def test_on_loopback_everybody_is_answered(host):
    with listening(host) as listeners:
        refuse_unasked((), listeners)
    assert ways_of((), Keyring()) is None
    assert ways_of(("none",), Keyring()) is None


def settings(**environ):
    return manager_settings(resolve(MANAGER, environ), environ, has_broker=False)


@pytest.mark.parametrize(
    ("environ", "auth"),
    [
        ({}, ()),
        ({"MANAGER_AUTH": "none"}, ("none",)),
        ({"MANAGER_AUTH": "Tokens, tokens"}, ("tokens",)),
        ({"MANAGER_INSECURE_NO_AUTH": "true"}, ("none",)),
        ({"MANAGER_INSECURE_NO_AUTH": "true", "MANAGER_AUTH": "none"}, ("none",)),
    ],
)
def test_what_was_said_holds(environ, auth):
    assert settings(**environ).auth == auth


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"MANAGER_AUTH": "token"}, "MANAGER_AUTH: 'token' is none of: none, tokens"),
        ({"MANAGER_AUTH": "none,tokens"}, "MANAGER_AUTH: 'none,tokens' has none beside others"),
        ({"MANAGER_AUTH": ","}, "MANAGER_AUTH: ',' is none of"),
        (
            {"MANAGER_INSECURE_NO_AUTH": "true", "MANAGER_AUTH": "tokens"},
            "MANAGER_INSECURE_NO_AUTH: has no effect",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(environ, why):
    with pytest.raises(BadSettings) as refused:
        settings(**environ)
    assert why in str(refused.value)


def up(directory, *words):
    command = [sys.executable, "-m", "propeller", "up", "--port", "0", "--proplets", "0"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MANAGER_")}
    return subprocess.Popen(
        [*command, "--data-dir", str(directory), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    )


def test_up_on_all_addresses_does_not_start_and_names_both_ways_out(tmp_path):
    out, err = (program := up(tmp_path, "--host", "0.0.0.0")).communicate(timeout=60)
    assert (program.returncode, out) == (1, "")
    assert re.search(r"^error: 0\.0\.0\.0:\d+: everybody .* --auth tokens .* --insecure-no-auth", err)


def test_a_manager_asks_for_tokens_where_it_is_told_to(tmp_path):
    with up(tmp_path, "--auth", "tokens") as program:
        try:
            url = re.search(r"http://\S+", program.stdout.readline())[0]
            assert httpx.get(f"{url}/tasks").status_code == 401
            assert httpx.get(f"{url}/health").status_code == 200
        finally:
            program.send_signal(signal.SIGTERM)
        program.communicate(timeout=60)
    assert program.returncode == 0


def test_who_is_told_to_let_everybody_in_does(tmp_path):
    with up(tmp_path, "--host", "0.0.0.0", "--insecure-no-auth") as program:
        try:
            port = re.search(r"http://\S+:(\d+)", program.stdout.readline())[1]
            assert httpx.get(f"http://127.0.0.1:{port}/tasks").status_code == 200
        finally:
            program.send_signal(signal.SIGTERM)
        program.communicate(timeout=60)
    assert program.returncode == 0
