"""PostgreSQL gives the answers of SQLite: two stores that hold the same are asked the same."""

from typing import NamedTuple

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from propeller.core.calendar import Schedule, ScheduleState
from propeller.core.effects import Changes
from propeller.core.failures import Failure
from propeller.core.model import (
    Definition,
    Execution,
    Group,
    GroupKind,
    GroupTiming,
    JobMode,
    Proplet,
    SubWorkflow,
    Timing,
)
from propeller.core.states import TaskState
from propeller.store.port import (
    GroupFilter,
    Label,
    Sought,
    TaskFilter,
)
from tests.builders import TEXT, a_spec, a_task
from tests.store.same.both import compare, run_sql, together

WORKFLOW, JOB = GroupKind.WORKFLOW, GroupKind.JOB
MS = 1_000_000
#: Without U+0000, behind which SQLite does not look into JSON.
WORDS = TEXT.replace("\0", "")

names = st.sampled_from(
    ["main", "MAINTAIN", "Größe", "ß", "ẞ", "İx", "ﬁn", "K", "100%_", "a?b", TEXT, "ΣΑΣς"]
) | (st.text(max_size=4))
sought = st.sampled_from(
    [
        "",
        "main",
        "MAIN",
        "ÖSS",
        "ss",
        "ß",
        "i̇",
        "fi",
        "ﬁ",
        "k",
        "K",
        "t1",
        "T",
        "%",
        "?",
        "\u03c3\u03b1\u03c3",
    ]
)
times = st.integers(0, 5).map(lambda n: n * 7 * MS + n)
proplets = st.sampled_from(["", "p-1", "p-2", "ü"])
values = st.sampled_from(
    ["ops", "", "5", "true", "x" * 1200, WORDS, TEXT, 5, 1.5, True, None, ["a", {"b": 1}]]
)
metadata = st.none() | st.dictionaries(st.sampled_from(["team", "n", "", WORDS]), values, max_size=2)
labels = st.dictionaries(st.sampled_from(["team", "env"]), st.sampled_from(["ops", "", WORDS]), max_size=2)
schedules = st.sampled_from(
    [
        None,
        ScheduleState(next_run=5),
        ScheduleState(is_paused=True),
        ScheduleState(is_over=True, is_paused=True),
    ]
)
#: The groups of the world; tasks are in one of them or in none.
GROUPS = {"w1": WORKFLOW, "w2": WORKFLOW, "j1": JOB, "W1.x": JOB}


@st.composite
def some_tasks(draw):
    tasks = []
    for seq in range(1, draw(st.integers(0, 9)) + 1):
        owner = draw(st.sampled_from(["", *GROUPS]))
        where = {f"{GROUPS[owner]}_id": owner} if owner else {}
        before = [task.id for task in tasks if task.spec.group_id == owner and owner]
        task = a_task(
            seq,
            task_id=draw(st.sampled_from([f"t{seq}", f"T{seq}", f"ü{seq}"])),
            name=draw(names),
            metadata=draw(metadata),
            depends_on=tuple(draw(st.lists(st.sampled_from(before), unique=True, max_size=2)))
            if before
            else (),
            run_if=draw(st.sampled_from(["", "always", TEXT])),
            workflow=draw(st.sampled_from([None, SubWorkflow(specs=(a_spec("x"),))])),
            broadcast=draw(st.booleans()),
            created_at=draw(times),
            state=draw(st.sampled_from(TaskState)),
            attempt=draw(st.integers(0, 3)),
            proplet_id=draw(proplets),
            placed_at=draw(times),
            started_at=draw(times),
            finished_at=draw(times),
            updated_at=draw(times),
            is_up=draw(st.booleans()),
            results=draw(st.sampled_from([None, TEXT, 1.5, b"\xff\x00", {"a": [TEXT]}])),
            **where,
        )
        if task.state is TaskState.FAILED:
            task.failure = Failure(TEXT)
        course = draw(schedules)
        task.timing = Timing(schedule=course) if course else None
        tasks.append(task)
    return tasks


