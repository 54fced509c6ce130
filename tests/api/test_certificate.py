"""The API by HTTPS: which versions it speaks, how it takes a new certificate, and what it sees of a client's."""

import asyncio
import contextlib
import datetime as dt
import json
import logging
import socket
import ssl
import subprocess
import threading
import time

import httpx
import pytest

from propeller.assembly.certificate import Certificate
from propeller.assembly.serving import listen, server_of
from propeller.config.certificates import Subject, issue, new_authority
from propeller.config.settings import HttpSettings
from propeller.errors import BadCertificate
from tests.waiting import until

NOW = dt.datetime.now(dt.UTC)
AUTHORITY = new_authority("test", NOW)
SERVER = Subject(name="api", hosts=("localhost", "127.0.0.1"))


async def shown(scope, receive, send):
    """Answer with what ASGI's TLS extension says."""
    body = json.dumps(scope["extensions"]["tls"]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


class Place:
    """The files of a server, and what its clients need."""

    def __init__(self, directory):
        self.directory = directory
        self.ca = self.write("ca.crt", AUTHORITY.cert)
        self.pem = self.write("server.pem", issue(AUTHORITY, SERVER, NOW))

    def write(self, name, text):
        path = self.directory / name
        draft = self.directory / f"{name}.draft"
        draft.write_text(text)
        return draft.replace(path)

    def settings(self, **more):
        return HttpSettings(port=0, **({"server_cert": self.pem, "server_key": self.pem} | more))

    def client(self, text="", **versions):
        """Make the context of a client that shows this certificate."""
        context = ssl.create_default_context(cafile=self.ca)
        for name, version in versions.items():
            setattr(context, name, version)
        if text:
            context.load_cert_chain(self.write("client.pem", text))
        return context


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@contextlib.contextmanager
def served(settings):
    """Serve on a thread of its own; give the port and the certificate."""
    begun, found = threading.Event(), []

    async def scene():
        listeners = listen("127.0.0.1", 0)
        server = server_of(shown, settings, stop_s_max=1)
        found.extend((listeners[0].getsockname()[1], server))
        begun.set()
        await server.serve(sockets=listeners)

    thread = threading.Thread(target=lambda: asyncio.run(scene()))
    thread.start()
    assert begun.wait(20)
    port, server = found
    try:
        yield port, server.certificate
    finally:
        server.should_exit = True
        thread.join()


def ask(port, context):
    return httpx.get(f"https://localhost:{port}/", verify=context, trust_env=False).json()


def serial_at(port, place):
    """Look, by a new connection, which certificate is shown."""
    with socket.create_connection(("localhost", port)) as raw:
        return _serial(place, raw)


def _serial(place, raw):
    with place.client().wrap_socket(raw, server_hostname="localhost") as client:
        return client.getpeercert()["serialNumber"]


@pytest.mark.parametrize(
    ("version", "is_taken"), [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)]
)
def test_versions_before_1_2_are_refused(place, version, is_taken):
    with served(place.settings()) as (port, _):
        command = ["openssl", "s_client", version, "-cipher", "ALL:@SECLEVEL=0", "-CAfile", place.ca]
        command += ["-verify_return_error", "-connect", f"127.0.0.1:{port}"]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=60, check=False)
    assert (done.returncode == 0) is is_taken, done.stderr
    assert (b"Cipher is (NONE)" not in done.stdout) is is_taken
    assert b"written 0 bytes" not in done.stdout  # it was asked


def test_a_new_certificate_is_shown_to_new_connections_and_open_ones_go_on(place):
    with served(place.settings()) as (port, _), httpx.Client(verify=place.client()) as before:
        url = f"https://localhost:{port}/"
        assert before.get(url).status_code == 200
        old = serial_at(port, place)
        place.write("server.pem", issue(AUTHORITY, SERVER, NOW))
        until(lambda: serial_at(port, place) != old)
        assert before.get(url).status_code == 200


def test_a_certificate_and_a_key_that_do_not_belong_together_are_waited_for(place, caplog):
    one, two = issue(AUTHORITY, SERVER, NOW), issue(AUTHORITY, SERVER, NOW)
    cert, key = place.write("cert.pem", one), place.write("key.pem", one)
    with served(place.settings(server_cert=cert, server_key=key)) as (port, certificate):
        old = serial_at(port, place)
        place.write("cert.pem", two)
        until(lambda: "can't be used" in caplog.text)
        assert "goes on with the certificate that it has" in caplog.text
        assert serial_at(port, place) == old
        place.write("key.pem", two)
        until(lambda: serial_at(port, place) != old)
        new = serial_at(port, place)
        for broken in ("", "no certificate", two[:-200]):
            place.write("cert.pem", broken)
            certificate.read_again()
            assert serial_at(port, place) == new
        cert.unlink()
        certificate.read_again()
        assert serial_at(port, place) == new


