"""Components that serve HTTP and that send requests: real ones, built from JavaScript."""

import asyncio
import contextlib
import http.server
import threading

import httpx
import pytest

from propeller.core.sandbox import Dir, Grants
from propeller.runtime.guest_run import GuestRun, Limits
from propeller.runtime.pool.pool import Pool
from tests.guests.helpers import guest, share_compiled
from tests.parts.ports import free_port
from tests.runtime.helpers import put, until

LISTEN = Grants(listen=True)


@pytest.fixture(scope="module")
def tmp_path(tmp_path_factory):
    """One for all: these components take seconds to compile."""
    return share_compiled(tmp_path_factory.mktemp("http"))


@contextlib.asynccontextmanager
async def serving(
    directory, name="http_server", *, grants=LISTEN, limits=None, port=0, cli_args=(), parents=""
):
    """A pool in which the server is up, or has failed; yields its client and what was told."""
    told = {"up": [], "ended": [], "pieces": []}
    pool = Pool(
        directory,
        size=1,
        on_ended=told["ended"].extend,
        on_up=told["up"].extend,
        on_printed=told["pieces"].extend,
    )
    port = port or free_port()
    run = GuestRun(
        1,
        put(directory, guest(name)),
        "serve",
        env={"GREETING": "hola"},
        grants=grants,
        limits=limits,
        parents=parents,
        is_resident=True,
        port=port,
        cli_args=list(cli_args or ["--port", str(port)]),
        allowed_dirs=grants.dirs if grants else (),
    )
    await pool.start()
    try:
        pool.submit([run])
        await until(lambda: told["up"] or told["ended"], "the server")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client, told, pool
    finally:
        await pool.stop()


def play(part, tmp_path, **settings):
    async def scene():
        async with serving(tmp_path, **settings) as site:
            await part(*site)

    asyncio.run(scene())


def test_requests_are_answered_each_by_a_guest_of_its_own(tmp_path):
    async def part(client, told, pool):
        assert told["up"][0].results == f"started at port {client.base_url.port}"
        hello = await client.get("/")
        assert (hello.status_code, hello.text) == (200, "Hello from Wasm\n")
        assert hello.headers["content-type"] == "text/plain"
        assert (await client.get("/headers", headers={"X-Mine": "ü".encode()})).json()["x-mine"]
        assert (await client.get("/nowhere")).status_code == 404
        at_once = await asyncio.gather(*(client.get("/slow?ms=100") for _ in range(20)))
        assert {answer.text for answer in at_once} == {"slow\n"}

    play(part, tmp_path)


