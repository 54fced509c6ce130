"""Secrets of a manager: kept, lost and found again, and filled in when a start is sent."""

import asyncio
import base64
import contextlib
import os

import pytest
from tests.builders import a_spec
from tests.manager.helpers import DEADLINE_S, MODULE, Site, WatchedStore, until

from propeller.core.events import CreateTasks, PropletSeen, StartTask
from propeller.core.model import FromSecret
from propeller.core.policy import Policy
from propeller.core.states import COMPLETED, FAILED
from propeller.errors import Invalid, NotFound, Unavailable
from propeller.manager.service import Manager
from propeller.vault.master_keys import KeySource
from propeller.vault.sealing import Opener, about_attempt

VALUE = "correct horse"
NEEDS_IT = {"module": MODULE, "env": {"LANG": "en", "API_KEY": FromSecret("KEY")}}


@contextlib.asynccontextmanager
async def a_site(directory, key):
    store = WatchedStore(directory)
    manager = Manager(store, policy=Policy(), secrets_key=key)
    try:
        await manager.load()
        await manager.start()
        yield Site(store, manager)
        await manager.stop()
        manager.feed.close()
    finally:
        await store.close()


def at_sites(directory, *works, key=None):
    """Do one thing after another, each with a manager of its own."""
    key = key or KeySource(own=directory / "secrets.key")

    async def run():
        async with asyncio.timeout(DEADLINE_S):
            for work in works:
                async with a_site(directory, key) as site:
                    found = await work(site)
        return found

    return asyncio.run(run())


async def keep(site):
    return await site.manager.secrets.put("default", "KEY", VALUE, "ada")


def bring(site, proplet_id="p"):
    """Bring a proplet that takes secrets; give what opens them."""
    opener = Opener()
    metadata = {"offers": {}, "sealing_key": opener.public_key}
    site.manager.tell(PropletSeen(proplet_id=proplet_id, boot=1, slots=9, metadata=metadata))
    return opener


async def begin(site, task_id="t", **fields):
    await site.manager.ask(CreateTasks(specs=(a_spec(task_id, **(NEEDS_IT | fields)),)))
    await site.manager.ask(StartTask(task_id))


def opened(start, opener):
    about = about_attempt(start.proplet_id, start.spec.id, start.attempt, start.placed_at)
    return opener.open(start.sealed, about)


# -- sending -------------------------------------------------------------------------------------------------


def test_a_start_has_the_newest_version_sealed_for_its_proplet_and_nobody_else_sees_it(tmp_path):
    async def work(site):
        await keep(site)
        opener = bring(site)
        await begin(site, "old")
        await site.reached(COMPLETED, "old")
        await site.manager.secrets.put("default", "KEY", VALUE + "!", "ada")
        await begin(site, "new")
        await site.reached(COMPLETED, "new")
        old, new = site.fleet.starts
        assert opened(old, opener) == {"API_KEY": VALUE}
        assert opened(new, opener) == {"API_KEY": VALUE + "!"}
        assert VALUE not in f"{site.fleet.sent} {site.store.commits} {await site.store.secrets()}"
        await site.manager.secrets.flush()
        return (await site.store.secret_uses("default", "KEY", 0, 9)).items

    uses = at_sites(tmp_path, work)
    assert [(use.version, use.task_id, use.attempt, use.proplet_id) for use in uses] == [
        (2, "new", 1, "p"),
        (1, "old", 1, "p"),
    ]
    for file in tmp_path.iterdir():
        assert VALUE.encode() not in file.read_bytes(), file


def test_a_secret_that_was_deleted_fails_its_task_with_words_and_reaches_no_proplet(tmp_path):
    async def work(site):
        await keep(site)
        bring(site)
        await site.manager.ask(CreateTasks(specs=(a_spec("t", **NEEDS_IT), a_spec("u", module=MODULE))))
        await site.manager.secrets.delete("default", "KEY")
        await site.manager.ask(StartTask("t"))
        await site.reached(FAILED, "t")
        await site.manager.ask(StartTask("u"))
        await site.reached(COMPLETED, "u")
        assert [start.spec.id for start in site.fleet.starts] == ["u"]
        return (await site.store.task("t")).error

    assert at_sites(tmp_path, work) == "secret KEY of variable API_KEY: it was deleted; set it again"


def test_a_secret_is_of_one_namespace(tmp_path):
    async def work(site):
        await keep(site)
        bring(site)
        assert site.manager.secrets.has("default", "KEY")
        assert not site.manager.secrets.has("team", "KEY")
        await begin(site, namespace="team")
        await site.reached(FAILED, "t")
        assert site.fleet.starts == []

    at_sites(tmp_path, work)


def test_a_proplet_whose_key_is_of_no_use_hands_the_task_back(tmp_path):
    async def work(site):
        await keep(site)
        metadata = {"offers": {}, "sealing_key": base64.b64encode(bytes(32)).decode()}
        site.manager.tell(PropletSeen(proplet_id="bad", boot=1, slots=9, metadata=metadata))
        await begin(site, retry=None)
        await until(lambda: site.manager.spec_in_memory("t") and len(site.store.commits) > 4)
        assert site.fleet.starts == []
        opener = bring(site, "p")
        await site.reached(COMPLETED, "t")
        assert opened(site.fleet.starts[0], opener) == {"API_KEY": VALUE}

    at_sites(tmp_path, work)


