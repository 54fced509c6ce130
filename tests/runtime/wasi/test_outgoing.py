"""Requests that a real component sends, to real servers."""

import contextlib
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import wasmtime
from wasmtime.component import Variant

from propeller.core.sandbox import Grants
from propeller.runtime.guest_run import Trust
from propeller.runtime.wasi.exchange import Exchange
from propeller.runtime.wasi.outgoing import _is_allowed
from propeller.runtime.wasi.session import Cancelled, Session
from tests.parts.certificates import Certificates
from tests.runtime.wasi.helpers import DEADLINE_S, loaded, new_store


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str]]]

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        match self.path:
            case "/moved":
                self._answer(302, b"elsewhere", Location="/")
            case "/large":
                self._answer(200, b"x" * 1_000_000)
            case "/silent":
                self.rfile.read()  # until the client is gone
            case "/half":
                self.send_response(200)
                self.send_header("Content-Length", "10")
                self.end_headers()
                self.wfile.write(b"half")
                self.close_connection = True
            case "/noise":
                self.wfile.write(b"this is not HTTP\r\n\r\n")
                self.close_connection = True
            case _:
                self._answer(200, b"hello")

    def do_POST(self) -> None:
        body = b""
        if "Content-Length" in self.headers:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        else:
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self._answer(200, body[::-1])


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


@contextlib.contextmanager
def _serving(context: ssl.SSLContext | None = None) -> Iterator[Any]:
    handler = type("Handler", (_Handler,), {"seen": []})
    with _Server(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield handler, server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Any]:
    with _serving() as served:
        yield served


def call(name: str, *arguments: str, rules: tuple[str, ...] = ("127.0.0.1:*",), **more: Any) -> Any:
    """Call the client; give what it returns, or raise what ended it."""
    ready, _, linker = loaded("http_client")  # before its time begins: the first one waits for the compiler
    more.setdefault("deadline", time.monotonic() + DEADLINE_S)
    session = more.pop("session", None) or Session(grants=Grants(http=rules), **more)
    store = new_store()
    with session.in_this_thread():
        try:
            function = linker.instantiate(store, ready).get_func(store, name)
            assert function is not None
            result = function(store, *arguments)
        except wasmtime.WasmtimeError:
            raise (session.failure or AssertionError("it trapped by itself")) from None
        finally:
            store.close()
    assert isinstance(result, Variant)
    return result.tag, result.payload


def fetch(port: int, path: str = "/", **more: Any) -> Any:
    more.setdefault("rules", (f"127.0.0.1:{port}",))
    return call("fetch-text", f"http://127.0.0.1:{port}{path}", **more)


def test_a_guest_fetches_from_a_host_that_it_was_granted(server):
    handler, port = server
    assert fetch(port, "/a?b=c") == ("ok", "200 hello")
    ((method, path, headers),) = handler.seen
    assert (method, path, headers["host"]) == ("GET", "/a?b=c", f"127.0.0.1:{port}")
    # Nothing is said in the guest's name that it did not say: it could not read a compressed answer.
    assert "accept-encoding" not in headers
    assert "content-length" not in headers


def test_a_body_goes_out_and_a_large_one_comes_in(server):
    _, port = server
    rules = (f"127.0.0.1:{port}",)
    assert call("post-text", f"http://127.0.0.1:{port}/", "abc", rules=rules) == ("ok", "200 cba")
    text = "x" * 300_000
    assert call("post-text", f"http://127.0.0.1:{port}/", text, rules=rules) == ("ok", f"200 {text}")
    assert fetch(port, "/large") == ("ok", "200 " + "x" * 1_000_000)


@pytest.mark.parametrize(
    "rules",
    [(), ("127.0.0.1",), ("127.0.0.1:1",), ("example.com",), ("*.0.0.1",), ("27.0.0.1",)],
    ids=lambda rules: ",".join(rules) or "nothing",
)
def test_other_hosts_and_ports_are_refused(server, rules):
    handler, port = server
    tag, _ = fetch(port, rules=rules)
    assert (tag, handler.seen) == ("err", [])