def test_a_server_has_its_directories_and_no_others(tmp_path, tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    (data / "out").symlink_to("/etc/passwd")

    async def part(client, told, pool):
        for number in range(3):
            log = (await client.get(f"/log{number}")).text
        assert log == "/log0\n/log1\n/log2\n"
        assert (data / "log").read_text() == log
        for path in ("/data/out", "/data/../etc/passwd", "/etc/passwd"):
            assert (await client.get(f"/file{path.replace('..', '%2e%2e')}")).text.strip() in (
                "Operation not permitted",
                "No such file or directory",
            )
        assert (await client.get("/file/propeller/parents.json")).text == '{"a": 30}'

    grants = Grants(listen=True, dirs=(Dir(host=str(data), guest="/data", mode="rw"),))
    play(part, tmp_path, name="http_server_py", grants=grants, parents='{"a": 30}')


def test_a_directory_that_is_not_there_is_named(tmp_path):
    async def part(client, told, pool):
        assert told["ended"][0].error.startswith("grants.dirs: /not/there can't be opened on this proplet")

    play(part, tmp_path, grants=Grants(listen=True, dirs=(Dir(host="/not/there", guest="/data"),)))


def test_bodies_go_both_ways_as_they_come(tmp_path):
    async def part(client, told, pool):
        data = bytes(range(256)) * 512
        whole = await client.post("/echo", content=data)
        assert (whole.status_code, whole.content) == (201, data)
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert await reader.readuntil(b"first"), "the answer begins before the request has ended"
        writer.write(b"6\r\nsecond\r\n0\r\n\r\n")
        assert await reader.readuntil(b"second")
        writer.close()

    play(part, tmp_path)


def test_what_fails_or_takes_too_long_costs_its_own_request(tmp_path):
    async def part(client, told, pool):
        assert (await client.get("/trap")).status_code == 500
        for path in ("/loop", "/slow?ms=60000"):
            late = await client.get(path)
            assert (late.status_code, late.text) == (
                504,
                "the guest took too long: it ran longer than the limit of 0.5 s for a request; timeout raises it\n",
            )
        assert (await client.get("/")).status_code == 200
        await until(lambda: any(b"on purpose" in piece.data for piece in told["pieces"]), "the log")

    play(part, tmp_path, limits=Limits(request_ns=500_000_000))


def test_a_client_that_goes_away_ends_its_guest(tmp_path):
    async def part(client, told, pool):
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/slow?ms=600000", timeout=0.2)
        assert (await client.get("/")).status_code == 200

    play(part, tmp_path)


def test_a_stopped_server_finishes_what_it_is_at(tmp_path):
    async def part(client, told, pool):
        slow = asyncio.create_task(client.get("/slow?ms=300"))
        await until(pool.executing, "the server to run")
        await client.get("/")
        pool.stop_run(1)
        assert (await slow).text == "slow\n"
        await until(lambda: told["ended"], "the end")
        assert told["ended"][0].stopped
        with pytest.raises(httpx.ConnectError):
            await client.get("/")

    play(part, tmp_path)


def test_a_taken_port_is_named_or_passed_over(tmp_path):
    async def taken(client, told, pool):
        assert (
            told["ended"][0].error
            == f"port {client.base_url.port} can't be listened on: Address already in use"
        )
        assert told["ended"][0].is_refused

    async def passed_over(client, told, pool):
        assert told["up"][0].results != f"started at port {client.base_url.port}"
        assert told["up"][0].results.startswith("started at port ")

    with http.server.HTTPServer(("0.0.0.0", 0), http.server.BaseHTTPRequestHandler) as other:
        play(taken, tmp_path, port=other.server_port)
        play(passed_over, tmp_path, port=other.server_port, cli_args=["--first"])


@pytest.mark.parametrize("address", ["127.0.0.2", "[::1]"])
def test_an_address_that_is_asked_for_is_the_only_one(tmp_path, address):
    async def part(client, told, pool):
        port = client.base_url.port
        assert told["up"][0].results == f"started at port {port}"
        async with httpx.AsyncClient(timeout=60) as other:
            assert (await other.get(f"http://{address}:{port}/")).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await client.get("/")

    port = free_port()
    play(part, tmp_path, port=port, cli_args=["--addr", f"{address}:{port}"])


def test_an_address_without_a_port_is_refused(tmp_path):
    async def part(client, told, pool):
        assert told["ended"][0].error.startswith('cli_args: --addr "localhost" names no port')

    play(part, tmp_path, cli_args=["--addr=localhost"])


def test_without_the_right_to_listen_it_is_refused(tmp_path):
    async def part(client, told, pool):
        assert told["ended"][0].error.startswith(
            "HTTP proxy is disabled. Enable it by setting http_enabled=true"
        )

    play(part, tmp_path, grants=None)


# -- requests that go out ------------------------------------------------------------------------------------


class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"gone over" if self.path == "/old" else b"here I am"
        self.send_response(302 if self.path == "/old" else 200)
        self.send_header("content-length", str(len(body)))
        if self.path == "/old":
            self.send_header("location", "http://elsewhere.example/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def web():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def fetched(directory, url, *hosts):
    async def scene():
        ended = []
        pool = Pool(directory, size=1, on_ended=ended.extend)
        await pool.start()
        try:
            digest = put(directory, guest("http_client"))
            pool.submit([GuestRun(1, digest, "fetch-text", [f'"{url}"'], grants=Grants(http=hosts))])
            await until(lambda: ended, "the answer")
            return ended[0].results or ended[0].error
        finally:
            await pool.stop()

    return asyncio.run(scene())


def test_hosts_that_are_granted_are_reached_and_no_others(tmp_path, web):
    assert fetched(tmp_path, f"http://{web}/", web) == 'ok("200 here I am")\n'
    assert fetched(tmp_path, f"http://{web}/", "*") == 'ok("200 here I am")\n'
    for hosts in ([], ["localhost"], ["127.0.0.1:" + web.partition(":")[2]], ["*.localhost"]):
        assert fetched(tmp_path, f"http://{web}/", *hosts).startswith("err("), hosts


def test_a_host_that_does_not_answer_is_an_error_of_the_guest(tmp_path):
    port = free_port()
    assert fetched(tmp_path, f"http://localhost:{port}/", f"localhost:{port}").startswith("err(")
    assert fetched(tmp_path, "http://no-such-host.invalid/", "*").startswith("err(")