def executions(task_list):
    one = st.builds(
        Execution,
        proplet_id=st.sampled_from(["p-1", "p-2", WORDS]),
        attempt=st.integers(1, 30),
        state=st.sampled_from(TaskState),
        started_at=times,
        finished_at=times,
    )
    pairs = st.tuples(st.sampled_from(task_list), one)
    return st.lists(pairs, max_size=6, unique_by=lambda pair: (pair[0].id, pair[1].proplet_id))


@st.composite
def some_groups(draw, tasks):
    groups = []
    for seq, (name, kind) in enumerate(GROUPS.items(), start=1):
        counts = [0] * 8
        for task in tasks:
            if task.spec.group_id == name:
                counts[task.state] += 1
        course = draw(schedules)
        groups.append(
            Group(
                id=name,
                kind=kind,
                seq=seq,
                created_at=draw(times),
                name=draw(st.sampled_from(["", "nightly", "x" * 600, "x" * 600 + "y"]) | names),
                mode=draw(st.sampled_from([None, *JobMode])),
                counts=counts,
                started_at=draw(times),
                finished_at=draw(times),
                definition=Definition(
                    labels=draw(labels), schedule=draw(st.sampled_from([None, Schedule(text="@daily")]))
                ),
                timing=GroupTiming(schedule=course) if course else None,
            )
        )
    return groups


class World(NamedTuple):
    """What both stores are given, one after another."""

    commits: list[Changes]
    #: ``seq`` of what has been forgotten and is not deleted yet: groups, and tasks of none.
    going: tuple[list[int], list[int]]


@st.composite
def worlds(draw):
    tasks = draw(some_tasks())
    groups = draw(some_groups(tasks))
    of_tasks = executions(tasks) if tasks else st.just([])
    first = Changes(
        created=tasks,
        groups=groups,
        executions=draw(of_tasks),
        attempts=draw(of_tasks),
        proplets=[Proplet(id=name, name="Ada") for name in ("p-1", "ü")],
    )
    again = [replaced(task) for task in tasks if draw(st.integers(0, 4)) == 0]
    single = [task for task in tasks if not task.spec.group_id]
    deleted = draw(st.lists(st.sampled_from(single), unique_by=id, max_size=2)) if single else []
    going = draw(st.sampled_from([([], []), ([], []), ([], [1, 2, 3]), ([1], []), ([4, 3, 2], [5])]))
    return World([first, Changes(respecified=again), Changes(deleted=deleted)], going)


def replaced(task):
    """Give the task with other words of its user."""
    spec = msgspec.structs.replace(task.spec, name="again", metadata={"team": "dev"})
    return msgspec.structs.replace(task, spec=spec)


async def fill(store, world):
    for changes in world.commits:
        if changes:
            await store.commit(changes)
    groups, tasks = (", ".join(map(str, [0, *seqs])) for seqs in world.going)
    await run_sql(
        store,
        f"INSERT INTO going SELECT id, kind FROM groups WHERE seq IN ({groups})",
        f"DELETE FROM groups WHERE seq IN ({groups})",
        f"INSERT INTO going SELECT id, 'task' FROM tasks WHERE seq IN ({tasks}) "
        "AND workflow_id IS NULL AND job_id IS NULL",
    )


FILTERS = [
    TaskFilter(),
    TaskFilter(workflow_id="w1"),
    TaskFilter(job_id="j1"),
    TaskFilter(workflow_id="w1", job_id="j1"),
    TaskFilter(workflow_id="w2", state=TaskState.RUNNING),
    *(TaskFilter(state=state) for state in TaskState),
    TaskFilter(name="main"),
    TaskFilter(name="ß"),
    TaskFilter(id_prefix="t", since=8 * MS),
    TaskFilter(id_prefix="ü"),
    TaskFilter(metadata={"team": "ops"}),
    TaskFilter(metadata={"team": "x" * 1200}),
    TaskFilter(metadata={WORDS: WORDS}),
    TaskFilter(metadata={"n": "5"}, state=TaskState.FAILED),
    TaskFilter(metadata={"n": '["a",{"b":1}]', "team": "true"}),
    TaskFilter(metadata={"": "null"}),
]