@pytest.mark.parametrize(
    "host", ["evil.test%00.sub.test", ".sub.test", "a..sub.test", "evil.test%2f.sub.test"]
)
def test_what_only_looks_like_a_host_below_a_granted_one_is_refused(host):
    """The guest's own library may refuse it before; another one does not."""
    session = Session(grants=Grants(http=("*.sub.test",)))
    assert _is_allowed(session, httpx.URL("http://a.sub.test/"))
    assert not _is_allowed(session, httpx.URL(f"http://{host}/"))


def test_all_hosts_can_be_granted(server):
    _, port = server
    assert fetch(port, rules=("*",)) == ("ok", "200 hello")


def test_redirects_are_the_guests_business(server):
    handler, port = server
    tag, text = fetch(port, "/moved")
    assert (tag, len(handler.seen)) == ("ok", 1)
    assert text.startswith("302 ")


def test_proxies_of_the_machine_are_not_used(server, monkeypatch):
    _, port = server
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert fetch(port) == ("ok", "200 hello")


@pytest.mark.parametrize("path", ["/half", "/noise"])
def test_an_answer_that_breaks_off_is_an_error(server, path):
    _, port = server
    try:
        tag, _ = fetch(port, path)
    except AssertionError:
        return  # the guest's engine may end it for that
    assert tag == "err"


def test_a_guest_that_waits_for_a_server_ends_at_its_deadline(server):
    _, port = server
    with pytest.raises(Cancelled):
        fetch(port, "/silent", deadline=time.monotonic() + 0.3)


def test_a_guest_that_waits_for_a_server_can_be_cancelled(server):
    handler, port = server
    session = Session(grants=Grants(http=("*",)))
    failures: list[BaseException] = []

    def run() -> None:
        try:
            fetch(port, "/silent", session=session)
        except Cancelled as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not handler.seen:
        thread.join(0.01)
    session.cancel()
    thread.join(DEADLINE_S)
    assert len(failures) == 1


def test_certificates_are_checked(tmp_path):
    certificates = Certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    with _serving(context) as (handler, port):
        url, rules = f"https://localhost:{port}/", ("*",)
        tag, _ = call("fetch-text", url, rules=rules)
        assert (tag, handler.seen) == ("err", [])
        for trust in (Trust(ca_cert=str(certificates.ca)), Trust(is_blind=True)):
            assert call("fetch-text", url, rules=rules, trust=trust) == ("ok", "200 hello")


class _Watched(httpx.HTTPTransport):
    """Notes the time limits of requests."""

    limits: dict[str, float | None]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.limits = dict(request.extensions["timeout"])
        return httpx.Response(200)


@pytest.mark.parametrize(
    ("left_s", "times", "connect", "read"),
    [
        (None, {}, 30.0, None),
        (None, {"connect-timeout": 60_000_000_000, "first-byte-timeout": 90_000_000_000}, 60.0, 90.0),
        (None, {"first-byte-timeout": None}, 30.0, None),
        (10, {"first-byte-timeout": 90_000_000_000}, 10, 10),
    ],
)
def test_a_request_may_take_as_long_as_its_guest_unless_that_says_otherwise(left_s, times, connect, read):
    session = Session(deadline=None if left_s is None else time.monotonic() + left_s)
    transport = _Watched()
    exchange = Exchange(session, transport, httpx.Request("GET", "http://x.test/"), None, times)
    session.wait(lambda: exchange.outcome is not None)
    assert transport.limits["connect"] == pytest.approx(connect, abs=1)
    assert transport.limits["read"] == (None if read is None else pytest.approx(read, abs=1))
    assert transport.limits["write"] is None


def test_a_port_where_nobody_listens_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as end:
        port = end.getsockname()[1]
    tag, _ = fetch(port)
    assert tag == "err"
