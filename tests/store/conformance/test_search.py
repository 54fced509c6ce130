"""Searches among all tasks: they find what a look at each task would find, piece by piece."""

import pytest

from propeller.core.effects import Changes
from propeller.core.model import Execution, GroupKind
from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING
from propeller.store import limits
from propeller.store.port import Ended, GroupFilter, Sought, TaskFilter
from tests.builders import a_group, a_task
from tests.store.helpers import ids

WORKFLOW, JOB = "w", "j"


async def all_pages(store, sought, limit=3, **how):
    """Read a search to its end; give the ids of each page."""
    pages, after = [], None
    while True:
        found = await store.search_tasks(sought, limit, after=after, **how)
        pages.append(ids(found.tasks))
        after = found.next
        if after is None:
            return pages


def together(pages):
    return [task_id for page in pages for task_id in page]


def many(count=40):
    """Make tasks of all kinds."""
    names = ("main", "Größe", "MAINTAIN", "other")
    states = (COMPLETED, FAILED, RUNNING, PENDING)
    tasks = []
    for seq in range(1, count + 1):
        where = {0: {"workflow_id": WORKFLOW}, 1: {"job_id": JOB}}.get(seq % 3, {})
        metadata = {"team": "ops"} if seq % 5 == 0 else {"team": "x" * 2000} if seq % 7 == 0 else None
        task = a_task(seq, name=names[seq % 4], metadata=metadata, **where)
        task.state = states[seq // 2 % 4]
        task.proplet_id = f"p-{seq % 2}"
        tasks.append(task)
    groups = [a_group(WORKFLOW, of=[PENDING] * (count // 3)), a_group(JOB, GroupKind.JOB, 2, of=[PENDING])]
    return Changes(created=tasks, groups=groups)


CASES = [
    Sought(),
    Sought(text="main"),
    Sought(text="MAIN"),
    Sought(text="größe"),
    Sought(text="RÖS"),
    Sought(text="T1"),
    Sought(text="a"),
    Sought(text="t17"),
    Sought(text="t"),
    Sought(text="nowhere"),
    Sought(text="100%_"),
    Sought(proplet_id="p-1"),
    Sought(proplet_id="p-1", text="main"),
    *(
        Sought(only, text)
        for text in ("", "main", "t3")
        for only in (
            TaskFilter(state=RUNNING),
            TaskFilter(state=FAILED),
            TaskFilter(workflow_id=WORKFLOW),
            TaskFilter(job_id=JOB, state=PENDING),
            TaskFilter(metadata={"team": "ops"}),
            TaskFilter(metadata={"team": "x" * 2000}),
            TaskFilter(name="main", since=9),
            TaskFilter(id_prefix="t2"),
        )
    ),
]


def fits(task, sought):
    only, text, spec = sought.only, sought.text.casefold(), task.spec
    return all(
        (
            not text or task.id.casefold().startswith(text) or text in spec.name.casefold(),
            sought.proplet_id in ("", task.proplet_id),
            only.state in (None, task.state),
            only.workflow_id in ("", spec.workflow_id),
            only.job_id in ("", spec.job_id),
            only.name in ("", spec.name),
            task.id.startswith(only.id_prefix),
            task.created_at >= only.since,
            only.metadata.items() <= (spec.metadata or {}).items(),
        )
    )


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest", "newest"])
def test_what_is_found_is_what_fits_in_order_and_once(data, monkeypatch, newest_first):
    changes = many()

    async def work(store):
        await store.commit(changes)
        for first_piece, names in ((1, 0), (7, 2000), (1000, 2000)):
            monkeypatch.setattr(limits, "SEARCH_FIRST_PIECE", first_piece)
            monkeypatch.setattr(limits, "NAMES_LOOKED_AT_MAX", names)
            for sought in CASES:
                pages = await all_pages(store, sought, newest_first=newest_first)
                expected = [task.id for task in changes.created if fits(task, sought)]
                if newest_first:
                    expected.reverse()
                by_id = [one for one in expected if sought.text and one.startswith(sought.text.lower())]
                if len(by_id) <= 3:  # those come first
                    expected = [*by_id, *(one for one in expected if one not in by_id)]
                assert together(pages) == expected, sought
                assert all(len(page) <= 3 for page in pages)

    data.with_store(work)


def test_a_search_that_takes_long_goes_on_where_it_stopped(data, monkeypatch):
    monkeypatch.setattr(limits, "SEARCH_S", 0)
    monkeypatch.setattr(limits, "SEARCH_FIRST_PIECE", 4)

    async def work(store):
        await store.commit(
            Changes(created=[a_task(seq, name="rare" if seq == 11 else "f") for seq in range(1, 18)])
        )
        return [await all_pages(store, Sought(text="rare"), newest_first=is_) for is_ in (False, True)]

    assert [together(pages) for pages in data.with_store(work)] == [["t11"], ["t11"]]


def test_what_comes_and_goes_meanwhile_moves_no_page(data):
    async def work(store):
        tasks = [a_task(seq) for seq in range(1, 8)]
        await store.commit(Changes(created=tasks))
        first = await store.search_tasks(Sought(), 3, newest_first=True)
        await store.commit(Changes(created=[a_task(8)], deleted=[tasks[6], tasks[2]]))
        second = await store.search_tasks(Sought(), 3, newest_first=True, after=first.next)
        return ids(first.tasks), ids(second.tasks), second.next is None

    assert data.with_store(work) == (["t7", "t6", "t5"], ["t4", "t2", "t1"], True)


def test_a_broadcast_is_found_by_each_of_its_proplets(data):
    async def work(store):
        task = a_task(1, broadcast=True)
        task.executions = {name: Execution(proplet_id=name, attempt=1) for name in ("a", "b")}
        await store.commit(
            Changes(created=[task, a_task(2)], executions=[(task, one) for one in task.executions.values()])
        )
        return [together(await all_pages(store, Sought(proplet_id=name))) for name in ("a", "b", "c")]

    assert data.with_store(work) == [["t1"], ["t1"], []]


def test_tasks_that_are_being_deleted_are_not_found(data):
    async def work(store):
        tasks = [a_task(seq, workflow_id=WORKFLOW, state=COMPLETED, finished_at=1) for seq in range(1, 2000)]
        groups = [a_group(WORKFLOW, of=[COMPLETED] * len(tasks), finished_at=1)]
        await store.commit(Changes(created=[*tasks, a_task(3000)], groups=groups))
        ended = await store.find_ended(10**18)
        assert await store.forget(Ended(ended.groups, [], is_full=False), 10**18), "there is more"
        return [together(await all_pages(store, sought)) for sought in (Sought(), Sought(text="main"))]

    assert data.with_store(work) == [["t3000"], ["t3000"]]


def test_any_text_is_found_as_it_is(data):
    texts = ["%", "_", "*", "\\", "'", '"', "ß", "İ", "ﬁ", "\n", " ", "{", "😀", "a\u0301", "\u202e"]

    async def work(store):
        await store.commit(
            Changes(created=[a_task(seq, name=f"-{text}-") for seq, text in enumerate(texts, 1)])
        )
        return [together(await all_pages(store, Sought(text=text), limit=99)) for text in texts]

    assert data.with_store(work) == [[f"t{seq}"] for seq in range(1, len(texts) + 1)]


def test_a_name_is_searched_behind_a_nul_and_for_what_it_has_only(data):
    names = ["a\0b", "a\x01B", "ab", "0", "ü\0B", "x\x010"]
    wanted = {
        "b": {1, 2, 3, 5},
        "\0b": {1, 5},
        "\0": {1, 5},
        "\1": {2, 6},
        "0": {4, 6},
        "1": set(),
        "0b": set(),
        "ü": {5},
        "Ü\0b": {5},
    }

    async def work(store):
        await store.commit(Changes(created=[a_task(seq, name=name) for seq, name in enumerate(names, 1)]))
        groups = [a_group(f"g{seq}", seq=seq, name=name) for seq, name in enumerate(names, 1)]
        await store.commit(Changes(groups=groups))
        for text, seqs in wanted.items():
            assert {*together(await all_pages(store, Sought(text=text), limit=99))} == {
                f"t{n}" for n in seqs
            }, text
            page = await store.groups(GroupKind.WORKFLOW, 0, 9, GroupFilter(text=text), tasks_max=0)
            assert {group.seq for group in page.records.groups} == seqs, text

    data.with_store(work)