# -- values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "value: it has fewer than 4 characters"),
        ("abc", "value: it has fewer than 4 characters"),
        ("x" * 65_537, "value: give at most 65,536 bytes"),
        ("ü" * 40_000, "value: give at most 65,536 bytes"),
        ("ab\0cd", "value: give at most 65,536 bytes of text without U\\+0000"),
    ],
)
def test_a_value_that_can_be_no_secret_is_refused(tmp_path, value, why):
    async def work(site):
        with pytest.raises(Invalid, match=why):
            await site.manager.secrets.put("default", "KEY", value, "ada")
        assert await site.store.secrets() == []
        assert not (tmp_path / "secrets.key").exists()

    at_sites(tmp_path, work)


def test_versions_go_on_after_a_deletion(tmp_path):
    async def work(site):
        await keep(site)
        await site.manager.secrets.delete("default", "KEY")
        with pytest.raises(NotFound, match="there is no secret KEY in namespace default"):
            await site.manager.secrets.delete("default", "KEY")
        return (await keep(site)).version

    assert at_sites(tmp_path, work) == 2


# -- the key -------------------------------------------------------------------------------------------------


async def is_unavailable(site):
    """Everything but secrets works, and all say why."""
    obstacle = site.manager.secrets.obstacle
    assert obstacle
    assert f"secrets: {obstacle}" in site.manager.readiness()[1]
    with pytest.raises(Unavailable, match="secrets are unavailable"):
        await site.manager.secrets.put("default", "OTHER", VALUE, "ada")
    with pytest.raises(Unavailable, match="secrets are unavailable"):
        await site.manager.secrets.rekey()
    bring(site)
    await begin(site, "needs-none", env=None)
    await until(lambda: len(site.fleet.starts) == 1)
    await begin(site, "needs-it")
    await site.reached(FAILED, "needs-it")
    assert obstacle in (await site.store.task("needs-it")).error
    return obstacle


def test_a_lost_key_makes_secrets_unavailable_and_nothing_else(tmp_path, caplog):
    async def lose(site):
        await keep(site)
        (tmp_path / "secrets.key").rename(tmp_path / "elsewhere")

    obstacle = at_sites(tmp_path, lose, is_unavailable)
    assert "is not there: put it back into" in obstacle
    assert any("secrets are unavailable" in record.message for record in caplog.records)
    (tmp_path / "elsewhere").rename(tmp_path / "secrets.key")

    async def found(site):
        assert site.manager.secrets.obstacle == ""
        opener = bring(site)
        await begin(site, "again")
        await site.reached(COMPLETED, "again")
        assert opened(site.fleet.starts[-1], opener) == {"API_KEY": VALUE}

    at_sites(tmp_path, found)


def test_another_key_is_recognised(tmp_path):
    async def change(site):
        await keep(site)
        (tmp_path / "secrets.key").write_text(base64.b64encode(os.urandom(32)).decode())

    assert "is another than theirs" in at_sites(tmp_path, change, is_unavailable)


def test_where_a_key_is_lost_for_good_the_secrets_are_deleted_and_set_again(tmp_path):
    async def lose(site):
        await keep(site)
        (tmp_path / "secrets.key").unlink()

    async def set_again(site):
        await site.manager.secrets.delete("default", "KEY")
        assert site.manager.secrets.obstacle == ""
        assert (await keep(site)).version == 2
        assert (tmp_path / "secrets.key").exists()

    at_sites(tmp_path, lose, set_again)


def test_without_a_key_of_all_managers_none_is_made(tmp_path):
    async def work(site):
        with pytest.raises(Unavailable, match="MANAGER_SECRETS_KEY_FILE or MANAGER_SECRETS_KEY"):
            await keep(site)

    async def run():
        async with a_site(tmp_path, KeySource()) as site:
            await work(site)

    asyncio.run(run())


def test_a_new_key_takes_the_place_of_the_old_one(tmp_path):
    async def work(site):
        await keep(site)
        before = (tmp_path / "secrets.key").read_text()
        rekeyed = await site.manager.secrets.rekey()
        assert rekeyed.secrets == 1
        assert before not in (tmp_path / "secrets.key").read_text()
        assert {one.key_id for one in await site.store.secrets()} == {rekeyed.key_id}

    async def read(site):
        opener = bring(site)
        await begin(site)
        await site.reached(COMPLETED, "t")
        assert opened(site.fleet.starts[0], opener) == {"API_KEY": VALUE}

    at_sites(tmp_path, work, read)


def test_a_new_key_in_a_file_of_ones_own_is_taken_without_a_restart(tmp_path):
    file = tmp_path / "key"
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    file.write_text(old)

    async def work(site):
        await keep(site)
        file.write_text(f"{new}\n{old}\n")
        await site.manager.secrets.rekey()
        file.write_text(new)

    async def read(site):
        assert site.manager.secrets.obstacle == ""

    at_sites(tmp_path, work, read, key=KeySource(file=file))


def test_a_crash_while_the_key_is_changed_loses_nothing(tmp_path):
    async def work(site):
        await keep(site)

        async def crash(_secrets):
            raise OSError("cut off")

        site.store.rewrap_secrets = crash
        with pytest.raises(OSError, match="cut off"):
            await site.manager.secrets.rekey()

    async def read(site):
        assert site.manager.secrets.obstacle == ""
        opener = bring(site)
        await begin(site)
        await site.reached(COMPLETED, "t")
        assert opened(site.fleet.starts[0], opener) == {"API_KEY": VALUE}

    at_sites(tmp_path, work, read)
