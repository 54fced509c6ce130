"""Error codes of ``wasi:http`` that a guest gets when its request fails."""

import socket
import ssl
import time

import pytest

from propeller.core.sandbox import Grants
from propeller.runtime.component.variants import Case, Err, Ok
from propeller.runtime.wasi.exchange import Exchange
from propeller.runtime.wasi.fields import Fields
from propeller.runtime.wasi.linking import FUNCTIONS
from propeller.runtime.wasi.messages import OutgoingRequest, RequestOptions
from propeller.runtime.wasi.session import Session
from tests.parts.certificates import Certificates
from tests.runtime.wasi.helpers import DEADLINE_S
from tests.runtime.wasi.test_outgoing import _serving

_types = FUNCTIONS["wasi:http/types"]


def _send(
    authority: str, path: str = "/", *, scheme: str = "HTTP", times: dict[str, int] | None = None
) -> str:
    """Send a request as a guest does; give the name of what went wrong."""
    session = Session(grants=Grants(http=("*",)), deadline=time.monotonic() + DEADLINE_S)
    with session.in_this_thread():
        request, options = OutgoingRequest(Fields()), RequestOptions()
        request.authority, request.target, request.scheme = authority, path, Case(scheme)
        options.times = dict(times or {})
        sent = FUNCTIONS["wasi:http/outgoing-handler"]["handle"](
            session, session.add(request), session.add(options)
        )
        if isinstance(sent, Err):
            return sent.value.name
        exchange = session.get(sent.value, Exchange)
        session.wait(lambda: exchange.outcome is not None)
        assert isinstance(exchange.outcome, Err)
        return exchange.outcome.value.name


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as end:
        port = end.getsockname()[1]
    assert _send(f"127.0.0.1:{port}") == "connection-refused"


def test_a_name_that_nobody_has():
    assert _send("nobody.invalid") == "DNS-error"


def test_a_server_that_says_nothing():
    with _serving() as (_, port):
        times = {"first-byte-timeout": 50_000_000}
        assert _send(f"127.0.0.1:{port}", "/silent", times=times) == "connection-read-timeout"


def test_a_server_that_does_not_speak_http():
    with _serving() as (_, port):
        assert _send(f"127.0.0.1:{port}", "/noise") == "HTTP-protocol-error"


def test_a_certificate_that_nobody_vouches_for(tmp_path):
    certificates = Certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    with _serving(context) as (_, port):
        assert _send(f"localhost:{port}", scheme="HTTPS") == "TLS-certificate-error"


def test_a_server_without_tls():
    with _serving() as (_, port):
        assert _send(f"127.0.0.1:{port}", scheme="HTTPS") == "TLS-protocol-error"


@pytest.mark.parametrize("authority", ["", "user@host", "host:port"])
def test_an_authority_that_is_none(authority):
    assert _send(authority) == "HTTP-request-URI-invalid"


def test_another_scheme():
    assert _send("127.0.0.1", scheme="ftp") == "HTTP-request-URI-invalid"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("method", Case("other", "PURGE"), Case("other", "GET / HTTP/1.1\r\nx:")),
        ("path-with-query", "/a?b=ü", "/a HTTP/1.1\r\nx: y"),
        ("scheme", Case("other", "coap"), Case("other", "a/b")),
        ("authority", "[::1]:80", "a\r\nb"),
        ("authority", None, "a b"),
    ],
)
def test_parts_of_a_request_are_looked_at(name, good, bad):
    session = Session()
    number = session.add(OutgoingRequest(Fields()))
    set_, get = (_types[f"[method]outgoing-request.{prefix}{name}"] for prefix in ("set-", ""))
    assert set_(session, number, good) == Ok()
    assert set_(session, number, bad) == Err()
    assert get(session, number) == good


def test_headers_that_a_guest_may_not_set():
    session = Session()
    fields = session.add(Fields())
    append, set_ = _types["[method]fields.append"], _types["[method]fields.set"]
    assert append(session, fields, "Host", b"x") == Err(Case("forbidden"))
    assert append(session, fields, "a b", b"x") == Err(Case("invalid-syntax"))
    assert set_(session, fields, "a", [b"x\r\ny: z"]) == Err(Case("invalid-syntax"))
    assert append(session, fields, "X-A", b"1") == append(session, fields, "x-a", b"2") == Ok()
    assert _types["[method]fields.get"](session, fields, "x-A") == [b"1", b"2"]
    fixed = session.add(Fields([("a", b"b")], is_immutable=True))
    assert set_(session, fixed, "a", [b"c"]) == Err(Case("immutable"))
    assert _types["[method]fields.delete"](session, fixed, "a") == Err(Case("immutable"))
    copy = _types["[method]fields.clone"](session, fixed)
    assert set_(session, copy, "a", [b"c"]) == Ok()
