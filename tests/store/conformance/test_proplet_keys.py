"""The keys of proplets: each is bound once, and for good."""

import msgspec

from propeller.store.proplet_keys import PropletKey

KEY = PropletKey(proplet_id="p", public_key="A" * 43, token_id="t", bound_at=5)
OTHER = PropletKey(proplet_id="q", public_key="B" * 42 + "A", token_id="u", bound_at=4)


def test_a_key_is_kept_over_a_restart(data):
    async def bind(store):
        return [await store.bind_proplet_key(key) for key in (KEY, OTHER)]

    assert data.with_store(bind) == [True, True]
    data.reopen()
    assert data.with_store(lambda store: store.proplet_keys()) == [OTHER, KEY]


def test_neither_a_proplet_nor_a_token_gets_a_second_key(data):
    async def work(store):
        await store.bind_proplet_key(KEY)
        bound = [
            await store.bind_proplet_key(msgspec.structs.replace(OTHER, **{name: getattr(KEY, name)}))
            for name in ("proplet_id", "token_id")
        ]
        return bound, await store.proplet_keys()

    assert data.with_store(work) == ([False, False], [KEY])
