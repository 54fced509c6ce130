"""Tokens of a real issuer that changes its keys, goes away and comes back, and whose clock is wrong."""

import asyncio
import contextlib
import logging
import ssl
import time

import pytest

from propeller.access.oidc import Trust
from propeller.access.roles import Role
from propeller.api import issuer as own
from propeller.api.issued import IssuerWay
from propeller.api.issuer import AGAIN_S, AGAIN_S_AT_FIRST, KEEP_S, Issuer
from propeller.errors import Forbidden, Unauthenticated, Unavailable
from tests.parts.certificates import Certificates
from tests.parts.issuer import AUDIENCE, CLIENT, MACHINE, RealIssuer


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with RealIssuer(tmp_path_factory.mktemp("issuer")) as issuer:
        yield issuer


@pytest.fixture
def issuer(tmp_path):
    made = RealIssuer(tmp_path / "issuer")
    try:
        yield made
    finally:
        made.stop()


def play(scene, address, **trust):
    """Run a scene with what checks the tokens of an issuer, and a clock of it."""

    async def played():
        clock = Clock()
        asked = Issuer(address, now=clock)
        trusted = Trust(issuer=address, audiences=(AUDIENCE, CLIENT), **trust)
        try:
            await scene(IssuerWay(trusted, asked, time.time_ns), clock)
        finally:
            await asked.close()

    asyncio.run(played())


async def away(tokens, token):
    with pytest.raises(Unavailable, match="does not answer"):
        await tokens.bearer(token)


async def refused(tokens, token, why):
    with pytest.raises(Unauthenticated, match=why):
        await tokens.bearer(token)


def test_people_and_machines_are_known_by_their_tokens(shared):
    people = {name: shared.tokens_of(name) for name in ("ann", "sue", "nobody")}
    machine = shared.token_for_machine()

    async def scene(tokens, _clock):
        for kind in ("access_token", "id_token"):
            ann = await tokens.bearer(people["ann"][kind])
            assert (ann.name, ann.role, ann.namespaces) == ("oidc:ann", Role.ADMIN, None)
            sue = await tokens.bearer(people["sue"][kind])
            assert (sue.name, sue.role, sue.namespaces) == ("oidc:sue", Role.SUBMITTER, {"team-a"})
            with pytest.raises(Forbidden, match="nobody has no role here"):
                await tokens.bearer(people["nobody"][kind])
        robot = await tokens.bearer(machine)
        assert (robot.name, robot.role) == (f"oidc:{MACHINE}", Role.SUBMITTER)
        assert await tokens.bearer(machine) is robot, "it is known again without a check"

    play(scene, shared.address, namespaces_claim="namespaces")


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_each_algorithm_of_the_issuer_is_known(issuer, algorithm):
    issuer.settings["algorithm"] = algorithm
    issuer.start()
    token = issuer.token_for_machine()

    async def scene(tokens, _clock):
        assert (await tokens.bearer(token)).name == f"oidc:{MACHINE}"

    play(scene, issuer.address)


def test_another_algorithm_of_the_issuer_is_refused(issuer):
    issuer.settings["algorithm"] = "PS256"
    issuer.start()
    token = issuer.token_for_machine()

    async def scene(tokens, _clock):
        await refused(tokens, token, "signed with 'PS256'")

    play(scene, issuer.address)


def test_a_token_for_another_audience_or_of_another_issuer_is_refused(shared, issuer):
    issuer.start()
    foreign = issuer.token_for_machine()
    shared_token = shared.token_for_machine()

    async def scene(tokens, _clock):
        await refused(tokens, foreign, "does not publish")
        tokens.trust = Trust(issuer=shared.address, audiences=("another",))
        await refused(tokens, shared_token, "not for this manager")

    play(scene, shared.address)


def test_an_issuer_that_is_down_at_first_is_asked_again(issuer):
    issuer.start()
    token = issuer.token_for_machine()
    issuer.stop()

    async def scene(tokens, clock):
        await away(tokens, token)
        issuer.start()
        await away(tokens, token)
        clock.now_s += AGAIN_S_AT_FIRST
        assert (await tokens.bearer(token)).name == f"oidc:{MACHINE}"

    play(scene, issuer.address)


def test_keys_that_are_known_count_while_the_issuer_is_down(issuer):
    issuer.start()
    first, later = issuer.token_for_machine(), issuer.tokens_of("ann")["id_token"]

    async def scene(tokens, clock):
        await tokens.bearer(first)
        issuer.stop()
        clock.now_s += 10 * KEEP_S
        assert (await tokens.bearer(first)).name == f"oidc:{MACHINE}"
        assert (await tokens.bearer(later)).name == "oidc:ann", "checked anew, by the key that is known"
        issuer.rotate()
        newer = issuer.token_for_machine()
        issuer.stop()
        clock.now_s += AGAIN_S
        await away(tokens, newer)

    play(scene, issuer.address)


def test_new_keys_are_found_at_once_and_looked_for_once_a_minute_at_most(issuer):
    issuer.start()
    first = issuer.token_for_machine()

    async def scene(tokens, clock):
        await tokens.bearer(first)
        issuer.rotate()
        second = issuer.token_for_machine()
        clock.now_s += AGAIN_S
        assert (await tokens.bearer(second)).name == f"oidc:{MACHINE}"
        await refused(tokens, first, "does not publish")
        issuer.rotate()
        third = issuer.token_for_machine()
        clock.now_s += AGAIN_S - 1
        generation = tokens.issuer.generation
        for _ in range(20):
            await refused(tokens, third, "does not publish")
        assert tokens.issuer.generation == generation, "strangers do not make us ask"
        clock.now_s += 1
        assert (await tokens.bearer(third)).name == f"oidc:{MACHINE}"

    play(scene, issuer.address)


