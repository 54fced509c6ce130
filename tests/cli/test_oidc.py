"""Signing in on the command line at a real issuer, by a code that somebody enters in a browser."""

import json
import os
import re
import signal
import stat
import subprocess
import sys

import pytest

from propeller.client.device import Device
from propeller.client.errors import ApiError
from propeller.errors import Invalid, TimedOut, Unavailable
from tests.cli.test_tokens import Terminal
from tests.parts.issuer import CLIENT, RealIssuer, enter_code


@pytest.fixture
def issuer(tmp_path):
    with RealIssuer(tmp_path / "issuer") as made:
        yield made


@pytest.fixture
def url(tmp_path, issuer):
    """A manager that knows people by the issuer."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MANAGER_")}
    environ |= {"MANAGER_OIDC_ISSUER": issuer.address, "MANAGER_OIDC_CLIENT_ID": CLIENT}
    words = ("up", "--port", "0", "--proplets", "0", "--auth", "oidc", "--data-dir", str(tmp_path / "data"))
    with subprocess.Popen(
        [sys.executable, "-m", "propeller", *words], env=environ, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            yield re.search(r"http://[^\s;]+", program.stdout.readline())[0]
        finally:
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=60)


@pytest.fixture
def terminal(tmp_path):
    return Terminal(tmp_path)


def signed_in(terminal, url, person, flag="--oidc"):
    """Sign in, and have somebody enter the code; give what was printed."""
    words = [sys.executable, "-m", "propeller", "login", "main", flag, "-m", url]
    with subprocess.Popen(
        words, env=terminal.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        remark = program.stderr.readline()
        where = re.search(r"open (\S+) in any browser, and see that it shows the code (\S+)", remark)
        assert where, remark
        assert where[2] in where[1]
        enter_code(where[1], person)
        out, err = program.communicate(timeout=60)
        assert program.returncode == 0, err
        return out


def test_somebody_signs_in_with_a_code_and_stays_signed_in(terminal, url, issuer):
    assert signed_in(terminal, url, "oskar", "--oidc") == f"main: {url}, as oidc:oskar (operator)\n"
    file = terminal.config / "propeller" / "contexts.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(terminal.well("tasks", "list", "--json"))["total"] == 0
    kept = json.loads(file.read_text())
    before = dict(kept["contexts"]["main"])
    # As it is when the token has ended.
    kept["contexts"]["main"]["token"] = "a.e30.b"
    file.write_text(json.dumps(kept))
    assert json.loads(terminal.well("tasks", "list", "--json"))["total"] == 0
    after = json.loads(file.read_text())["contexts"]["main"]
    assert after["token"].count(".") == 2
    assert after["refresh_token"] != before["refresh_token"], "this issuer takes each once"
    shown = terminal.well("context", "show", "--json")
    assert after["refresh_token"] not in shown
    assert after["token"] not in shown


def test_several_commands_at_once_renew_it_once(terminal, url):
    signed_in(terminal, url, "oskar")
    file = terminal.config / "propeller" / "contexts.json"
    kept = json.loads(file.read_text())
    kept["contexts"]["main"]["token"] = "a.e30.b"
    file.write_text(json.dumps(kept))
    words = [sys.executable, "-m", "propeller", "tasks", "list"]
    started = [
        subprocess.Popen(words, env=terminal.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for one in started:
        _, err = one.communicate(timeout=60)
        assert one.returncode == 0, err


def test_who_is_out_is_told_to_sign_in_again_and_can(terminal, url, issuer):
    signed_in(terminal, url, "oskar")
    file = terminal.config / "propeller" / "contexts.json"
    kept = json.loads(file.read_text())
    kept["contexts"]["main"] |= {"token": "a.e30.b", "refresh_token": "none of the issuer's"}
    file.write_text(json.dumps(kept))
    assert "sign in again: propeller login --oidc" in terminal.ill("tasks", "list")
    assert "as oidc:vic (viewer)" in signed_in(terminal, url, "vic")
    terminal.well("logout")
    text = file.read_text()
    assert "refresh_token" not in text
    assert "401" in terminal.ill("tasks", "list", "--json") or "nobody knows" in terminal.ill("tasks", "list")


# -- codes ---------------------------------------------------------------------------------------------------


def at_once(_seconds):
    """In place of waiting until it may be asked again."""


def test_a_code_that_nobody_enters_ends(issuer):
    issuer.restart(code_s=1)
    with Device(issuer.address, CLIENT) as device:
        code = device.code(["openid"])
        assert code.expires_in == 1
        with pytest.raises(TimedOut, match=f"nobody entered the code {code.user_code}"):
            device.granted(code, at_once)


def test_who_refuses_at_the_issuer_is_not_signed_in(issuer):
    with Device(issuer.address, CLIENT) as device:
        code = device.code(["openid"])
        enter_code(code.verification_uri_complete, None)
        with pytest.raises(ApiError, match="refuses it"):
            device.granted(code, at_once)


def test_an_issuer_that_others_can_read_or_that_is_none_is_refused(issuer):
    with pytest.raises(Invalid, match="not https"):
        Device("http://login.example", CLIENT)
    with (
        Device(issuer.address.replace("127.0.0.1", "localhost"), CLIENT) as device,
        pytest.raises(Unavailable),
    ):
        device.code(["openid"])
    with Device(issuer.address, "nobody's client") as device, pytest.raises(ApiError, match="refuses it"):
        device.code(["openid"])
