"""Who may ask: no page of another site, and nobody for a name that is not ours."""

import asyncio
import socket

import pytest

from propeller.api.app import create_app
from propeller.assembly.serving import guarded, listen, server_of
from propeller.config.settings import HttpSettings
from propeller.errors import CannotListen
from tests.api.helpers import a_manager

START = "POST /tasks/none/start"
#: Ports stand for that of the manager where they are {port}.
FOREIGN = [
    (START, {"Sec-Fetch-Site": "cross-site"}),
    (START, {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:1"}),
    (START, {"Origin": "http://localhost:1"}),
    (START, {"Origin": "http://evil.test"}),
    (START, {"Origin": "https://localhost.evil.test:{port}"}),
    (START, {"Origin": "null"}),
    (START, {"Origin": "http://[::1"}),
    ("DELETE /tasks/none", {"Origin": "http://evil.test"}),
    ("PUT /tasks/none", {"Origin": "http://evil.test"}),
    ("PATCH /tasks/none", {"Origin": "http://evil.test"}),
]
OURS = [
    (START, {}),
    (START, {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:{port}"}),
    (START, {"Sec-Fetch-Site": "none"}),
    (START, {"Origin": "http://localhost:{port}"}),
    ("GET /tasks", {"Origin": "http://evil.test", "Sec-Fetch-Site": "cross-site"}),
]
LOOPBACK_NAMES = "localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1.2.3", "[::1]"
OTHER_NAMES = (
    *("evil.test", "localhost.evil.test", "evil.test.", "0.0.0.0", "10.0.0.1", "[::2]", "[::]"),
    *("user@localhost", "", "localhost:1:2", "local host", "localhost/", "127.0.0.1.evil.test", "\xb5"),
)


async def status(port, request, headers):
    """Ask, with these headers as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    given = {"Host": f"localhost:{port}"} | headers | {"Connection": "close"}
    lines = [f"{request} HTTP/1.1", *(f"{name}: {value.format(port=port)}" for name, value in given.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    answer = (await reader.read()).decode()
    writer.close()
    if answer.split()[1] == "403":
        assert '\r\n\r\n{"error":' in answer
    return int(answer.split()[1])


def asked(directory, requests, **http):
    """Give the status of each answer."""

    async def part(port):
        return [await status(port, request, headers) for request, headers in requests]

    return served(directory, part, **http)


def served(directory, part, address="", **http):
    """Serve as the program does; give what a part with its port gives."""

    async def scene():
        settings = HttpSettings(port=0, **http)
        listeners = listen(settings.host, 0)
        async with a_manager(directory) as manager:
            app = create_app(manager, instance_id="i")
            server = server_of(guarded(app, settings, listeners, address), settings)
            running = asyncio.create_task(server.serve(sockets=listeners))
            try:
                port = next(one for one in listeners if one.family == socket.AF_INET).getsockname()[1]
                return await part(port)
            finally:
                server.should_exit = True
                await running

    return asyncio.run(scene())


def test_a_page_of_another_site_changes_nothing(tmp_path):
    assert asked(tmp_path, FOREIGN) == [403] * len(FOREIGN)
    assert asked(tmp_path, OURS) == [404, 404, 404, 404, 200]


def test_on_loopback_only_its_names_count(tmp_path):
    named = [
        ("GET /health", {"Host": f"{name}{port}"}) for name in LOOPBACK_NAMES for port in ("", ":7", ":")
    ]
    assert asked(tmp_path, named) == [200] * len(named)
    named = [("GET /health", {"Host": f"{name}{port}"}) for name in OTHER_NAMES for port in ("", ":7")]
    assert asked(tmp_path, named) == [403] * len(named)


def test_other_names_can_be_given(tmp_path):
    named = [
        ("GET /health", {"Host": name})
        for name in ("propeller.test", "[FD00::1]:7", "localhost", "evil.test")
    ]
    assert asked(tmp_path, named, names=("propeller.test", "fd00::1")) == [200, 200, 200, 403]


def test_other_managers_ask_by_the_address_that_they_know(tmp_path):
    named = [("GET /health", {"Host": name}) for name in ("manager-1:7070", "10.0.0.5:7070", "manager-2")]
    assert asked(tmp_path, named, address="https://Manager-1:7070") == [200, 403, 403]
    names = ("propeller.test",)
    assert asked(tmp_path, named, address="http://10.0.0.5:7070", names=names) == [403, 200, 403]


def test_behind_a_proxy_that_asks_by_another_name_its_own_page_may_change(tmp_path):
    """nginx asks for ``localhost`` unless it is told otherwise, and over plain HTTP browsers say no more."""
    own = [
        (START, {"Origin": origin})
        for origin in ("http://propeller.test", "http://Propeller.test:8080", "http://[fd00::1]")
    ]
    foreign = [
        (START, {"Origin": origin})
        for origin in ("http://evil.test", "http://propeller.test.evil.test", "null", "http://localhost")
    ]
    foreign.append((START, {"Origin": "http://propeller.test", "Sec-Fetch-Site": "same-site"}))
    names = ("propeller.test", "fd00::1")
    assert asked(tmp_path, own + foreign, names=names) == [404] * len(own) + [403] * len(foreign)
    assert asked(tmp_path, own) == [403] * len(own)


def test_who_asks_by_another_name_reads_what_to_do(tmp_path):
    async def part(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: a.test:7070\r\nConnection: close\r\n\r\n")
        answer = (await reader.read()).decode()
        writer.close()
        return answer

    expected = "the name 'a.test'; use localhost, or start it with --http-names a.test\""
    assert expected in served(tmp_path, part)


@pytest.mark.parametrize(("names", "expected"), [((), [200, 200]), (("propeller.test",), [200, 403])])
def test_elsewhere_than_on_loopback_any_name_counts_unless_some_are_given(tmp_path, names, expected):
    named = [("GET /health", {"Host": name}) for name in ("propeller.test", "evil.test")]
    assert asked(tmp_path, named, host="", names=names) == expected


def test_who_says_no_name_is_no_browser(tmp_path):
    async def scene():
        async with a_manager(tmp_path) as manager:
            settings = HttpSettings(port=0)
            listeners = listen("127.0.0.1", 0)
            server = server_of(guarded(create_app(manager, instance_id="i"), settings, listeners), settings)
            running = asyncio.create_task(server.serve(sockets=listeners))
            reader, writer = await asyncio.open_connection(*listeners[0].getsockname())
            writer.write(b"GET /health HTTP/1.0\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
            server.should_exit = True
            await running

    asyncio.run(scene())


@pytest.mark.parametrize("host", ["ü" * 100, "a..b", "x" * 64, "nowhere.invalid"])
def test_a_host_that_is_none_is_refused(host):
    with pytest.raises(CannotListen, match=r"is not known: .*; give another with --host"):
        listen(host, 0)
