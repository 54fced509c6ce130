"""Tokens and sessions: each field survives, and what ends one stays done."""

import msgspec

from propeller.access.roles import Role
from propeller.access.tokens import Kind, Token
from tests.builders import TEXT

NOW = 1_777_885_811 * 10**9
PLAIN = Token(id="a" * 12, name="ci", role=Role.OPERATOR, digest="0" * 64, created_by="ann", created_at=NOW)
FULL = Token(
    id="b" * 12,
    kind=Kind.SESSION,
    parent=PLAIN.id,
    name=TEXT,
    role=Role.VIEWER,
    namespaces=frozenset({"default", "ü"}),
    digest="f" * 64,
    created_by=TEXT,
    created_at=NOW + 1,
    expires_at=NOW + 9,
    last_used_at=NOW + 3,
    revoked_at=NOW + 5,
)


def test_each_field_survives(data):
    async def write(store):
        await store.add_token(FULL)
        await store.add_token(PLAIN)

    data.with_store(write)
    data.reopen()
    assert data.with_store(lambda store: store.tokens()) == [PLAIN, FULL]


def test_a_token_is_revoked_once_and_keeps_the_first_time(data):
    async def work(store):
        await store.add_token(PLAIN)
        return [await store.revoke_token(id_, at) for id_, at in ((PLAIN.id, 5), (PLAIN.id, 6), ("no", 7))]

    first, second, none = data.with_store(work)
    assert first == second == msgspec.structs.replace(PLAIN, revoked_at=5)
    assert none is None


def test_an_id_that_is_taken_stays_as_it_is(data):
    async def work(store):
        await store.add_token(PLAIN)
        await store.add_token(msgspec.structs.replace(PLAIN, role=Role.ADMIN))
        return await store.tokens()

    assert data.with_store(work) == [PLAIN]


def test_the_last_use_never_goes_back(data):
    async def work(store):
        await store.add_token(PLAIN)
        for at in (20, 10):
            await store.note_uses({PLAIN.id: at, "gone": 1})
        return [token.last_used_at for token in await store.tokens()]

    assert data.with_store(work) == [20]


def test_sessions_that_are_over_go_and_tokens_stay(data):
    made = {
        name: msgspec.structs.replace(PLAIN, id=name, kind=kind, expires_at=expires_at, revoked_at=revoked_at)
        for name, kind, expires_at, revoked_at in (
            ("token", Kind.TOKEN, 5, 5),
            ("expired", Kind.SESSION, 9, 0),
            ("revoked", Kind.SESSION, 99, 9),
            ("later", Kind.SESSION, 10, 0),
            ("endless", Kind.SESSION, 0, 0),
        )
    }

    async def work(store):
        for token in made.values():
            await store.add_token(token)
        await store.forget_tokens(10)
        return {token.id for token in await store.tokens()}

    assert data.with_store(work) == {"token", "later", "endless"}
