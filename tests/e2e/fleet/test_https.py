"""A manager that answers by HTTPS, and those who ask it: they want to know that it is the manager."""

import contextlib
import datetime as dt
import os
import signal
import ssl
import subprocess

import httpx
import pytest

from propeller.client.api import Client
from propeller.client.errors import Untrusted
from propeller.config.certificates import Subject, issue, new_authority
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
        self.program = Program(command, directory / "manager.log", {"MANAGER_AUTH": "none"})
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


def trusting(file):
    return ssl.create_default_context(cafile=file)


def test_a_hangup_reads_the_certificate_anew_and_what_ends_soon_is_said(manager, tmp_path):
    authority = new_authority("test", now := dt.datetime.now(dt.UTC))
    soon, later = (
        issue(
            authority, Subject(name="api", hosts=("localhost",)), now, life=dt.timedelta(days=days, hours=1)
        )
        for days in (3, 300)
    )
    trust = tmp_path / "new.crt"
    trust.write_text(authority.cert)
    with httpx.Client(base_url=manager.url, verify=trusting(manager.trust.ca), trust_env=False) as before:
        assert before.get("/ready").json()["warnings"] == [
            "the certificate of this manager ends in 1 days; renew it"
        ]
        for text, warnings in (
            (soon, ["the certificate of this manager ends in 3 days; renew it"]),
            (later, []),
        ):
            manager.trust.server.write_text(text)
            manager.trust.server_key.write_text(text)
            manager.program.process.send_signal(signal.SIGHUP)
            with httpx.Client(base_url=manager.url, verify=trusting(trust), trust_env=False) as http:

                def is_so(wanted=warnings, http=http):
                    with contextlib.suppress(httpx.ConnectError):
                        return http.get("/ready").json()["warnings"] == wanted

                until(is_so)
        assert before.get("/health").status_code == 200
        assert "has read its certificate anew" in manager.program.said
        # Browsers are told to come by HTTPS alone, but not to the other ports of their own machine.
        header = "strict-transport-security"
        assert header not in before.get("/health").headers
        elsewhere = before.get("/health", headers={"Host": "manager.example"})
        assert elsewhere.headers[header] == "max-age=31536000"


