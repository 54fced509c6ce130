"""Lists of tasks, however they are counted: each is what a look at every task would give."""

import random
from itertools import product

import pytest

from propeller.core.effects import Changes
from propeller.core.model import GroupKind
from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING, SCHEDULED
from propeller.store import limits
from propeller.store.port import Ended, TaskFilter
from tests.builders import a_group, a_task
from tests.store.helpers import ids

COUNT = 1_500
FILTERS = [
    TaskFilter(),
    *(TaskFilter(state=state) for state in (COMPLETED, FAILED, RUNNING, SCHEDULED)),
    *(TaskFilter(since=since) for since in (1, 700, 1_600)),
    TaskFilter(since=700, state=COMPLETED),
    TaskFilter(since=1_300, state=FAILED),
    TaskFilter(name="a"),
    TaskFilter(name="none"),
    TaskFilter(name="a", state=FAILED),
    TaskFilter(name="a", state=RUNNING, since=300),
    TaskFilter(metadata={"team": "1"}),
    TaskFilter(metadata={"team": "1", "few": "2"}),
    TaskFilter(metadata={"team": "1"}, state=COMPLETED),
    TaskFilter(id_prefix="x"),
    TaskFilter(id_prefix="x", state=FAILED),
    TaskFilter(id_prefix="x1", name="b"),
    TaskFilter(workflow_id="w"),
    TaskFilter(workflow_id="w", state=COMPLETED),
    TaskFilter(job_id="j", name="a", since=200),
]


def tasks_of_all_kinds():
    """Make tasks whose times go back now and then, with gaps in their order."""
    rng = random.Random(5)
    made = []
    for number in range(1, COUNT + 1):
        seq = number + 300 * (number > 900)
        where = {"workflow_id": "w"} if 400 <= number < 600 else {"job_id": "j"} if number % 7 == 0 else {}
        metadata = {"team": str(rng.randrange(3))} | ({"few": "2"} if number % 50 == 0 else {})
        made.append(
            a_task(
                seq,
                task_id=f"{'xy'[number % 2]}{seq}",
                name=rng.choice("abc"),
                metadata=metadata,
                created_at=number if number % 111 else max(number - 90, 1),
                updated_at=1,
                state=COMPLETED if where else rng.choice([COMPLETED] * 5 + [FAILED, PENDING]),
                **where,
            )
        )
    made[700].state = RUNNING
    return made


def fits(task, only):
    spec = task.spec
    return (
        only.state in (None, task.state)
        and task.created_at >= only.since
        and only.name in ("", spec.name)
        and only.workflow_id in ("", spec.workflow_id)
        and only.job_id in ("", spec.job_id)
        and task.id.startswith(only.id_prefix)
        and only.metadata.items() <= spec.metadata.items()
    )


async def filled(store):
    made = tasks_of_all_kinds()
    groups = [
        a_group(name, kind, seq, of=[COMPLETED] * sum(name == task.spec.group_id for task in made))
        for seq, (name, kind) in enumerate((("w", GroupKind.WORKFLOW), ("j", GroupKind.JOB)), start=1)
    ]
    await store.commit(Changes(created=made, groups=groups))
    return made


async def check_all(store, made):
    for only, newest_first in product(FILTERS, (False, True)):
        expected = [task.id for task in made if fits(task, only)]
        if newest_first:
            expected.reverse()
        for offset in (0, 1, len(expected) // 2, max(len(expected) - 3, 0), len(expected), 5_000):
            page = await store.tasks(offset, 20, only, newest_first=newest_first)
            assert ids(page.items) == expected[offset : offset + 20], (only, offset, newest_first)
            if page.total_is_at_least:
                more = [offset + len(page.items)] if page.items else []
                assert all(end < page.total for end in more), (only, offset)
                assert page.total <= len(expected), (only, offset)
            else:
                assert page.total == len(expected), (only, offset)


@pytest.mark.parametrize("bound", [10, 100_000])
def test_pages_and_totals_are_those_of_a_look_at_every_task(data, monkeypatch, bound):
    for name in ("COUNTED_MAX", "LOOKED_AT_MAX", "SORTED_MAX"):
        monkeypatch.setattr(limits, name, bound)

    async def work(store):
        made = await filled(store)
        await check_all(store, made)
        made[3].state = made[1_400].state = FAILED  # those that change and those that go are counted anew
        gone = made[5:900:3]
        gone = [task for task in gone if not task.spec.group_id]
        await store.commit(Changes(updated=[made[3], made[1_400]], deleted=gone))
        await check_all(store, [task for task in made if task not in gone])

    data.with_store(work)


def test_what_is_being_deleted_is_neither_listed_nor_counted(data, monkeypatch):
    monkeypatch.setattr(limits, "FORGET_PIECE_S", 0.0005)

    async def work(store):
        made = await filled(store)
        ended = await store.find_ended(2)
        assert await store.forget(Ended(ended.groups, [], is_full=False), 2), "there is more"
        first = "j" if (await store.tasks(0, 1, TaskFilter(job_id="j"))).total == 0 else "w"
        await check_all(store, [task for task in made if task.spec.group_id != first])

    data.with_store(work)


def test_a_walk_by_offset_reaches_the_end_of_a_list_that_is_not_counted(data, monkeypatch):
    monkeypatch.setattr(limits, "LOOKED_AT_MAX", 50)

    async def work(store):
        made = await filled(store)
        only, seen, offset, total = TaskFilter(name="a", state=COMPLETED), [], 0, 1
        while offset < total:
            page = await store.tasks(offset, 30, only)
            seen += ids(page.items)
            offset, total = offset + 30, page.total
        assert seen == [task.id for task in made if fits(task, only)]

    data.with_store(work)
