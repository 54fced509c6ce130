"""A component as an HTTP server, and real clients."""

import contextlib
import http.client
import json
import socket
import threading

import pytest

from propeller.runtime.address import ALL, Address
from propeller.runtime.wasi.server import listening
from tests.runtime.wasi.helpers import DEADLINE_S, Served, serving

ANY_PORT = Address(ALL, 0)
#: A request with a body that has only begun.
_OPEN = b"POST /parts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextlib.contextmanager
def raw(served: Served, data: bytes):
    with socket.create_connection(("127.0.0.1", served.port), timeout=DEADLINE_S) as client:
        client.sendall(data)
        yield client


def until(client: socket.socket, wanted: bytes) -> bytes:
    got = b""
    while wanted not in got:
        part = client.recv(65536)
        assert part, f"the connection ended after {got!r}"
        got += part
    return got


def end_of(client: socket.socket) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            got += part
    return got


def wait_for(condition) -> None:
    pause = threading.Event()
    for _ in range(DEADLINE_S * 200):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it did not come to that")


def test_requests_are_answered_and_counted():
    with serving(env={"A": "b"}) as served:
        assert served.get("/") == (200, b"Hello from Wasm\n")
        assert served.get("/nothing")[0] == 404
        assert json.loads(served.get("/env")[1]) == {"A": "b"}
        assert served.get("/trap")[0] == 500
        traffic = served.server.traffic
        wait_for(lambda: traffic.in_flight == 0)
        assert (traffic.requests, traffic.errors) == (4, 0)


def test_a_guest_that_does_not_answer_is_an_error_of_the_server():
    with serving("http_server_py") as served:
        assert served.get("/nothing") == (500, b"the guest failed\n")
        assert served.get("/trap")[0] == 500
        assert served.server.traffic.errors == 2


def test_large_bodies_go_through():
    data = bytes(range(256)) * 8192
    with serving() as served:
        assert served.get("/echo", "POST", data) == (201, data)


def test_a_connection_is_kept():
    with serving() as served:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            own = set()
            for _ in range(3):
                connection.request("GET", "/")
                connection.getresponse().read()
                own.add(connection.sock.getsockname())
            assert len(own) == 1


def test_the_answer_begins_before_the_request_has_ended():
    with serving() as served, raw(served, _OPEN) as client:
        until(client, b"ready\n")
        client.sendall(b"8\r\nthe rest\r\n0\r\n\r\n")
        assert until(client, b"0\r\n\r\n").endswith(b"8\r\nthe rest\r\n0\r\n\r\n")


def test_requests_are_answered_while_others_wait():
    with serving() as served, raw(served, _OPEN) as client:
        until(client, b"ready\n")
        assert served.get("/")[0] == 200


@pytest.mark.parametrize("path", ["/loop", "/slow?ms=3600000"])
def test_a_guest_that_takes_too_long_is_ended(path):
    with serving(request_s=0.2) as served:
        assert served.get(path)[0] == 504
        assert served.get("/")[0] == 200


def test_an_answer_that_the_guest_does_not_finish_is_broken_off():
    half = b"GET /half HTTP/1.1\r\nHost: x\r\n\r\n"
    with serving("http_server_py") as served, raw(served, half) as client:
        got = end_of(client)
        assert b"Hello" in got
        assert b"0\r\n\r\n" not in got


def test_what_went_wrong_is_printed():
    with serving(request_s=0.2) as served:
        served.get("/loop")
        why = b"it ran longer than the limit of 0.2 s for a request; timeout raises it"
        assert b"GET /loop: " + why in b"".join(served.printed)
        assert served.server.traffic.errors == 1


def test_an_answer_that_has_begun_is_broken_off_at_the_time_limit():
    with serving(request_s=0.3) as served, raw(served, _OPEN) as client:
        assert b"0\r\n\r\n" not in end_of(client)


def test_the_call_ends_when_its_client_goes():
    with serving() as served:
        with raw(served, _OPEN) as client:
            until(client, b"ready\n")
            assert served.server.traffic.in_flight == 1
        wait_for(lambda: served.server.traffic.in_flight == 0)


def test_a_client_that_does_not_read_holds_the_guest_back():
    with serving() as served:
        body = b"x" * 65536
        with raw(served, _OPEN.replace(b"/parts", b"/echo")) as client:
            client.settimeout(0.5)
            is_held = False
            for _ in range(4096):
                try:
                    client.sendall(b"%x\r\n%s\r\n" % (len(body), body))
                except TimeoutError:  # all buffers on the way there and back are full
                    is_held = True
                    break
            assert is_held
        wait_for(lambda: served.server.traffic.in_flight == 0)


def test_too_many_requests_are_refused():
    with serving(threads=1, waiting_max=1) as served, raw(served, _OPEN) as first:
        until(first, b"ready\n")
        with raw(served, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as second:
            wait_for(lambda: served.server.traffic.in_flight == 2)
            assert served.get("/")[0] == 503
            first.sendall(b"0\r\n\r\n")
            assert b"Hello" in until(second, b"Wasm\n")


def test_requests_in_flight_may_end_after_a_stop():
    with serving() as served, raw(served, _OPEN) as client:
        until(client, b"ready\n")
        served.server.stop()
        wait_for(lambda: is_refused(served.port))
        client.sendall(b"3\r\nend\r\n0\r\n\r\n")
        assert b"end" in until(client, b"0\r\n\r\n")


def test_requests_that_do_not_end_are_broken_off_after_a_stop():
    with serving(grace_s=0) as served, raw(served, b"GET /loop HTTP/1.1\r\nHost: x\r\n\r\n") as client:
        wait_for(lambda: served.server.traffic.in_flight == 1)
        served.server.stop()
        end_of(client)


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_a_guest_prints_is_handed_over():
    with serving() as served:
        served.get("/print?text=hello")
        assert b"hello" in b"".join(served.printed)


def test_a_port_that_is_taken_is_an_error():
    with listening(ANY_PORT) as end, pytest.raises(OSError, match="in use"):
        listening(Address(ALL, end.getsockname()[1]))


def test_the_next_free_port_is_found():
    with listening(ANY_PORT) as end:
        port = end.getsockname()[1]
        with listening(Address(ALL, port), others=20) as other:
            assert port < other.getsockname()[1] <= port + 20