def test_a_certificate_that_ends_soon_is_warned_of_once_a_day(place, caplog):
    now = NOW.timestamp()
    place.write("server.pem", issue(AUTHORITY, SERVER, NOW, life=dt.timedelta(days=15)))
    made = Certificate(place.settings())
    made.look(now)
    assert "ends in" not in caplog.text
    for later, said in ((2, 1), (2.5, 1), (3.1, 2), (20, 3)):
        made.look(now + later * 86_400)
        assert len([one for one in caplog.records if one.levelno >= logging.WARNING]) == said
    assert "ends in 12 days" in caplog.text
    assert "clients refuse it; renew it" in caplog.text
    place.write("server.pem", issue(AUTHORITY, SERVER, NOW))
    made.read_again()
    caplog.clear()
    made.look(now + 86_400 * 100)
    assert not caplog.records


def test_a_certificate_that_ends_while_the_server_runs_is_renewed_without_a_restart(place):
    life = dt.datetime.now(dt.UTC) - NOW + dt.timedelta(seconds=3)
    place.write("server.pem", issue(AUTHORITY, SERVER, NOW, life=life))
    with served(place.settings()) as (port, certificate):
        assert ask(port, place.client())["tls_version"] == 0x0304

        def has_ended():
            try:
                ask(port, place.client())
            except httpx.ConnectError as error:
                return "certificate has expired" in str(error)
            return False

        until(has_ended)
        assert certificate.ends_at < time.time()
        place.write("server.pem", issue(AUTHORITY, SERVER, NOW))
        until(lambda: not has_ended())


def test_a_client_is_known_by_its_uri_or_else_by_its_common_name(place):
    settings = place.settings(client_ca=place.ca, client_auth="required")
    with served(settings) as (port, certificate):
        for subject, name in (
            (Subject(name="ci"), "ci"),
            (Subject(name="ci", uri="spiffe://example/ci"), "spiffe://example/ci"),
        ):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                text = issue(AUTHORITY, subject, NOW, life=dt.timedelta(days=1))
                seen = ask(port, place.client(text, maximum_version=version))
                assert seen["client_name"] == name
                assert seen["client_cert_name"] == "commonName=ci"
                assert seen["client_cert_chain"][0] in text
                assert seen["client_cert_ends_at"] == int((NOW + dt.timedelta(days=1)).timestamp())
                assert seen["server_cert_ends_at"] == certificate.ends_at


def test_a_client_without_a_certificate_is_let_in_only_where_it_is_optional(place):
    stranger = new_authority("test", NOW)
    ended = issue(AUTHORITY, Subject(name="ci"), NOW - dt.timedelta(days=2), life=dt.timedelta(days=1))
    foreign = issue(stranger, Subject(name="ci"), NOW)
    for client_auth in ("optional", "required"):
        with served(place.settings(client_ca=place.ca, client_auth=client_auth)) as (port, _):
            for text in (ended, foreign):
                with pytest.raises(httpx.TransportError):
                    ask(port, place.client(text))
            if client_auth == "optional":
                assert ask(port, place.client())["client_name"] == ""
            else:
                with pytest.raises(httpx.TransportError):
                    ask(port, place.client())
    with served(place.settings()) as (port, _):  # nobody is asked, so nobody shows one
        assert ask(port, place.client(foreign))["client_name"] == ""


def test_who_signs_clients_may_change_while_the_server_runs(place):
    stranger = new_authority("other", NOW)
    ours, theirs = (issue(one, Subject(name="ci"), NOW) for one in (AUTHORITY, stranger))
    clients = place.write("clients.crt", AUTHORITY.cert)
    with served(place.settings(client_ca=clients, client_auth="required")) as (port, certificate):
        assert ask(port, place.client(ours))["client_name"] == "ci"
        place.write("clients.crt", stranger.cert)
        certificate.read_again()
        assert ask(port, place.client(theirs))["client_name"] == "ci"
        with pytest.raises(httpx.TransportError):
            ask(port, place.client(ours))


def test_files_that_can_not_be_used_are_named_at_the_start(place):
    other = place.write("other.pem", issue(AUTHORITY, SERVER, NOW))
    with pytest.raises(
        BadCertificate, match=r"http_server_cert: .*server.pem with the key .*other.pem can't be used"
    ):
        Certificate(place.settings(server_key=other))
    empty = place.write("empty.pem", "")
    with pytest.raises(BadCertificate, match=r"http_server_ca_certs: .*empty.pem can't be used"):
        Certificate(place.settings(client_ca=empty, client_auth="required"))
    secret = place.directory / "secret.pem"
    command = ["openssl", "pkcs8", "-topk8", "-in", place.pem, "-out", secret, "-passout", "pass:secret"]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(BadCertificate, match="the key is encrypted; give both in PEM form"):
        Certificate(place.settings(server_key=secret))
