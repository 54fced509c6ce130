"""Modules at web addresses, and where requests may not lead."""

import asyncio
import socket
import ssl
import subprocess
import threading

import pytest

from propeller.errors import ModuleUnavailable
from propeller.registry.addresses import is_public
from propeller.registry.settings import Credentials
from tests.registry.helpers import Server, digest_of, get, module, play, settings

DATA = module("on the web", 100_000)
OPEN = {"plain_http": frozenset(), "allow_private_addresses": True}


def refusal(told, reference):
    with pytest.raises(ModuleUnavailable) as caught:
        get(told, reference)
    return str(caught.value)


def named(monkeypatch, **names):
    """Let these names, with ``.example`` behind them, lead to these addresses, the last one for ever."""
    real, asked = socket.getaddrinfo, []

    def look_up(host, port, *args, **options):
        name = host.removesuffix(".example")
        if name not in names:
            return real(host, port, *args, **options)
        asked.append(name)
        found = names[name][min(asked.count(name), len(names[name])) - 1]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ([found] if isinstance(found, str) else found)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("kind", ["application/wasm", "application/octet-stream; x=y", None])
def test_fetches_from_an_address(tmp_path, kind):
    with Server(lambda _: (200, {"Content-Type": kind} if kind else {}, DATA)) as server:
        assert get(settings(tmp_path, **OPEN), f"http://{server.host}/m.wasm?x=1") == DATA
        assert server.paths == ["/m.wasm?x=1"]


def test_asks_an_address_anew_each_time(tmp_path):
    answers = [module("one"), module("two")]
    with Server(lambda _: (200, {}, answers.pop(0))) as server:

        async def part(fetcher):
            return [(await fetcher.resolve(f"http://{server.host}/m")).digest for _ in range(2)]

        assert play(part, settings(tmp_path, **OPEN)) == [digest_of(module(word)) for word in ("one", "two")]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((404, {}, b""), "HTTP 404 Not Found fetching wasm from URL"),
        (
            (200, {"Content-Type": "text/html"}, DATA),
            "is sent as 'text/html'; a module is application/wasm or",
        ),
        ((200, {}, b""), "is empty"),
        ((200, {}, bytes(200_001)), "has 200001 bytes; 200000 are allowed"),
        ((200, {}, [bytes(100_000)] * 3), "is larger than the 200000 bytes allowed"),
        ((200, {"Content-Encoding": "gzip"}, DATA), "is sent compressed"),
        ((302, {"Location": "ftp://a.example/"}, b""), "is no web address"),
        ((302, {"Location": "/again"}, b""), "more than 5 redirects"),
        ((302, {}, b""), "HTTP 302 Found"),
    ],
)
def test_says_what_is_wrong_and_does_not_try_again(tmp_path, answer, why):
    with Server(lambda _: answer) as server:
        assert why in refusal(
            settings(tmp_path, module_bytes_max=200_000, **OPEN), f"http://{server.host}/m.wasm"
        )
        assert len(server.requests) == (6 if "redirects" in why else 1)
        assert not list((tmp_path / "cache").iterdir()), "a draft is not left behind"


@pytest.mark.parametrize("text", ["http://", "https://:80/x", "http://[::1/x"])
def test_refuses_what_is_no_address(tmp_path, text):
    assert "is not a web address" in refusal(settings(tmp_path), text)


@pytest.mark.parametrize("text", ["http://127.0.0.1:65616/x", "127.0.0.1:65616/x"])
def test_refuses_what_is_no_port(tmp_path, text):
    assert "can't have the port 65616" in refusal(settings(tmp_path), text)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_tries_again_after_a_transient_fault(tmp_path, status):
    answers = [(status, {}, b"")] * 3
    with Server(lambda _: answers.pop() if answers else (200, {}, DATA)) as server:
        assert get(settings(tmp_path, **OPEN), f"http://{server.host}/m") == DATA


def test_tries_again_from_the_beginning_when_an_answer_breaks_off(tmp_path):
    whole = []

    def answer(request):
        if whole:
            return 200, {}, DATA
        whole.append(True)
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + DATA[:5000])
        raise ConnectionError

    with Server(answer) as server:
        assert get(settings(tmp_path, **OPEN), f"http://{server.host}/m") == DATA


def test_gives_up_when_the_fault_stays(tmp_path):
    with Server(lambda _: (503, {}, b"")) as server:
        why = refusal(settings(tmp_path, **OPEN), f"http://{server.host}/m?secret=1")
        assert why == (
            f"HTTP 503 Service Unavailable fetching wasm from URL http://{server.host}/m (tried 4 times)"
        )
        assert len(server.requests) == 4


def test_does_not_wait_for_ever(tmp_path):
    over = threading.Event()

    def answer(_):
        over.wait(60)
        return 200, {}, DATA

    with Server(answer) as server:
        why = refusal(settings(tmp_path, url_timeout_s=0.2, **OPEN), f"http://{server.host}/m")
        over.set()
        assert why == f"http://{server.host}/m could not be fetched within 0.2 s"


def test_one_who_goes_away_does_not_end_the_fetch_of_the_others(tmp_path):
    over = threading.Event()

    def answer(_):
        over.wait(60)
        return 200, {}, DATA

    with Server(answer) as server:

        async def part(fetcher):
            first, second = (asyncio.create_task(fetcher.fetch(f"http://{server.host}/m")) for _ in range(2))
            while not server.requests:  # noqa: ASYNC110  another thread's list
                await asyncio.sleep(0)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            over.set()
            return (await second).digest

        assert play(part, settings(tmp_path, **OPEN)) == digest_of(DATA)