def test_a_command_shows_a_certificate_where_the_manager_asks_for_one(tmp_path):
    authority, now = new_authority("test", dt.datetime.now(dt.UTC)), dt.datetime.now(dt.UTC)
    files = {
        "ca.crt": authority.cert,
        "server.pem": issue(authority, Subject(name="m", hosts=("localhost",)), now),
    }
    files["ci.pem"] = issue(authority, Subject(name="ci"), now)
    key, mark, cert = files["ci.pem"].partition("-----BEGIN CERTIFICATE-----")
    files |= {"ci.key": key, "ci.crt": mark + cert}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    port = free_port()
    command = [*PROPELLER, "up", "--port", str(port), "--data-dir", str(tmp_path / "data"), "--proplets", "0"]
    env = {"MANAGER_HTTP_SERVER_CERT": "server.pem", "MANAGER_HTTP_SERVER_KEY": "server.pem"}
    env |= {"MANAGER_HTTP_SERVER_CA_CERTS": "ca.crt"}
    up = Program(command, tmp_path / "up.log", {name: str(tmp_path / file) for name, file in env.items()})

    def ask(*flags, **env):
        words = [*PROPELLER, "health", "-m", f"https://localhost:{port}", "--ca-cert", "ca.crt", *flags]
        done = subprocess.run(
            words, env={**os.environ, **env}, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    try:
        until(lambda: answers(port))
        for flags, env in (
            (["--client-cert", "ci.pem"], {}),
            (["--client-cert", "ci.crt", "--client-key", "ci.key"], {}),
            ([], {"PROPELLER_CLIENT_CERT": "ci.crt", "PROPELLER_CLIENT_KEY": "ci.key"}),
        ):
            code, said = ask(*flags, **env)
            assert (code, "pass" in said) == (0, True), said
        for flags, complaint in (
            ([], "if it asks clients for certificates, show one that it takes: --client-cert"),
            (
                ["--client-cert", "ci.crt"],
                "client certificate ci.crt with the key in the same file can't be used",
            ),
            (
                ["--client-cert", "no.pem"],
                "client certificate no.pem with the key in the same file can't be used",
            ),
            (["--client-key", "ci.key"], "there is no certificate for it; give --client-cert, too"),
        ):
            code, said = ask(*flags)
            assert (code, complaint in said) == (1, True), said
    finally:
        up.kill()


def test_a_manager_knows_clients_by_their_certificates(tmp_path):
    now = dt.datetime.now(dt.UTC)
    authority = new_authority("test", now)
    subjects = {
        "server": Subject(name="m", hosts=("localhost",)),
        "ci": Subject(name="ci"),
        "ada": Subject(name="whoever", uri="spiffe://a/ada"),
        "bob": Subject(name="bob"),
        "proplet": Subject(name="ci", uri="urn:propeller:proplet:proplet"),
    }
    (tmp_path / "ca.crt").write_text(authority.cert)
    for name, subject in subjects.items():
        (tmp_path / f"{name}.pem").write_text(issue(authority, subject, now))
    port = free_port()
    command = [*PROPELLER, "up", "--port", str(port), "--data-dir", str(tmp_path / "data"), "--proplets", "0"]
    files = {"MANAGER_HTTP_SERVER_CERT": "server.pem", "MANAGER_HTTP_SERVER_KEY": "server.pem"}
    files |= {"MANAGER_HTTP_SERVER_CA_CERTS": "ca.crt"}
    env = {name: str(tmp_path / file) for name, file in files.items()}
    env |= {"MANAGER_AUTH": "certificates", "MANAGER_HTTP_CLIENT_AUTH": "optional"}
    env |= {"MANAGER_CERTIFICATE_ROLES": "ci=operator,spiffe://a/ada=viewer@team-a"}
    up = Program(command, tmp_path / "up.log", env)

    @contextlib.contextmanager
    def client(name=""):
        context = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        if name:
            context.load_cert_chain(tmp_path / f"{name}.pem")
        url = f"https://localhost:{port}"
        with httpx.Client(base_url=url, verify=context, trust_env=False, timeout=60) as http:
            yield http

    try:
        until(lambda: answers(port))
        begun = dt.datetime.now(dt.UTC)
        text = issue(authority, Subject(name="ci"), begun, life=dt.timedelta(seconds=10))
        (tmp_path / "short.pem").write_text(text)
        task = {"name": "f", "image_url": "registry.example/f:1"}
        with client("ci") as ci, client("short") as short, client("ada") as ada, client("bob") as bob:
            made = ci.post("/tasks", json=task)
            assert (made.status_code, made.json()["created_by"]) == (201, "ci")
            mine = f"/tasks/{made.json()['id']}"
            assert ada.get("/tasks").json()["total"] == 0
            assert ada.get(mine).status_code == 404
            refused = ada.post("/tasks", json=task | {"namespace": "team-a"})
            assert (refused.status_code, "spiffe://a/ada is a viewer" in refused.text) == (403, True)
            refused = bob.get(mine)
            assert (refused.status_code, "MANAGER_CERTIFICATE_ROLES" in refused.text) == (403, True)
            assert bob.get("/health").status_code == 200
            for name in ("", "proplet"):
                with client(name) as other:
                    refused = other.get(mine)
                    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            # A connection outlives the certificate that it began with, and what it is good for does not.
            with short.stream("GET", "/events", headers={"Accept": "text/event-stream"}) as events:
                assert events.status_code == 200
                with contextlib.suppress(httpx.RemoteProtocolError):
                    for _ in events.iter_raw():
                        pass
            assert dt.datetime.now(dt.UTC) - begun >= dt.timedelta(seconds=9)
    finally:
        up.kill()


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
