"""What is in memory is seen between two turns, and never during one."""

import asyncio

import pytest
from tests.builders import a_spec
from tests.manager.helpers import MODULE, at_site

from propeller.core.events import CreateTasks
from propeller.core.state import ClusterState
from propeller.errors import StoreUnusable
from propeller.manager.present import Present


def test_who_looks_during_a_turn_sees_what_it_committed(tmp_path):
    async def work(site):
        site.store.gate.clear()
        asking = asyncio.create_task(
            site.manager.ask(CreateTasks(specs=(a_spec("a", module=MODULE),)), {MODULE: b"m"})
        )
        await site.held_up()
        looks = [asyncio.create_task(site.manager.present.counts()) for _ in range(2)]
        gone = asyncio.create_task(site.manager.present.counts())
        await asyncio.sleep(0)
        gone.cancel()
        assert not any(look.done() for look in looks)
        site.store.gate.set()
        await asking
        assert [(await look).pending for look in looks] == [1, 1]
        assert (await site.manager.present.counts()).pending == 1

    at_site(tmp_path, work)


def test_who_looks_when_the_store_has_failed_is_refused():
    async def scene():
        present = Present(ClusterState())
        present.turn_begins()
        before = asyncio.create_task(present.counts())
        await asyncio.sleep(0)
        present.turn_failed(StoreUnusable("the disk is full"))
        for look in (before, present.tally()):
            with pytest.raises(StoreUnusable, match="its store failed"):
                await look

    asyncio.run(scene())