def test_a_key_that_the_issuer_withdraws_counts_no_more_after_a_while(issuer):
    issuer.start()
    token = issuer.token_for_machine()

    async def scene(tokens, clock):
        await tokens.bearer(token)
        issuer.rotate()
        assert (await tokens.bearer(token)).name == f"oidc:{MACHINE}"
        clock.now_s += KEEP_S + 1
        generation = tokens.issuer.generation
        await tokens.bearer(token)  # which begins to look
        await tokens.issuer._fetching
        assert tokens.issuer.generation == generation + 1
        await refused(tokens, token, "does not publish")

    play(scene, issuer.address)


def test_those_who_come_at_once_ask_once(shared):
    token = shared.token_for_machine()

    async def scene(tokens, _clock):
        found = await asyncio.gather(*(tokens.bearer(token) for _ in range(50)))
        assert {one.name for one in found} == {f"oidc:{MACHINE}"}
        assert tokens.issuer.generation == 1

    play(scene, shared.address)


def test_who_gives_up_does_not_end_it_for_others(shared):
    token = shared.token_for_machine()

    async def scene(tokens, _clock):
        impatient = asyncio.create_task(tokens.bearer(token))
        patient = asyncio.create_task(tokens.bearer(token))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).name == f"oidc:{MACHINE}"

    play(scene, shared.address)


@pytest.mark.parametrize(("off_by_s", "why"), [(601, "the clocks of the issuer"), (-1201, "it expired")])
def test_a_clock_that_is_off_by_ten_minutes_is_noticed(issuer, off_by_s, why):
    issuer.settings["off_by_s"] = off_by_s
    issuer.start()
    token = issuer.token_for_machine()

    async def scene(tokens, _clock):
        await refused(tokens, token, why)

    play(scene, issuer.address)


def test_a_clock_that_is_off_by_less_than_a_minute_does_no_harm(issuer):
    issuer.settings["off_by_s"] = 50
    issuer.start()
    token = issuer.token_for_machine()

    async def scene(tokens, _clock):
        assert (await tokens.bearer(token)).name == f"oidc:{MACHINE}"

    play(scene, issuer.address)


def test_an_issuer_by_https_has_to_show_a_certificate_that_is_trusted(tmp_path):
    certificates = Certificates(tmp_path / "ca")

    async def asked(issuer, ca_cert):
        trusted = Issuer(issuer.address, trusted=ssl.create_default_context(cafile=ca_cert))
        try:
            return (await trusted.metadata()).issuer
        finally:
            await trusted.close()

    with RealIssuer(tmp_path / "issuer", certificates=certificates) as issuer:
        assert asyncio.run(asked(issuer, certificates.ca)) == issuer.address
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            asyncio.run(asked(issuer, None))


def test_an_issuer_by_another_name_is_not_believed(shared):
    address = shared.address.replace("127.0.0.1", "localhost")

    async def scene(tokens, _clock):
        with pytest.raises(Unavailable, match=r"it calls itself 'http://127\.0\.0\.1"):
            await tokens.bearer(shared.token_for_machine())

    play(scene, address)


# -- answers that no issuer gives ----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def answering(answer):
    """A server that answers all requests alike: a function of its address gives status, headers and body."""

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            line = await reader.readuntil(b"\r\n\r\n")
            heard.append(line.split()[1].decode())
            writer.write(answer(address).encode())
            await writer.drain()
        writer.close()

    heard = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield address, heard


def said(body, status="200 OK", more=""):
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{more}\r\n{body}"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: said("{}", "302 Found", "location: http://127.0.0.1:1/\r\n"), "status 302"),
        (lambda _: said("[]"), "no JSON object"),
        (lambda _: said("[" * 100_000), "no JSON object"),
        (lambda _: said("{}"), "missing required field"),
        (lambda _: said("x" * (own._ANSWER_BYTES_MAX + 1)), "larger than"),
        (lambda _: said("{}", "500 Oh"), "status 500"),
        (lambda here: said(f'{{"issuer": "{here}", "jwks_uri": "file:///etc/passwd"}}'), "no http address"),
        (lambda here: said(f'{{"issuer": "{here}", "jwks_uri": "{here}/keys"}}'), "no list of at most"),
    ],
)
def test_answers_that_make_no_sense_are_told_and_let_nobody_in(answer, why, caplog):
    async def scene():
        async with answering(answer) as (address, heard):
            asked = Issuer(address)
            with caplog.at_level(logging.WARNING), pytest.raises(Unavailable, match=why):
                await asked.metadata()
            await asked.close()
            assert heard[0] == "/.well-known/openid-configuration"

    asyncio.run(scene())
    assert why in caplog.text


def test_an_issuer_that_says_nothing_is_not_waited_for_for_long(monkeypatch):
    monkeypatch.setattr(own, "_ANSWER_S_MAX", 0.2)

    async def scene():
        async with answering(lambda _: "") as (address, _heard):
            asked = Issuer(address)
            with pytest.raises(Unavailable):
                await asked.metadata()
            await asked.close()

    asyncio.run(scene())
