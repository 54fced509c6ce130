"""Tokens, secrets and keys of proplets are kept as well as tasks are: once told, none is lost without a word."""

import asyncio

import pytest

from propeller.access.roles import Role
from propeller.access.tokens import Token
from propeller.errors import StoreUnusable
from propeller.store.proplet_keys import PropletKey
from propeller.store.secrets import StoredSecret
from propeller.store.sqlite.mark import read_mark
from propeller.store.sqlite.opening import FILE_NAME
from propeller.store.sqlite.store import SqliteStore

TOKEN = Token(id="a" * 12, name="ci", role=Role.OPERATOR, digest="0" * 64, created_by="ann", created_at=1)
SECRET = StoredSecret("", "KEY", 1, 1, "ann", "key-1", b"wrapped", b"box")
KEY = PropletKey(proplet_id="p-1", public_key="k" * 43, token_id="t-1", bound_at=1)
WRITES = {
    "a token is made": lambda store: store.add_token(TOKEN),
    "a token is revoked": lambda store: store.revoke_token(TOKEN.id, 2),
    "a secret is set": lambda store: store.write_secret(SECRET),
    "a secret is deleted": lambda store: store.delete_secret("", "KEY", 2),
    "secrets get another key": lambda store: store.rewrap_secrets([SECRET]),
    "a key is bound": lambda store: store.bind_proplet_key(KEY),
}


def with_store(directory, work, **options):
    async def scene():
        store = SqliteStore(directory, **options)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(scene())


@pytest.mark.parametrize("what", WRITES)
def test_what_is_told_is_in_the_mark_and_has_waited_for_the_disk(tmp_path, what):
    async def work(store):
        said = []
        store._writer.set_trace_callback(said.append)
        before = read_mark(tmp_path / FILE_NAME).quiet_commits
        await WRITES[what](store)
        assert read_mark(tmp_path / FILE_NAME).quiet_commits == before + 1
        assert said.index("PRAGMA synchronous=FULL") < said.index("COMMIT")
        assert said[-1] == "PRAGMA synchronous=NORMAL"

    with_store(tmp_path, work, durability="normal")


def test_a_database_with_nothing_but_a_token_may_not_become_an_empty_one(tmp_path):
    with_store(tmp_path, WRITES["a token is made"])
    (tmp_path / FILE_NAME).write_bytes(b"")
    with pytest.raises(StoreUnusable, match="is empty"):
        SqliteStore(tmp_path)
