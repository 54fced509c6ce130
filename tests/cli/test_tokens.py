"""Signing in on the command line, several managers by name, and tokens; before a real manager that asks for them."""

import json
import os
import re
import signal
import stat
import subprocess
import sys

import pytest

from propeller.client.api import Client
from propeller.errors import Invalid
from tests.manager.test_modes import up

SECRET = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


class Terminal:
    """Runs ``propeller`` with a configuration directory of its own."""

    def __init__(self, directory):
        self.config = directory / "config"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PROPELLER_")}
        self.env["XDG_CONFIG_HOME"] = str(self.config)

    def __call__(self, *words, stdin="", **environ):
        done = subprocess.run(
            [sys.executable, "-m", "propeller", *words],
            env=self.env | environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def well(self, *words, **more):
        code, out, err = self(*words, **more)
        assert code == 0, err
        return out

    def ill(self, *words, **more):
        code, out, err = self(*words, **more)
        assert (code, out) == (1, ""), (code, out, err)
        return err


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A manager that asks for tokens, with the text of a first one, which was made before it ran."""
    directory = tmp_path_factory.mktemp("guarded")
    terminal = Terminal(directory)
    words = ("tokens", "create", "--data-dir", str(directory / "data"), "--role", "admin")
    first = terminal.well(*words, "--name", "root").strip()
    with up(directory / "data", "--auth", "tokens") as program:
        try:
            url = re.search(r"http://[^\s;]+", program.stdout.readline())[0]
            yield url, first, directory / "data"
        finally:
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=60)


@pytest.fixture
def terminal(tmp_path):
    return Terminal(tmp_path)


def test_login_keeps_a_token_for_one_manager_and_for_its_user_alone(terminal, place):
    url, first, _ = place
    assert "propeller login" in terminal.ill("tasks", "list", "-m", url)
    assert "as root (admin)" in terminal.well("login", "prod", "-m", url, stdin=f"{first}\n")
    file = terminal.config / "propeller" / "contexts.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    terminal.well("tasks", "list")
    terminal.well("tasks", "list", "-m", url)
    shown = json.loads(terminal.well("context", "list", "--json"))["contexts"]
    assert shown == [
        {"name": "prod", "manager_url": url, "token_id": first[:16], "current": True},
    ]
    assert first not in terminal.well("context", "show")
    terminal.well("logout")
    assert "nobody knows who sends this" in terminal.ill("tasks", "list")
    terminal.well("context", "delete", "prod")
    assert "no context is in use" in terminal.ill("context", "show")


def test_a_wrong_token_is_not_kept(terminal, place):
    url, first, _ = place
    assert "a part of one" in terminal.ill("login", "-m", url, stdin=f"{first[:-1]}\n")
    assert not terminal.config.exists()


def test_the_token_of_a_context_goes_to_no_other_manager(terminal, place):
    url, first, _ = place
    terminal.well("login", "prod", "-m", url, stdin=f"{first}\n")
    elsewhere = url.replace("localhost", "127.0.0.1")
    assert "nobody knows who sends this" in terminal.ill("tasks", "list", "-m", elsewhere)


def test_several_contexts_are_chosen_by_name(terminal, place):
    url, first, _ = place
    terminal.well("login", "one", "-m", url, stdin=f"{first}\n")
    terminal.well("login", "two", "-m", url.replace("localhost", "127.0.0.1"), stdin=f"{first}\n")
    assert "127.0.0.1" in terminal.well("status")
    terminal.well("context", "use", "one")
    assert "localhost" in terminal.well("status")
    assert "127.0.0.1" in terminal.well("status", PROPELLER_CONTEXT="two")
    assert "there is no context three" in terminal.ill("context", "use", "three")
    assert "there is no context three" in terminal.ill("status", PROPELLER_CONTEXT="three")


def test_a_token_comes_from_a_variable_or_a_file(terminal, place, tmp_path):
    url, first, _ = place
    terminal.well("tasks", "list", "-m", url, PROPELLER_TOKEN=first)
    (tmp_path / "token").write_text(f"{first}\n")
    terminal.well("tasks", "list", "-m", url, "--token-file", str(tmp_path / "token"))
    (tmp_path / "empty").write_text("")
    assert "it is empty" in terminal.ill("tasks", "list", "-m", url, "--token-file", str(tmp_path / "empty"))
    assert "can't be read" in terminal.ill("tasks", "list", "-m", url, "--token-file", str(tmp_path / "none"))


def test_tokens_are_made_listed_and_revoked(terminal, place):
    url, first, _ = place
    root = {"PROPELLER_TOKEN": first, "PROPELLER_MANAGER_URL": url}
    words = ("tokens", "create", "--name", "ci", "--role", "viewer", "--namespaces", "a", "--expires", "90d")
    made = json.loads(terminal.well(*words, "--json", **root))
    assert made["namespaces"] == ["a"]
    ci = root | {"PROPELLER_TOKEN": made["token"]}
    terminal.well("tasks", "list", **ci)
    said = terminal.ill("tasks", "create", "x", **ci)
    assert "submit: this needs the role submitter, and ci is a viewer" in said
    assert made["id"] in terminal.well("tokens", "list", **root)
    terminal.well("tokens", "revoke", made["id"], **root)
    assert "was revoked" in terminal.ill("tasks", "list", **ci)
    assert "there is no token none" in terminal.ill("tokens", "revoke", "none", **root)


def test_a_store_whose_manager_runs_is_left_to_it(terminal, place):
    _, _, data = place
    said = terminal.ill("tokens", "list", "--data-dir", str(data))
    assert "ask the manager that runs" in said


def test_straight_in_the_store(terminal, tmp_path):
    at = ("--data-dir", str(tmp_path / "data"))
    text = terminal.well("tokens", "create", "--name", "a", "--role", "admin", *at).strip()
    assert text.startswith("prp_")
    listed = json.loads(terminal.well("tokens", "list", "--json", *at))
    assert [token["name"] for token in listed["tokens"]] == ["a"]
    terminal.well("tokens", "revoke", text, *at)
    assert "revoked_at" in json.loads(terminal.well("tokens", "list", "--json", *at))["tokens"][0]
    assert "there is no token none" in terminal.ill("tokens", "revoke", "none", *at)
    assert "--expires: 'soon'" in terminal.ill(
        "tokens", "create", "--name", "a", "--role", "admin", "--expires", "soon", *at
    )
    assert "leave one out" in terminal.ill("tokens", "list", *at, "--database", "postgresql://h/d")


@pytest.mark.parametrize("url", ["http://far.example", "http://10.0.0.1:7070", "far.example"])
def test_a_token_is_not_sent_in_the_clear_to_other_machines(url):
    with pytest.raises(Invalid, match="everybody on the way could read the token"):
        Client(url, token=f"prp_0a1b2c3d4e5f_{SECRET}")
    Client(url, token=f"prp_0a1b2c3d4e5f_{SECRET}", tls_verification=False).close()
    Client(url).close()


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:7070",
        "http://127.0.0.2",
        "http://[::1]:1",
        "http://a.localhost",
        "https://far.example",
    ],
)
def test_elsewhere_it_is_sent(url):
    with Client(url, token=f"prp_0a1b2c3d4e5f_{SECRET}") as client:
        assert client._http.headers["authorization"] == f"Bearer prp_0a1b2c3d4e5f_{SECRET}"


@pytest.mark.parametrize("token", ["prp_a\nb", "prp_ü", "two words"])
def test_a_token_that_can_be_none_is_not_sent(token):
    with pytest.raises(Invalid, match="the token has characters that none has"):
        Client("http://localhost", token=token)
