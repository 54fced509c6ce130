"""What was measured: whose it is, how much of it is kept, and that it goes with its owner."""

import pytest

from propeller.core.effects import Changes
from propeller.core.model import Proplet
from propeller.store import limits
from propeller.store.port import Sample, SampleOf
from tests.builders import a_task

DAY_NS = 24 * 3600 * 10**9
NOW = 1_777_885_811 * 10**9
TASK, PROPLET = SampleOf.TASK, SampleOf.PROPLET


def of_task(task_id, *numbers):
    return [Sample(TASK, task_id, f'{{"n":{number}}}') for number in numbers]


def of_proplet(proplet_id, *numbers):
    return [Sample(PROPLET, proplet_id, f'{{"n":{number}}}') for number in numbers]


async def page(store, of, owner_id, offset=0, limit=100):
    found = await store.samples(of, owner_id, offset, limit)
    return found.total, [int(text[5:-1]) for text in found.items]


def tasks_and_proplets(*seqs):
    proplets = [Proplet(id=f"t{seq}", name="Ada") for seq in seqs]
    return Changes(created=[a_task(seq) for seq in seqs], proplets=proplets)


def test_pages_have_the_newest_first_and_what_belongs_to_one(data):
    async def write(store):
        await store.commit(tasks_and_proplets(1, 2))
        await store.write_samples(of_task("t1", 1, 2) + of_proplet("t1", 7) + of_task("t2", 9), NOW)
        await store.write_samples(of_task("t1", 3), NOW + 1)

    async def read(store):
        assert await page(store, TASK, "t1") == (3, [3, 2, 1])
        assert await page(store, TASK, "t2") == (1, [9])
        assert await page(store, PROPLET, "t1") == (1, [7])
        assert await page(store, PROPLET, "t2") == (0, [])
        assert await page(store, TASK, "t1", 1, 1) == (3, [2])
        assert await page(store, TASK, "t1", 3) == (3, [])
        assert await page(store, TASK, "t1", 0, 0) == (3, [])
        assert await page(store, TASK, "t1", 2**63 - 1) == (3, [])

    data.with_store(write)
    data.with_store(read)


def test_samples_of_what_is_not_known_are_dropped_alone(data):
    async def work(store):
        await store.commit(tasks_and_proplets(1))
        await store.write_samples(of_task("ghost", 1) + of_task("t1", 2) + of_proplet("ghost", 3), NOW)
        assert await page(store, TASK, "t1") == (1, [2])
        assert await page(store, TASK, "ghost") == (0, [])
        await store.commit(
            Changes(created=[a_task(5, task_id="ghost")], proplets=[Proplet(id="ghost", name="A")])
        )
        assert await page(store, TASK, "ghost") == (0, [])
        assert await page(store, PROPLET, "ghost") == (0, [])

    data.with_store(work)


def test_samples_go_with_their_owner(data):
    async def work(store):
        await store.commit(tasks_and_proplets(1, 2))
        await store.write_samples(
            of_task("t1", 1) + of_task("t2", 2) + of_proplet("t1", 3) + of_proplet("t2", 4), NOW
        )
        gone = tasks_and_proplets(1)
        await store.commit(Changes(deleted=gone.created, deleted_proplets=gone.proplets))
        again = Changes(created=[a_task(9, task_id="t1")], proplets=gone.proplets)
        await store.commit(again)
        assert await page(store, TASK, "t1") == (0, []), "another task of the same id has its own"
        assert await page(store, PROPLET, "t1") == (0, [])
        assert await page(store, TASK, "t2") == (1, [2])
        assert await page(store, PROPLET, "t2") == (1, [4])

    data.with_store(work)


def test_samples_stay_when_their_owner_changes(data):
    async def work(store):
        changes = tasks_and_proplets(1)
        await store.commit(changes)
        await store.write_samples(of_task("t1", 1) + of_proplet("t1", 2), NOW)
        changes.proplets[0].boot = 7
        await store.commit(
            Changes(updated=changes.created, respecified=changes.created, proplets=changes.proplets)
        )
        assert await page(store, TASK, "t1") == (1, [1])
        assert await page(store, PROPLET, "t1") == (1, [2])

    data.with_store(work)


@pytest.mark.parametrize("batch", [1, 7, 400])
def test_of_each_owner_the_newest_are_kept(data, monkeypatch, batch):
    monkeypatch.setattr(limits, "SAMPLES_OF_ONE", 10)

    async def work(store):
        await store.commit(tasks_and_proplets(1, 2))
        await store.write_samples(of_task("t2", 0) + of_proplet("t1", 0), NOW)
        numbers = list(range(400))
        for start in range(0, 400, batch):
            await store.write_samples(of_task("t1", *numbers[start : start + batch]), NOW)
            assert (await page(store, TASK, "t1"))[0] <= 10
        assert await page(store, TASK, "t1") == (10, list(range(399, 389, -1)))
        assert await page(store, TASK, "t2") == (1, [0])
        assert await page(store, PROPLET, "t1") == (1, [0])

    data.with_store(work)


def test_old_ones_are_deleted_as_new_ones_come(data):
    async def work(store):
        await store.commit(tasks_and_proplets(1, 2))
        await store.write_samples(of_task("t1", 1, 2) + of_proplet("t1", 7), NOW)
        await store.write_samples(of_task("t1", 3), NOW + DAY_NS // 2)
        await store.write_samples(of_task("t2", 4), NOW + DAY_NS - 1)
        assert await page(store, TASK, "t1") == (3, [3, 2, 1])
        await store.write_samples(of_task("t2", 5), NOW + DAY_NS)
        assert await page(store, TASK, "t1") == (1, [3])
        assert await page(store, TASK, "t2") == (2, [5, 4])
        await store.write_samples(of_proplet("t2", 8), NOW + DAY_NS)
        assert await page(store, PROPLET, "t1") == (0, [])

    data.with_store(work)


def test_after_a_long_pause_all_old_ones_go_in_the_end(data, monkeypatch):
    monkeypatch.setattr(limits, "SAMPLES_EXPIRED_MAX", 3)

    async def work(store):
        await store.commit(tasks_and_proplets(1, 2))
        await store.write_samples(of_task("t1", *range(10)), NOW)
        left = []
        for number in range(4):
            await store.write_samples(of_task("t2", number), NOW + 3 * DAY_NS)
            left.append((await page(store, TASK, "t1"))[0])
        assert left == [7, 4, 1, 0]
        assert (await page(store, TASK, "t2"))[0] == 4

    data.with_store(work)


def test_all_together_are_bounded_too(data, monkeypatch):
    monkeypatch.setattr(limits, "SAMPLES_OF_ALL", 5)

    async def work(store):
        await store.commit(tasks_and_proplets(1, 2, 3))
        await store.write_samples(of_task("t1", 1, 2, 3), NOW)
        await store.write_samples(of_task("t2", 4, 5, 6), NOW)
        assert await page(store, TASK, "t1") == (2, [3, 2])
        assert await page(store, TASK, "t2") == (3, [6, 5, 4])

    data.with_store(work)