# -- where requests may not lead ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    "127.0.0.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 "
    "::1 :: fe80::1 fc00::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 2002:7f00:1:: 64:ff9b::a00:1 "
    # IPv4-compatible and IPv4-translated, site-local, NAT64 of one network, Teredo, and what nobody has.
    "::127.0.0.1 ::10.0.0.1 ::93.184.215.14 ::ffff:0:7f00:1 fec0::1 feff::1 64:ff9b:1::1 64:ff9b:1::a00:1 "
    "2001:0:a00:1::1 2001:0:5db8:d70e:0:0:f5ff:fffe 2002:a00:1::1 100::1 5f00::1 4000::1".split(),
)
def test_knows_addresses_that_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
)
def test_knows_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"]
)
@pytest.mark.parametrize("reference", ["http://{}/m.wasm", "https://{}:1/m.wasm"])
def test_refuses_private_addresses_however_they_are_written(tmp_path, name, reference):
    why = refusal(settings(tmp_path, plain_http=frozenset()), reference.format(name))
    assert "which is not a public one" in why


def test_refuses_a_registry_at_a_private_address_that_nobody_named(tmp_path):
    why = refusal(settings(tmp_path, plain_http=frozenset()), "127.0.0.1:1/acme/sum:v1")
    assert "which is not a public one" in why
    named_by_credentials = settings(
        tmp_path, plain_http=frozenset(), credentials={"127.0.0.1:1": Credentials(token="t")}, tries=1
    )
    assert "127.0.0.1:1 can't be read" in refusal(named_by_credentials, "127.0.0.1:1/acme/sum:v1")


def test_refuses_a_name_of_which_one_address_is_private(tmp_path, monkeypatch):
    named(monkeypatch, mixed=[["93.184.215.14", "10.0.0.1"]])
    why = refusal(settings(tmp_path), "http://mixed.example/m.wasm")
    assert "mixed.example has the address 10.0.0.1" in why


def test_a_redirect_does_not_lead_to_a_private_address(tmp_path, monkeypatch):
    named(monkeypatch, inside=["127.0.0.1"])
    with Server(lambda _: (200, {}, DATA)) as inside:
        where = f"http://inside.example:{inside.port}/m.wasm"
        with Server(lambda _: (302, {"Location": where}, b"")) as outside:
            told = settings(tmp_path, plain_http=frozenset({outside.host}))
            assert "inside.example has the address 127.0.0.1" in refusal(
                told, f"http://{outside.host}/m.wasm"
            )
        assert inside.requests == []


def test_connects_to_the_address_that_was_checked(tmp_path, monkeypatch):
    asked = named(monkeypatch, rebound=["127.0.0.1", "127.0.0.2"])
    with Server(lambda _: (200, {}, DATA)) as server:
        name = f"rebound.example:{server.port}"
        assert get(settings(tmp_path, **OPEN), f"http://{name}/m.wasm") == DATA
        assert asked == ["rebound"], "a second look could find another address"
        assert server.requests[0].headers["Host"] == name


def test_tries_the_next_address_of_a_name(tmp_path, monkeypatch):
    named(monkeypatch, two=[["127.0.0.9", "127.0.0.1"]])
    with Server(lambda _: (200, {}, DATA)) as server:
        assert get(settings(tmp_path, **OPEN), f"http://two.example:{server.port}/m") == DATA


def test_names_a_host_that_is_not_known(tmp_path, monkeypatch):
    def unknown(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert refusal(settings(tmp_path), "nowhere.example/a/b:v1") == (
        "host nowhere.example is not known: Name or service not known"
    )


# -- TLS ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The files of a certificate for secure.example, signed by itself."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    names = ["-addext", "subjectAltName=DNS:secure.example"]
    subprocess.run([*command.split(), *names, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def secure(certificate, monkeypatch):
    """A TLS server that is known as secure.example and as other.example."""
    named(monkeypatch, secure=["127.0.0.1"], other=["127.0.0.1"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    with Server(lambda _: (302, {"Location": f"http://127.0.0.1:{made.port}"}, b""), tls=tls) as made:
        yield made


def test_tls_asks_for_the_name_though_the_address_is_connected_to(tmp_path, secure, certificate):
    told = settings(tmp_path, ca_cert=certificate[0], **OPEN)
    # That the redirect is read means that the certificate was fine.
    assert "redirects from https to plain http" in refusal(told, f"https://secure.example:{secure.port}/m")
    assert "certificate is not valid for 'other.example'" in refusal(
        told, f"https://other.example:{secure.port}/m"
    )


def test_an_unknown_certificate_is_refused_unless_told_otherwise(tmp_path, secure):
    where = f"https://secure.example:{secure.port}/m"
    why = refusal(settings(tmp_path, **OPEN), where)
    assert f"no TLS connection with secure.example:{secure.port}" in why
    assert "tried" not in why
    careless = settings(tmp_path, insecure_skip_verify=True, **OPEN)
    assert "redirects from https to plain http" in refusal(careless, where)


def test_names_a_ca_certificate_that_can_not_be_read(tmp_path):
    with pytest.raises(ModuleUnavailable, match=r"CA certificate .* can't be used"):
        get(settings(tmp_path, ca_cert=tmp_path / "none.pem"), "a/b")
