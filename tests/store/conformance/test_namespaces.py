"""Lists, searches and lookups by namespace and by who created a record."""

import pytest

from propeller.core.effects import Changes
from propeller.core.failures import Failure
from propeller.core.model import Definition, GroupKind
from propeller.core.states import COMPLETED, FAILED, PENDING
from propeller.store import limits
from propeller.store.port import Belonging, GroupFilter, Record, Sought, TaskFilter
from tests.builders import a_group, a_task
from tests.store.helpers import ids

NAMESPACES = ("", "ops", "", "lab", "ops", "")
CREATORS = ("ann", "ann", "", "bob", "bob", "ann")


async def filled(store):
    """Write six tasks, of three namespaces and two creators."""
    both = zip(NAMESPACES, CREATORS, strict=True)
    tasks = [a_task(seq, namespace=ns, created_by=by, name="f") for seq, (ns, by) in enumerate(both, 1)]
    tasks[1].state, tasks[1].failure, tasks[1].finished_at = FAILED, Failure("trapped"), 10
    tasks[3].state, tasks[3].failure, tasks[3].finished_at = FAILED, Failure("trapped"), 20
    await store.commit(Changes(created=tasks))


CASES = [
    (TaskFilter(namespaces=("",)), [1, 3, 6]),
    (TaskFilter(namespaces=("ops",)), [2, 5]),
    (TaskFilter(namespaces=("ops", "lab")), [2, 4, 5]),
    (TaskFilter(namespaces=("ops", "")), [1, 2, 3, 5, 6]),
    (TaskFilter(namespaces=("none",)), []),
    (TaskFilter(namespaces=()), []),
    (TaskFilter(created_by="ann"), [1, 2, 6]),
    (TaskFilter(created_by="ann", namespaces=("",)), [1, 6]),
    (TaskFilter(namespaces=("ops", "lab"), state=FAILED), [2, 4]),
    (TaskFilter(namespaces=("ops",), state=PENDING), [5]),
    (TaskFilter(namespaces=("ops",), since=3), [5]),
    (TaskFilter(namespaces=("ops",), name="f", id_prefix="t"), [2, 5]),
    (TaskFilter(created_by="bob", name="f", state=FAILED), [4]),
]


@pytest.mark.parametrize("few", [limits.LOOKED_AT_MAX, 1])
def test_tasks_of_namespaces_and_creators(data, few, monkeypatch):
    monkeypatch.setattr(limits, "LOOKED_AT_MAX", few)

    async def work(store):
        await filled(store)
        for only, wanted in CASES:
            names = [f"t{seq}" for seq in wanted]
            page = await store.tasks(0, 9, only)
            assert ids(page.items) == names, only
            assert few == 1 or page.total == len(names), only
            newest = await store.tasks(1, 1, only, newest_first=True)
            assert ids(newest.items) == names[::-1][1:2], only
            found = await store.search_tasks(Sought(only, "F"), 9)
            assert ids(found.tasks) == names, only

    data.with_store(work)


def test_failures_of_namespaces(data):
    async def work(store):
        await filled(store)
        pages = [await store.failures(0, 9, names) for names in (None, ("ops",), ("ops", "lab"), ("",), ())]
        return [(page.total, ids(page.items)) for page in pages]

    assert data.with_store(work) == [
        (2, ["t4", "t2"]),
        (1, ["t2"]),
        (2, ["t4", "t2"]),
        (0, []),
        (0, []),
    ]


@pytest.mark.parametrize("kind", GroupKind)
def test_groups_of_namespaces_and_creators(data, kind):
    async def work(store):
        both = zip(NAMESPACES, CREATORS, strict=True)
        groups = [
            a_group(f"g{seq}", kind, seq, name="n", definition=Definition(namespace=ns, created_by=by))
            for seq, (ns, by) in enumerate(both, 1)
        ]
        await store.commit(Changes(groups=groups))
        cases = [
            (GroupFilter(namespaces=("",)), [6, 3, 1]),
            (GroupFilter(namespaces=("ops", "lab")), [5, 4, 2]),
            (GroupFilter(namespaces=()), []),
            (GroupFilter(created_by="ann"), [6, 2, 1]),
            (GroupFilter(namespaces=("ops",), state=COMPLETED, name="n"), [5, 2]),
            (GroupFilter(namespaces=("ops",), text="N"), [5, 2]),
        ]
        for only, wanted in cases:
            page = await store.groups(kind, 0, 9, only, tasks_max=0)
            assert (page.total, ids(page.records.groups)) == (len(wanted), [f"g{seq}" for seq in wanted]), (
                only
            )
        page = await store.groups(kind, 0, 9, GroupFilter(), tasks_max=0, earlier=9)
        return {name: runs.count(b'"id"') for name, runs in page.earlier.items()}

    # Those of a name that came before are looked for in the same namespace.
    assert data.with_store(work) == {"g1": 0, "g2": 0, "g3": 1, "g4": 0, "g5": 1, "g6": 2}


def test_a_record_says_where_it_belongs(data):
    async def work(store):
        await filled(store)
        group = a_group("g", seq=9, of=[], definition=Definition(namespace="ops", created_by="ann"))
        await store.commit(Changes(groups=[group]))
        records = [Record("task", "t1"), Record("task", "t4"), Record("task", "g"), Record("workflow", "g")]
        return [await store.belonging(record) for record in [*records, Record("job", "g")]]

    assert data.with_store(work) == [
        Belonging("", "ann"),
        Belonging("lab", "bob"),
        None,
        Belonging("ops", "ann"),
        None,
    ]
