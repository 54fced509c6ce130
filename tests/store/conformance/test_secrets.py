"""What every store does with secrets: versions, of which the newest has a value, and uses."""

from propeller.store import limits
from propeller.store.secrets import SecretUse, StoredSecret
from tests.builders import TEXT


def version(number, name="KEY", namespace="default", **fields):
    given = {"created_at": number, "created_by": TEXT, "key_id": "k1", "wrapped": b"\0w%d" % number}
    return StoredSecret(namespace, name, number, **{**given, "box": b"\xffb%d" % number, **fields})


def without_value(secret):
    return secret._replace(wrapped=b"", box=b"")


def test_the_newest_version_has_the_value_and_the_ones_before_have_none(data):
    async def work(store):
        for number in (1, 2, 3):
            await store.write_secret(version(number))
        await store.write_secret(version(1, "OTHER"))
        await store.write_secret(version(1, namespace="a"))
        return await store.secrets(), await store.secret_versions("default", "KEY")

    secrets, versions = data.with_store(work)
    assert secrets == [version(1, namespace="a"), version(3), version(1, "OTHER")]
    assert versions == [without_value(version(number)) for number in (3, 2, 1)]


def test_what_is_deleted_has_no_value_and_keeps_its_history(data):
    async def work(store):
        await store.write_secret(version(1))
        await store.write_secret(version(2))
        said = [
            await store.delete_secret("default", "KEY", 7),
            await store.delete_secret("default", "KEY", 8),
        ]
        left = await store.secrets(), await store.secret_versions("default", "KEY")
        await store.write_secret(version(3))
        return said, left, await store.secrets()

    said, (none, versions), again = data.with_store(work)
    assert said == [True, False]
    assert none == []
    assert versions == [without_value(version(2, deleted_at=7)), without_value(version(1))]
    assert again == [version(3)]


def test_a_new_master_key_changes_only_the_data_keys_of_what_has_a_value(data):
    async def work(store):
        await store.write_secret(version(1))
        await store.write_secret(version(2))
        await store.rewrap_secrets([version(number, key_id="k2", wrapped=b"new") for number in (1, 2)])
        return await store.secrets(), await store.secret_versions("default", "KEY")

    secrets, versions = data.with_store(work)
    assert secrets == [version(2, key_id="k2", wrapped=b"new")]
    assert [one.key_id for one in versions] == ["k2", "k1"]


def test_they_survive_the_end_of_the_program(data):
    data.with_store(lambda store: store.write_secret(version(1)))
    data.reopen()
    assert data.with_store(lambda store: store.secrets()) == [version(1)]


def test_the_last_versions_and_uses_are_kept(data, monkeypatch):
    monkeypatch.setattr(limits, "SECRET_VERSIONS_KEPT", 2)
    monkeypatch.setattr(limits, "SECRET_USES_KEPT", 3)
    uses = [SecretUse("default", "KEY", 1, "t1", attempt, "p", attempt) for attempt in range(1, 6)]
    other = SecretUse("default", "OTHER", 1, TEXT, 1, "p", 9)

    async def work(store):
        for number in (1, 2, 3):
            await store.write_secret(version(number))
        await store.write_secret_uses(uses[:2])
        await store.write_secret_uses([*uses[2:], other])
        return (
            [one.version for one in await store.secret_versions("default", "KEY")],
            await store.secret_uses("default", "KEY", 0, 2),
            await store.secret_uses("default", "KEY", 2, 2),
            await store.secret_uses("default", "OTHER", 0, 2),
            await store.secret_uses("a", "KEY", 0, 2),
        )

    versions, *pages = data.with_store(work)
    assert versions == [3, 2]
    assert [(page.total, page.items) for page in pages] == [
        (3, [uses[4], uses[3]]),
        (3, [uses[2]]),
        (1, [other]),
        (0, []),
    ]
