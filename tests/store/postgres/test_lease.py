"""The lease of a database: who may take it, for how long it holds, and what managers tell each other."""

import asyncio
import time

import msgspec

from propeller.store.lead import Leader
from propeller.store.postgres.lease import LEADER, Lease
from tests.store.postgres.helpers import leading


def play(settings, work, lease_s=0.5):
    async def run():
        heard = []
        settings_ = msgspec.structs.replace(settings, lease_s=lease_s)
        one, other = Lease(settings_), Lease(settings_, lambda *notice: heard.append(notice))
        try:
            await other.start()
            async with asyncio.timeout(60):
                await until(
                    lambda: (LEADER, "") in heard
                )  # that is said once it listens: what came before is missed
                heard.clear()
                await work(one, other, heard)
        finally:
            await one.close()
            await other.close()

    asyncio.run(run())


async def until(look):
    while not look():  # noqa: ASYNC110  what it waits for sets no event
        await asyncio.sleep(0.005)


def test_a_lease_holds_for_as_long_as_is_set(settings):
    lease_s = 0.5

    async def work(one, other, heard):
        held = await one.take("one", "http://one")
        began = time.monotonic()
        assert await other.leader() == Leader(held.token, "one", "http://one")
        while (taken := await other.take("other", "http://other")) is None:
            pass
        assert lease_s * 0.9 < time.monotonic() - began < lease_s * 4
        assert taken.token == held.token + 1
        assert not await one.renew(held)

    play(settings, work, lease_s)


def test_a_lease_that_is_given_back_is_free_at_once_and_the_others_hear_of_it(settings):
    async def work(one, other, heard):
        held = await one.take("one", "http://one")
        await until(lambda: (LEADER, str(held.token)) in heard)
        heard.clear()
        await one.release(held)
        await until(lambda: (LEADER, "") in heard)
        assert await other.leader() is None
        assert await other.take("other", "http://other") is not None

    play(settings, work, lease_s=60)


def test_a_token_that_was_given_again_is_not_that_of_the_first(server, settings):
    """A replica that takes the place of the database may lack the last take-over."""

    async def work(one, other, heard):
        held = await one.take("one", "http://one")
        server.sql("UPDATE leader SET token = token - 1, expires_at = '-infinity'", settings.database)
        again = await other.take("other", "http://other")
        assert again.token == held.token
        assert not await one.renew(held)
        await one.release(held)
        assert (await one.leader()).holder == "other"

    play(settings, work, lease_s=60)


def test_what_a_manager_tells_reaches_the_others(settings):
    async def work(one, other, heard):
        await one.tell("deaf 7")
        await until(lambda: (LEADER, "deaf 7") in heard)

    play(settings, work)


def test_that_a_manager_has_had_a_broker_is_known_to_all(settings):
    async def run():
        async with leading(settings) as store:
            before = await store.has_been_at_a_broker()
            await store.begin_epoch()
        async with leading(settings) as store:
            return before, await store.has_been_at_a_broker()

    assert asyncio.run(run()) == (False, True)
