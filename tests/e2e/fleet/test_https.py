"""A manager that answers by HTTPS, and those who ask it: they want to know that it is the manager."""

import os
import subprocess

import pytest

from propeller.client.api import Client
from propeller.client.errors import Untrusted
from tests.e2e.fleet.harness import PROPELLER, Program
from tests.parts.certificates import Certificates
from tests.parts.ports import answers, free_port
from tests.waiting import until


class Manager:
    """A manager with a certificate, and the command line."""

    def __init__(self, fleet, directory):
        self.trust = Certificates(directory / "trust")
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        fleet.broker.start()
        command = [*PROPELLER, "manager", "--config", str(fleet.config), "--http-port", str(self.port)]
        command += ["--data-dir", str(directory / "manager"), "--http-host", ""]
        command += [
            "--http-server-cert",
            str(self.trust.server),
            "--http-server-key",
            str(self.trust.server_key),
        ]
        self.program = Program(command, directory / "manager.log", {})
        until(lambda: answers(self.port))

    def ask(self, *flags, **env):
        done = subprocess.run(
            [*PROPELLER, "health", "-m", self.url, *flags],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def manager(make_fleet, tmp_path):
    made = Manager(make_fleet(1), tmp_path)
    yield made
    made.program.kill()


def test_who_asks_checks_the_certificate_unless_he_says_not_to(manager, tmp_path):
    code, out, err = manager.ask()
    assert (code, out) == (1, "")
    assert f"the certificate of {manager.url} is not trusted: unable to get local issuer certificate" in err
    assert "--ca-cert" in err
    assert "is it running?" not in err
    assert manager.ask("-v")[0] == 1

    ca = str(manager.trust.ca)
    for flags, env in (
        (["--ca-cert", ca], {}),
        ([], {"PROPELLER_CA_CERT": ca}),
        ([], {"SSL_CERT_FILE": ca}),
        (["-v"], {"PROPELLER_INSECURE": "true", "PROPELLER_CA_CERT": ca}),
    ):
        code, out, err = manager.ask(*flags, **env)
        assert (code, err) == (0, "")
        assert "pass" in out

    # Somebody else's authority, and a name that is not in the certificate.
    other = Certificates(tmp_path / "other")
    assert manager.ask("--ca-cert", str(other.ca))[0] == 1
    code, _, err = manager.ask("--ca-cert", ca, "-m", manager.url.replace("localhost", "127.0.0.2"))
    assert code == 1
    assert "not trusted: IP address mismatch" in err

    for flags, env in (
        (["--insecure"], {}),
        ([], {"PROPELLER_INSECURE": "1"}),
        (["--tls-verification=false"], {}),
    ):
        code, out, err = manager.ask(*flags, **env)
        assert code == 0
        assert err == f"warning: the certificate of {manager.url} is not checked: anybody may answer there\n"
        assert "pass" in out


def test_the_client_checks_the_certificate_too(manager):
    with Client(manager.url) as client, pytest.raises(Untrusted, match="not trusted"):
        client.health()
    with Client(manager.url) as client, pytest.raises(Untrusted, match="not trusted"):
        next(client.follow())
    with Client(manager.url, ca_cert=manager.trust.ca) as client:
        assert client.health()["status"] == "pass"
        assert next(client.follow()) is None
    with Client(manager.url, tls_verification=False) as client:
        assert client.health()["status"] == "pass"
