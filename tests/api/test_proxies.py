"""Who hands a request on is believed only if it is one of our proxies; smuggled headers reach nobody."""

import asyncio
import ipaddress
import json

import pytest
from starlette.responses import JSONResponse

from propeller.access.roles import Role
from propeller.api.proxies import PROXIED, ProxyWay, outside_url
from propeller.assembly.serving import guarded, listen, server_of
from propeller.config.settings import HttpSettings
from propeller.errors import Forbidden, Unauthenticated

#: In each of the manners in which somebody may try.
CLAIMS = [
    "X-User-Id: root",
    "x-user-id: root",
    "X-USER-ID:root",
    "X-Roles: admin",
    "X-Namespaces: *",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.test",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-User: root",
    "Forwarded: for=203.0.113.9;proto=https",
]


async def seen(scope, receive, send):
    """Answer with what is seen of the request, and who it is of."""
    headers = [f"{name.decode()}: {value.decode('latin-1')}" for name, value in scope["headers"]]
    try:
        principal = await ProxyWay().principal(scope, "")
        who = principal and [
            principal.name,
            principal.role,
            None if principal.namespaces is None else sorted(principal.namespaces),
        ]
    except (Unauthenticated, Forbidden) as error:
        who = str(error)
    found = {
        "headers": headers,
        "client": scope["client"][0],
        "scheme": scope["scheme"],
        "outside": outside_url(scope),
        "is_proxied": PROXIED in scope,
        "who": who,
    }
    await JSONResponse(found)(scope, receive, send)


def answers(requests, trusted=()):
    """Send requests as they are, over sockets; give the status and the body of each answer."""

    async def ask(port, text):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text.format(host=f"localhost:{port}").encode("latin-1"))
        answer = (await reader.read()).decode("latin-1")
        writer.close()
        return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]

    async def scene():
        http = HttpSettings(port=0, trusted_proxies=tuple(map(ipaddress.ip_network, trusted)))
        listeners = listen("127.0.0.1", 0)
        server = server_of(guarded(seen, http, listeners), http)
        running = asyncio.create_task(server.serve(sockets=listeners))
        try:
            return [await ask(listeners[0].getsockname()[1], text) for text in requests]
        finally:
            server.should_exit = True
            await running

    return asyncio.run(scene())


def request(*headers):
    return "\r\n".join(["GET / HTTP/1.1", "Host: {host}", "Connection: close", *headers, "", ""])


def told(*headers, trusted=("127.0.0.1",)):
    ((status, body),) = answers([request(*headers)], trusted)
    assert status == 200, body
    return json.loads(body)


# -- from anybody --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8", "::1")], ids=str)
def test_what_only_proxies_may_say_is_dropped_from_others(trusted):
    found = told(*CLAIMS, trusted=trusted)
    assert [line for line in found["headers"] if not line.startswith(("host:", "connection:"))] == []
    assert (found["client"], found["scheme"], found["who"]) == ("127.0.0.1", "http", None)
    assert not found["is_proxied"]
    assert found["outside"].startswith("http://localhost:")


def test_a_name_with_other_signs_in_it_is_another_name():
    found = told("X_User_Id: root", "X-User-Id-: root", "Xx-User-Id: root", "X.Roles: admin", trusted=())
    assert found["who"] is None
    assert found["client"] == "127.0.0.1"


@pytest.mark.parametrize(
    "text",
    [
        "GET / HTTP/1.1\r\nHost: {host}\r\nX-User-Id : root\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nA: b\r\n X-User-Id: root\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nA: b\nX-User-Id: root\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nA: b\rX-User-Id: root\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nA: b\0\r\nX-User-Id: root\r\nConnection: close\r\n\r\n",
        (
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
            "Connection: close\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nX-User-Id: root\r\n\r\n"
        ),
        (
            "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            "0\r\nX-User-Id: root\r\nX-Roles: admin\r\n\r\n"
        ),
    ],
    ids=["space", "fold", "bare LF", "bare CR", "zero", "two lengths", "trailer"],
)
def test_requests_that_two_parsers_may_read_in_two_ways_carry_nobody(text):
    """Either nobody answers them, or what was smuggled is not there."""
    ((status, body),) = answers([text])
    assert status == 400 or (status == 200 and json.loads(body)["who"] is None and "root" not in body.lower())


# -- from our own proxies ------------------------------------------------------------------------------------


def test_our_proxy_says_who_it_is_and_where_from():
    found = told(
        "X-User-Id: ann",
        "X-Roles: something, operator, viewer",
        "X-Forwarded-For: 198.51.100.7",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Prefix: /team/propeller/",
    )
    assert found["who"] == ["ann", Role.OPERATOR, None]
    assert (found["client"], found["scheme"]) == ("198.51.100.7", "https")
    assert found["outside"].startswith("https://localhost:")
    assert found["outside"].endswith("/team/propeller")


def test_namespaces_are_those_that_the_proxy_names():
    assert told("X-User-Id: ann", "X-Roles: viewer", "X-Namespaces: b, a")["who"] == [
        "ann",
        "viewer",
        ["a", "b"],
    ]
    assert told("X-User-Id: ann", "X-Roles: viewer", "X-Namespaces:")["who"] == ["ann", "viewer", []]


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        (["X-User-Id: root", "X-User-Id: ann", "X-Roles: viewer"], "there are 2 of them"),
        (["X-User-Id: ann", "X-Roles: admin", "X-Roles: viewer"], "there are 2 of them"),
        (["X-User-Id: root, ann", "X-Roles: viewer"], "no name of one user"),
        (["X-User-Id:", "X-Roles: viewer"], "no name of one user"),
        (["X-User-Id: a\tb", "X-Roles: viewer"], "no name of one user"),
        (["X-User-Id: ann"], "ann has no role here"),
        (["X-User-Id: ann", "X-Roles: Admin, root"], "ann has no role here"),
    ],
)
def test_what_a_proxy_let_through_of_its_client_lets_nobody_in(headers, why):
    assert why in told(*headers)["who"]


def test_a_proxy_that_names_nobody_lets_nobody_in():
    assert told("X-Roles: admin")["who"] is None


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        (["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        (["1.1.1.1, 198.51.100.7, 10.1.1.1"], "198.51.100.7"),
        (["1.1.1.1", "198.51.100.7", "10.1.1.1"], "198.51.100.7"),
        (["1.1.1.1, 198.51.100.7:4711"], "198.51.100.7"),
        (["1.1.1.1, [2001:db8::7]:4711"], "2001:db8::7"),
        (["1.1.1.1, 2001:db8::7"], "2001:db8::7"),
        (["1.1.1.1, nonsense"], "127.0.0.1"),
        (["1.1.1.1, nonsense, 10.1.1.1"], "10.1.1.1"),
        ([""], "127.0.0.1"),
        (["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
    ],
)
def test_the_client_is_the_last_hop_that_is_no_proxy_of_ours(hops, client):
    lines = [f"X-Forwarded-For: {hop}" for hop in hops]
    assert told(*lines, trusted=("127.0.0.1", "10.0.0.0/8"))["client"] == client


@pytest.mark.parametrize("prefix", ["//evil.test", "/a b", "/a?b", "https://evil.test", "/..%2f", "a"])
def test_a_prefix_that_is_no_path_does_not_count(prefix):
    assert told(f"X-Forwarded-Prefix: {prefix}")["outside"].count("/") == 2


def test_an_ipv4_address_is_known_in_an_ipv6_coat():
    assert told("X-User-Id: ann", "X-Roles: viewer", trusted=("127.0.0.0/8",))["is_proxied"]