async def all_about_tasks(store, texts):
    for only in FILTERS:
        for newest_first in (False, True):
            for offset, limit in ((0, 100), (1, 2), (2**63 - 1, 1), (0, 0)):
                yield (
                    (only, newest_first, offset, limit),
                    await store.tasks(offset, limit, only, newest_first=newest_first),
                )
            for text in texts:
                for proplet_id in ("", "p-1"):
                    asked = Sought(only, text, proplet_id)
                    yield (asked, newest_first), await all_pages(store, asked, newest_first)
        yield ("count", only), await store.count_tasks(only)
    yield "totals", await store.totals()
    for since, limit in ((0, 100), (8 * MS, 2), (2**62, 1)):
        yield ("failures", since, limit), await store.failures(since, limit)
    yield "ended", [await store.find_ended(before) for before in (0, 8 * MS, 2**62)]


async def all_pages(store, asked, newest_first):
    pages, after = [], None
    for _ in range(20):
        found = await store.search_tasks(asked, 3, newest_first=newest_first, after=after)
        pages.append(found)
        after = found.next
        if after is None:
            # After a full page, one database may have to look at more to know that nothing follows.
            if len(pages) > 1 and not found.tasks:
                pages[-2:] = [pages[-2]._replace(next=None)]
            return pages
    raise AssertionError("it does not end")


GROUP_FILTERS = [
    GroupFilter(),
    *(GroupFilter(state=state) for state in TaskState),
    GroupFilter(id_prefix="w", since=MS),
    GroupFilter(name="nightly", until=20 * MS),
    GroupFilter(name="x" * 600),
    GroupFilter(labels=(Label("team"),)),
    GroupFilter(labels=(Label("team", "ops"), Label("env", WORDS))),
    GroupFilter(has_ended=True),
    GroupFilter(has_ended=False, state=TaskState.RUNNING),
]


async def all_about_groups(store, texts):
    for kind in GroupKind:
        for only in (*GROUP_FILTERS, *(GroupFilter(text=text) for text in texts)):
            for offset, limit, tasks_max in ((0, 9, 100), (0, 1, 0), (1, 2, 3), (0, 0, 9), (9, 9, 9)):
                page = await store.groups(kind, offset, limit, only, tasks_max=tasks_max, earlier=3)
                yield (kind, only, offset, limit, tasks_max), page
                if page.next is not None:
                    rest = await store.groups(kind, 0, 9, only, tasks_max=2, after=page.next)
                    yield (kind, only, page.next), rest
        for name in (*GROUPS, "none"):
            for tasks_max in (0, 2, 100):
                found = await store.group(kind, name, tasks_max=tasks_max)
                yield ("group", kind, name, tasks_max), found
            for after, limit in ((0, 100), (2, 1)):
                if found is not None:
                    part = await store.tasks_of_group(found.groups[0], after, limit)
                    yield ("part", kind, name, after, limit), part
            yield ("graph", kind, name), await store.graph(kind, name)


SETTINGS = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@SETTINGS
@given(world=worlds(), texts=st.lists(sought, max_size=2, unique=True))
def test_lists_and_searches_of_tasks(stores, world, texts):
    async def work(store):
        await fill(store, world)
        return await together(all_about_tasks(store, texts))

    compare(stores.answers(work))


@SETTINGS
@given(world=worlds(), texts=st.lists(sought.filter(bool), max_size=2, unique=True))
def test_groups_and_graphs(stores, world, texts):
    async def work(store):
        await fill(store, world)
        return await together(all_about_groups(store, texts))

    compare(stores.answers(work))
