"""Pages, filters and orders of every store's lists."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from propeller.core.calendar import Schedule
from propeller.core.effects import Changes
from propeller.core.groups import group_state
from propeller.core.model import Definition, GroupKind
from propeller.core.states import (
    COMPLETED,
    FAILED,
    INTERRUPTED,
    PENDING,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    TaskState,
)
from propeller.store.port import GroupFilter, Label, Record, TaskFilter
from tests.builders import TEXT, a_group, a_task
from tests.store.helpers import EVERYTHING, ids


def test_pages_of_tasks_are_in_the_order_of_creation(data):
    async def work(store):
        await store.commit(Changes(created=[a_task(seq) for seq in (3, 1, 5, 2, 4)]))
        return [await store.tasks(offset, 2, EVERYTHING) for offset in (0, 2, 4, 6)]

    pages = data.with_store(work)
    assert [page.total for page in pages] == [5] * 4
    assert [ids(page.items) for page in pages] == [["t1", "t2"], ["t3", "t4"], ["t5"], []]


def test_tasks_of_a_workflow_or_a_job(data):
    async def work(store):
        tasks = [a_task(1, workflow_id="g"), a_task(2, job_id="j"), a_task(3), a_task(4, workflow_id="g")]
        groups = [a_group("g", of=[PENDING] * 2), a_group("j", GroupKind.JOB, seq=2, of=[PENDING])]
        await store.commit(Changes(created=tasks, groups=groups))
        pages = [
            await store.tasks(0, 9, only)
            for only in (TaskFilter(workflow_id="g"), TaskFilter(job_id="j"), TaskFilter(job_id="g"))
        ]
        return [(page.total, ids(page.items)) for page in pages]

    assert data.with_store(work) == [(2, ["t1", "t4"]), (1, ["t2"]), (0, [])]


def test_tasks_by_state_name_id_and_time(data):
    async def work(store):
        named = [("f", 10), ("g", 20), ("f", 30)]
        tasks = [a_task(seq, name=name, created_at=at) for seq, (name, at) in enumerate(named, 1)]
        tasks[0].state = FAILED
        await store.commit(Changes(created=tasks))
        cases = [
            (TaskFilter(state=FAILED), ["t1"]),
            (TaskFilter(state=PENDING), ["t2", "t3"]),
            (TaskFilter(name="f"), ["t1", "t3"]),
            (TaskFilter(since=20), ["t2", "t3"]),
            (TaskFilter(id_prefix="t"), ["t1", "t2", "t3"]),
            (TaskFilter(id_prefix="t2"), ["t2"]),
            (TaskFilter(id_prefix="%"), []),
            (TaskFilter(state=PENDING, name="f", since=11, id_prefix="t"), ["t3"]),
        ]
        for only, wanted in cases:
            page = await store.tasks(0, 9, only)
            assert (page.total, ids(page.items)) == (len(wanted), wanted), only
        return [ids((await store.tasks(at, 2, EVERYTHING, newest_first=True)).items) for at in (0, 2)]

    assert data.with_store(work) == [["t3", "t2"], ["t1"]]


def test_groups_by_name_id_and_time(data):
    async def work(store):
        groups = [
            a_group(id_, seq=seq, name=name, created_at=seq * 10, of=[PENDING])
            for seq, (id_, name) in enumerate([("a1", "x"), ("a2", "y"), ("b", "x")], 1)
        ]
        await store.commit(Changes(groups=groups))
        cases = [
            (GroupFilter(name="x"), ["b", "a1"]),
            (GroupFilter(id_prefix="a"), ["a2", "a1"]),
            (GroupFilter(text="A"), ["a2", "a1"]),
            (GroupFilter(text="Y"), ["a2"]),
            (GroupFilter(text="1"), []),
            (GroupFilter(text="x", id_prefix="b"), ["b"]),
            (GroupFilter(since=20), ["b", "a2"]),
            (GroupFilter(until=20), ["a1"]),
            (GroupFilter(since=20, until=30), ["a2"]),
            (GroupFilter(state=PENDING, name="x", since=20), ["b"]),
            (GroupFilter(state=FAILED, name="x"), []),
        ]
        for only, wanted in cases:
            page = await store.groups(GroupKind.WORKFLOW, 0, 9, only, tasks_max=0)
            assert (page.total, ids(page.records.groups)) == (len(wanted), wanted), only

    data.with_store(work)


METADATA = [
    {"team": "ops"},
    {"team": "ops", "n": 5},
    {"on": True, "off": False, "none": None},
    {'a "b".c': "ü", "back\\slash": "1", "new\nline": "2", "ключ": "значение", "$.team": "x", "": "empty"},
    {"n": 1.5, "text": "5", "deep": {"team": "ops"}, "quote": 'it\'s "so"'},
    None,
    {"long": "x" * 1001, "just": "y" * 1000},
]


WANTED = [
    ({"team": "ops"}, [1, 2]),
    ({"team": "ops", "n": "5"}, [2]),
    ({"n": "1.5"}, [5]),
    ({"text": "5"}, [5]),
    ({"on": "true"}, [3]),
    ({"on": "1"}, []),
    ({"off": "false"}, [3]),
    ({"none": "null"}, [3]),
    ({'a "b".c': "ü"}, [4]),
    ({"back\\slash": "1"}, [4]),
    ({"new\nline": "2"}, [4]),
    ({"ключ": "значение"}, [4]),
    ({"$.team": "x"}, [4]),
    ({"": "empty"}, [4]),
    ({"quote": 'it\'s "so"'}, [5]),
    ({"team": "o%"}, []),
    ({"TEAM": "ops"}, []),
    ({"missing": ""}, []),
    ({"long": "x" * 1001}, [7]),
    ({"just": "y" * 1000}, [7]),
    ({"just": "y" * 1000, "long": "x" * 1001}, [7]),
]


def test_metadata_filter(data):
    async def work(store):
        tasks = [a_task(n, metadata=given) for n, given in enumerate(METADATA, start=1)]
        await store.commit(Changes(created=tasks))
        return [await store.tasks(0, 100, TaskFilter(metadata=metadata)) for metadata, _ in WANTED]

    for (metadata, wanted), page in zip(WANTED, data.with_store(work), strict=True):
        assert (page.total, [task.seq for task in page.items]) == (len(wanted), wanted), metadata


#: Texts that differ only from U+0000 on, and what is written in the place of it.
WITH_NUL = [
    "a",
    "a\0",
    "a\0b",
    "a\0c",
    "a\x01",
    "a\x010b",
    "a\x011b",
    "a\\u0000b",
    "\0",
    "\\\0\\\\",
    "\\udfff",
]


def test_names_metadata_and_labels_are_told_apart_behind_a_nul(data):
    async def work(store):
        tasks = [a_task(seq, name=text, metadata={text: text}) for seq, text in enumerate(WITH_NUL, 1)]
        tasks += [a_task(99, metadata={"deep": [text, {text: 1}]}) for text in ["\\\0\\udfff"]]
        groups = [
            a_group(f"g{seq}", seq=seq, name=text, definition=Definition(labels={text: text}))
            for seq, text in enumerate(WITH_NUL, 1)
        ]
        await store.commit(Changes(created=tasks, groups=groups))
        await store.commit(Changes(respecified=tasks))
        for seq, text in enumerate(WITH_NUL, 1):
            for of_tasks in (
                TaskFilter(name=text),
                TaskFilter(metadata={text: text}),
                TaskFilter(state=PENDING, name=text),
            ):
                page = await store.tasks(0, 99, of_tasks)
                assert (page.total, ids(page.items)) == (1, [f"t{seq}"]), of_tasks
            for of_groups in (
                GroupFilter(name=text),
                GroupFilter(labels=(Label(text),)),
                GroupFilter(labels=(Label(text, text),)),
            ):
                found = await store.groups(GroupKind.WORKFLOW, 0, 99, of_groups, tasks_max=0)
                assert (found.total, ids(found.records.groups)) == (1, [f"g{seq}"]), of_groups
        deep = json.dumps(tasks[-1].spec.metadata["deep"], separators=(",", ":"))
        return ids((await store.tasks(0, 9, TaskFilter(metadata={"deep": deep}))).items)

    assert data.with_store(work) == ["t99"]


def test_the_filter_follows_changes_and_deletes(data):
    async def work(store):
        async def found(value):
            page = await store.tasks(0, 9, TaskFilter(metadata={"team": value}))
            assert page.total == len(page.items)
            return [task.seq for task in page.items]

        tasks = [a_task(seq, metadata={"team": "ops"}) for seq in (1, 2)]
        await store.commit(Changes(created=tasks))
        tasks[0].spec = msgspec.structs.replace(tasks[0].spec, metadata={"team": "dev", "more": 1})
        await store.commit(Changes(respecified=tasks[:1]))
        seen = [await found("ops"), await found("dev")]
        await store.commit(Changes(deleted=tasks[:1]))
        return [*seen, await found("ops"), await found("dev")]

    assert data.with_store(work) == [[2], [1], [2], []]


def test_filters_go_together_and_are_counted(data):
    async def work(store):
        tasks = [a_task(n, workflow_id="g" if n % 2 else "", metadata={"k": n % 3}) for n in range(1, 31)]
        await store.commit(Changes(created=tasks))
        return await store.tasks(1, 2, TaskFilter(workflow_id="g", metadata={"k": "1"}))

    page = data.with_store(work)
    assert (page.total, [task.seq for task in page.items]) == (5, [7, 13])


#: The states of a group's tasks.
GROUPS = {
    "p": [PENDING],
    "s": [SCHEDULED, PENDING],
    "r": [RUNNING, COMPLETED],
    "c": [COMPLETED, SKIPPED],
    "f": [COMPLETED, FAILED],
    "i": [COMPLETED, INTERRUPTED],
}


def test_groups_by_state_newest_first(data):
    async def work(store):
        groups = [a_group(key, seq=seq, of=of) for seq, (key, of) in enumerate(GROUPS.items(), start=1)]
        job = a_group("job", GroupKind.JOB, seq=9)
        await store.commit(Changes(groups=[*groups, job]))
        for state in TaskState:
            wanted = [group.id for group in reversed(groups) if group_state(group.counts) is state]
            found = await store.groups(GroupKind.WORKFLOW, 0, 9, GroupFilter(state), tasks_max=0)
            assert (found.total, ids(found.records.groups)) == (len(wanted), wanted)
        pages = [
            await store.groups(GroupKind.WORKFLOW, at, 4, GroupFilter(), tasks_max=9) for at in (0, 4, 8)
        ]
        assert [page.total for page in pages] == [6, 6, 6]
        return [ids(page.records.groups) for page in pages]

    assert data.with_store(work) == [["i", "f", "c", "r"], ["s", "p"], []]


def test_a_list_of_groups_has_so_many_tasks_at_most_and_of_a_group_all_or_none(data):
    tasks = [a_task(seq, workflow_id=group) for seq, group in enumerate(["a", "b", "b", "b", "c"], start=1)]
    groups = [a_group("a"), a_group("b", seq=2, of=[PENDING] * 3), a_group("c", seq=3), a_group("d", seq=4)]
    groups[3].counts[COMPLETED] = 0

    async def work(store):
        await store.commit(Changes(created=tasks, groups=groups))
        return [
            (await store.groups(GroupKind.WORKFLOW, 0, 9, GroupFilter(), tasks_max=tasks_max)).records
            for tasks_max in (0, 1, 2, 3, 4, 5)
        ]

    found = data.with_store(work)
    assert [ids(records.groups) for records in found] == [["d", "c", "b", "a"]] * 6
    wanted = [[], ["t5"], ["t5", "t1"], ["t5", "t1"], ["t5", "t2", "t3", "t4"]]
    assert [ids(records.tasks) for records in found] == [*wanted, ["t5", "t2", "t3", "t4", "t1"]]


def test_totals_follow_what_is_created_changed_and_deleted(data):
    async def work(store):
        async def totals(only=EVERYTHING):
            kinds = [await store.groups(kind, 0, 0, GroupFilter(), tasks_max=0) for kind in GroupKind]
            return (await store.tasks(0, 1, only)).total, *(page.total for page in kinds)

        tasks = [a_task(1, workflow_id="w"), a_task(2, workflow_id="w"), a_task(3)]
        workflow, job = a_group("w", of=[PENDING] * 2), a_group("j", GroupKind.JOB, seq=2)
        await store.commit(Changes(created=tasks, groups=[workflow, job]))
        seen = [await totals(), await totals(TaskFilter(workflow_id="w"))]
        for state in (RUNNING, COMPLETED):
            workflow.counts = [0] * 8
            workflow.counts[state] = 2
            await store.commit(Changes(groups=[workflow]))
            found = await store.groups(GroupKind.WORKFLOW, 0, 9, GroupFilter(state), tasks_max=0)
            assert (found.total, ids(found.records.groups)) == (1, ["w"])
        await store.commit(Changes(deleted=tasks[:2], deleted_groups=[workflow]))
        return [*seen, await totals(), await totals(TaskFilter(workflow_id="w"))]

    assert data.with_store(work) == [(3, 1, 1), (2, 1, 1), (1, 0, 1), (0, 0, 1)]


LABELLED = [
    {"team": "ops", "env": "prod"},
    {"team": "ops"},
    {"team": "dev", "env": "prod"},
    {"ключ": 'a "b" = c', "Team": "ops", "empty": ""},
    {},
]


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ([Label("team", "ops")], ["g2", "g1"]),
        ([Label("team")], ["g3", "g2", "g1"]),
        ([Label("team", "ops"), Label("env", "prod")], ["g1"]),
        ([Label("team"), Label("env")], ["g3", "g1"]),
        ([Label("team", "o%")], []),
        ([Label("ключ", 'a "b" = c')], ["g4"]),
        ([Label("empty", "")], ["g4"]),
        ([Label("empty"), Label("Team")], ["g4"]),
        ([Label("nothing")], []),
    ],
)
def test_groups_by_label(data, labels, wanted):
    async def work(store):
        groups = [
            a_group(f"g{seq}", seq=seq, definition=Definition(labels=given))
            for seq, given in enumerate(LABELLED, start=1)
        ]
        await store.commit(Changes(groups=groups))
        await store.commit(Changes(groups=groups))  # as they move
        only = GroupFilter(labels=tuple(labels))
        page = await store.groups(GroupKind.WORKFLOW, 0, 9, only, tasks_max=0)
        assert (page.total, ids(page.records.groups)) == (len(wanted), wanted)
        await store.commit(Changes(deleted_groups=groups))
        assert (await store.groups(GroupKind.WORKFLOW, 0, 9, only, tasks_max=0)).total == 0
        other = a_group("other", seq=1)
        await store.commit(Changes(groups=[other]))  # with the number of one that is gone
        return (await store.groups(GroupKind.WORKFLOW, 0, 9, only, tasks_max=0)).total

    assert data.with_store(work) == 0


def test_groups_that_have_ended_as_a_whole(data):
    async def work(store):
        groups = [a_group(key, seq=seq, of=of) for seq, (key, of) in enumerate(GROUPS.items(), start=1)]
        groups.append(a_group("both", seq=7, of=[FAILED, RUNNING]))
        await store.commit(Changes(groups=groups))
        found = []
        for only in (GroupFilter(has_ended=True), GroupFilter(FAILED, has_ended=False)):
            page = await store.groups(GroupKind.WORKFLOW, 0, 9, only, tasks_max=0)
            found.append(ids(page.records.groups))
        return found

    assert data.with_store(work) == [["i", "f", "c"], ["both"]]


_CREATES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=12)


@given(before=_CREATES, meanwhile=_CREATES, limit=st.integers(1, 4), labelled=st.booleans())
@settings(max_examples=20, deadline=None)
def test_who_pages_by_cursor_sees_each_group_once_whatever_is_created_meanwhile(
    fresh, before, meanwhile, limit, labelled
):
    """Several are created at the same time, with ids in any order; deletes do not move the others."""
    only = GroupFilter(labels=(Label("k", "1"),)) if labelled else GroupFilter()
    definition = Definition(labels={"k": "1"})

    async def work(store):
        now, seq, first, seen = 100, 0, [], []
        for later, name in before:
            now, seq = now + later, seq + 1
            first.append(a_group(f"{name}-{seq}", seq=seq, created_at=now, definition=definition))
        await store.commit(Changes(groups=first))
        after, rest = None, list(meanwhile)
        while True:
            page = await store.groups(GroupKind.WORKFLOW, 0, limit, only, tasks_max=0, after=after)
            seen += ids(page.records.groups)
            after = page.next
            if after is None:
                break
            if rest:
                later, name = rest.pop()
                now, seq = now + 1 + later, seq + 1
                new = a_group(f"{name}-{seq}", seq=seq, created_at=now, definition=definition)
                gone = [group for group in first if group.id == seen[-1]] if later == 3 else []
                await store.commit(Changes(groups=[new], deleted_groups=gone))
        in_order = sorted(first, key=lambda group: group.id)
        in_order.sort(key=lambda group: group.created_at, reverse=True)
        assert seen == ids(in_order)

    with fresh() as data:
        data.with_store(work)


def test_records_that_are_missing(data):
    async def work(store):
        tasks = [a_task(1, workflow_id="w", state=COMPLETED), a_task(2, state=COMPLETED), a_task(3)]
        groups = [a_group("w"), a_group("j", GroupKind.JOB, seq=2, of=[PENDING])]
        await store.commit(Changes(created=tasks, groups=groups))
        there = [Record("task", "t1"), Record("task", "t2"), Record("task", "t3")]
        there += [Record("workflow", "w"), Record("job", "j")]
        others = [Record("task", "w"), Record("workflow", "j"), Record("job", "w"), Record("job", "none")]
        before = await store.missing([*there, *others])
        ended = await store.find_ended(2**62)
        while await store.forget(ended, 2**62) and not await store.missing(there):
            pass
        going = await store.missing(there)
        while await store.forget(ended, 2**62):
            pass
        return before == set(others), going, await store.missing(there)

    is_right, going, gone = data.with_store(work)
    assert is_right
    assert gone == {Record("task", "t1"), Record("task", "t2"), Record("workflow", "w")}
    # A workflow that is being deleted is missed with its tasks at once.
    assert (Record("workflow", "w") in going) == (Record("task", "t1") in going)


NAMES = st.sampled_from(["", "a", "b", TEXT])


@settings(max_examples=30, deadline=None)
@given(
    made=st.lists(
        st.tuples(NAMES, st.integers(1, 4), st.sampled_from(TaskState), st.booleans()), max_size=12
    ),
    count=st.integers(1, 4),
)
def test_earlier_runs_are_those_of_the_name_created_before(fresh, made, count):
    plan = Definition(schedule=Schedule(text="* * * * *"))
    labelled = Definition(labels={"schedule": "x"})
    groups = [
        a_group(
            f"g{seq}", seq=seq, name=name, created_at=at, of=[state], definition=plan if is_plan else labelled
        )
        for seq, (name, at, state, is_plan) in enumerate(made, 1)
    ]
    for group in groups[::2]:
        group.started_at, group.finished_at = 1_000_000_000, 2_500_400_000
    others = [a_group(f"j{seq}", GroupKind.JOB, seq=99 + seq, name="a", created_at=1) for seq in range(3)]

    async def work(store):
        await store.commit(Changes(groups=[*groups, *others]))
        return [
            await store.groups(GroupKind.WORKFLOW, 0, 50, GroupFilter(), tasks_max=0, earlier=earlier)
            for earlier in (count, 0)
        ]

    def run(group):
        shown = {"id": group.id, "state": int(group_state(group.counts))}
        return shown | ({"duration": 1.5} if group.started_at and not group.has_live_tasks else {})

    with fresh() as data:
        page, plain = data.with_store(work)
    assert plain.earlier == {}
    for group in groups:
        before = [
            one
            for one in groups
            if one.name == group.name != "" and not one.schedule
            if (one.created_at, one.seq) < (group.created_at, group.seq)
        ]
        before.sort(key=lambda one: (one.created_at, one.seq), reverse=True)
        assert json.loads(page.earlier[group.id]) == [run(one) for one in before[:count]]
