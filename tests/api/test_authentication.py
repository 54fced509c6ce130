"""Tokens that are good and bad in all ways, and what becomes of those who show them."""

import asyncio
import contextlib

import msgspec
import pytest

from propeller.access.attempts import ATTEMPTS_MAX, WITHIN_S, Attempts
from propeller.access.tokens import SKEW_NS
from propeller.manager import keyring
from propeller.manager.keyring import Keyring
from tests.api.helpers import DEADLINE_S
from tests.api.tokens_helpers import NOW, guarded, play_guarded

MINUTE = 60 * 10**9


def test_a_good_token_lets_in_and_says_who_it_is(tmp_path):
    async def part(site):
        site.use(await site.token("submitter", name="ci", namespaces=["a", "b"], expires_at=NOW + MINUTE))
        assert await site.get("/session") == {
            "name": "ci",
            "role": "submitter",
            "namespaces": ["a", "b"],
            "how": "token",
            "expires_at": "2026-05-04T09:11:11Z",
        }

    play_guarded(part, tmp_path)


BAD = {
    "truncated": (lambda text: text[:-1], "no token of Propeller, or a part of one"),
    "without its secret": (lambda text: text[:16], "no token of Propeller, or a part of one"),
    "longer": (lambda text: text + "A", "no token of Propeller, or a part of one"),
    "with another secret": (lambda text: text[:17] + "B" * 43, "does not know the token"),
    "of another manager": (lambda text: "prp_" + "f" * 12 + text[16:], "does not know the token"),
    "of another kind": (lambda text: "ghp_" + text[4:], "does not take credentials of this kind"),
    "twice in one": (lambda text: f"{text}, Bearer {text}", "no token of Propeller, or a part of one"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_token_that_is_no_good(tmp_path, kind):
    change, why = BAD[kind]

    async def part(site):
        site.use(change(await site.token()))
        response = await site.http.get("/tasks")
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert why in response.json()["error"]
        assert (await site.http.get("/health")).status_code == 200

    play_guarded(part, tmp_path)


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", "prp_"])
def test_a_header_of_another_form(tmp_path, value):
    async def part(site):
        assert "Bearer TOKEN" in await site.refused("GET", "/tasks", 401, headers={"authorization": value})

    play_guarded(part, tmp_path)


def test_two_headers_are_refused_although_both_are_good(tmp_path):
    async def part(site):
        text = await site.token()
        twice = [("authorization", f"Bearer {text}"), ("authorization", f"Bearer {text}")]
        assert "there are 2 of them; send one" in await site.refused("GET", "/tasks", 401, headers=twice)

    play_guarded(part, tmp_path)


def test_a_token_ends_at_its_moment_and_not_before(tmp_path):
    async def part(site):
        site.use(await site.token(expires_at=NOW + MINUTE))
        site.clock.now = NOW + MINUTE - 1
        await site.get("/tasks")
        site.clock.now += 1
        assert "has expired" in await site.refused("GET", "/tasks", 401)

    play_guarded(part, tmp_path)


def test_a_clock_that_is_off_by_ten_minutes(tmp_path):
    """A little is forgiven; with more, nobody knows whether the token has expired."""

    async def part(site):
        site.use(await site.token())
        site.clock.now = NOW - SKEW_NS
        await site.get("/tasks")
        site.clock.now = NOW - 10 * MINUTE
        assert "made in the future" in await site.refused("GET", "/tasks", 401)

    play_guarded(part, tmp_path)


def test_a_revoked_token_is_refused_at_once(tmp_path):
    async def part(site):
        site.use(await site.token())
        other = await site.post("/tokens", {"name": "ci", "role": "viewer"})
        await site.delete(f"/tokens/{other['id']}")
        site.use(other["token"])
        assert "was revoked" in await site.refused("GET", "/tasks", 401)

    play_guarded(part, tmp_path)


def test_many_bad_attempts_are_slowed_down_and_good_ones_are_not(tmp_path):
    async def part(site):
        good = await site.token()
        site.use("prp_wrong")
        for _ in range(ATTEMPTS_MAX):
            await site.refused("GET", "/tasks", 401)
        response = await site.http.get("/tasks")
        assert response.status_code == 429
        assert 0 < int(response.headers["retry-after"]) <= WITHIN_S
        assert "too many bad credentials came from" in response.json()["error"]
        assert (await site.http.post("/session", json={"token": "prp_wrong"})).status_code == 429
        site.use(good)
        await site.get("/tasks")
        site.use("")
        await site.refused("GET", "/tasks", 401)

    play_guarded(part, tmp_path)


def test_attempts_are_counted_by_address_and_forgotten():
    attempts = Attempts()
    assert [attempts.failed("a", 0.0) for _ in range(ATTEMPTS_MAX)] == [0] * ATTEMPTS_MAX
    assert attempts.failed("a", 1.0) == 59
    assert attempts.failed("b", 1.0) == 0
    assert attempts.failed("a", WITHIN_S) == 0


def test_no_more_addresses_are_kept_than_there_is_room_for():
    attempts = Attempts()
    for number in range(20_000):
        attempts.failed(str(number), 0.0)
    assert len(attempts._failed) == 10_000


@pytest.mark.parametrize("ended_by", ["revocation", "expiry"])
def test_a_stream_ends_with_its_token(tmp_path, ended_by):
    async def part(site):
        text = await site.token("viewer", expires_at=NOW + MINUTE)
        async with (
            asyncio.timeout(DEADLINE_S),
            site.http.stream("GET", "/events", headers={"authorization": f"Bearer {text}"}) as stream,
        ):
            chunks = stream.aiter_bytes()
            assert b"following" in await anext(chunks)
            if ended_by == "revocation":
                await site.keyring.revoke(text.split("_")[1])
            else:
                site.clock.now = NOW + MINUTE
            async with asyncio.timeout(5):
                assert [chunk async for chunk in chunks] == []

    play_guarded(part, tmp_path, is_served=True)


def test_who_follows_as_many_streams_as_one_may_is_refused_another(tmp_path, monkeypatch):
    monkeypatch.setattr(keyring, "STREAMS_MAX", 2)

    async def part(site):
        tokens = [{"authorization": f"Bearer {await site.token('viewer', name=name)}"} for name in ("a", "b")]

        def follow(headers):
            return site.http.stream("GET", "/events", headers=headers)

        async with asyncio.timeout(DEADLINE_S), follow(tokens[0]) as first, follow(tokens[1]) as other:
            async with follow(tokens[0]) as second:
                third = await site.http.get("/events", headers=tokens[0])
                assert (third.status_code, third.headers["retry-after"]) == (429, "5")
                assert third.json()["error"] == "a follows 2 streams already; end some, and try again"
            for stream in (first, second, other):
                assert stream.status_code == 200
            while True:  # the end of the second one is heard of a moment later
                async with follow(tokens[0]) as again:
                    if again.status_code == 200:
                        break

    play_guarded(part, tmp_path, is_served=True)


def test_another_manager_that_revokes_a_token_is_believed_within_a_second(tmp_path):
    """What PostgreSQL tells comes as ``changed``."""

    async def scene():
        async with guarded(tmp_path) as site:
            text = await site.token()
            site.use(text)
            await site.get("/tasks")
            await site.manager.store.revoke_token(text.split("_")[1], NOW)
            site.keyring.changed()
            async with asyncio.timeout(1):
                while (await site.http.get("/tasks")).status_code != 401:
                    pass

    asyncio.run(scene())


def test_the_last_use_is_shown_and_written(tmp_path):
    async def part(site):
        site.use(await site.token())
        (shown,) = (await site.get("/tokens"))["tokens"]
        assert shown["last_used_at"] == "2026-05-04T09:10:11Z"
        (kept,) = await site.manager.store.tokens()
        assert kept.last_used_at == NOW

    play_guarded(part, tmp_path)


def test_before_the_store_is_open_nobody_is_known_and_nobody_is_refused_for_good(tmp_path, monkeypatch):
    monkeypatch.setattr("propeller.manager.keyring._OPEN_S", 0.01)

    async def part(site):
        site.use(await site.token())
        site.http._transport.app._keyring = site.http._transport.app._ways[0]._keyring = Keyring()
        response = await site.http.get("/tasks")
        assert response.status_code == 503
        assert "is starting" in response.json()["error"]

    play_guarded(part, tmp_path)


def test_a_reading_that_began_earlier_brings_no_revoked_token_back(tmp_path):
    async def part(site):
        text = await site.token()
        store, is_held, is_read = site.keyring._store, asyncio.Event(), asyncio.Event()

        class Slow:
            async def tokens(self):
                found = await store.tokens()
                is_read.set()
                await is_held.wait()
                return found

        site.keyring._store = Slow()
        early = asyncio.create_task(site.keyring.reload())
        await is_read.wait()
        site.keyring._store = store
        revoking = asyncio.create_task(site.keyring.revoke(text.split("_")[1]))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.shield(revoking)
        is_held.set()
        await asyncio.gather(early, revoking)
        site.use(text)
        await site.refused("GET", "/tasks", 401)

    play_guarded(part, tmp_path)


def test_a_keyring_can_be_closed_twice_and_unopened():
    async def scene():
        keyring = Keyring()
        await keyring.close()
        await keyring.close()

    asyncio.run(scene())


def test_no_part_of_a_secret_is_kept(tmp_path):
    async def part(site):
        site.use(await site.token())
        made = await site.post("/tokens", {"name": "ci", "role": "viewer"})
        secret = made["token"].split("_", 2)[2]
        kept = msgspec.json.encode(
            [msgspec.to_builtins(token) for token in await site.manager.store.tokens()]
        )
        assert secret.encode() not in kept
        assert secret not in (await site.http.get("/tokens")).text

    play_guarded(part, tmp_path)
