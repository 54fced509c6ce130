"""What every store must do; the SQLite store is the only one so far."""

import asyncio
import sqlite3

import msgspec
import pytest

from propeller.core.effects import Changes, Transition
from propeller.core.model import Group, GroupKind, JobMode, Module, Proplet, Spec, Task
from propeller.core.states import COMPLETED, PENDING, RUNNING, SCHEDULED, TaskState
from propeller.errors import StoreUnusable
from propeller.store.port import TaskFilter
from propeller.store.sqlite import SqliteStore

DERIVED = {
    Task: {"before", "parents", "children", "unmet"},
    Group: {"tasks", "started_at", "finished_at"},
    Proplet: {"slots", "window", "placed", "seen", "is_alive"},
}
VALUES = {
    str: 'a "quoted" text, ü, \u2028',
    int: 7,
    bool: True,
    float: 1.5,
}


def filled(kind, /, **fixed):
    """Make a record in which every stored field differs from its default, whatever fields there are."""
    given = dict(fixed)
    for field in msgspec.structs.fields(kind):
        if field.name in given or field.name in DERIVED.get(kind, ()):
            continue
        text = str(field.type)
        for plain, value in VALUES.items():
            if (
                field.type is plain
                or text.startswith(f"{plain.__name__} |")
                or text == f"{plain.__name__} | None"
            ):
                given[field.name] = value
                break
        else:
            raise AssertionError(f"say what {kind.__name__}.{field.name} ({text}) is to be in this test")
    return kind(**given)


def stored(record):
    return {
        field.name: getattr(record, field.name)
        for field in msgspec.structs.fields(record)
        if field.name not in DERIVED.get(type(record), ())
    }


def a_spec(task_id="t", **fields):
    return Spec(id=task_id, name="main", **fields)


def a_task(seq, **fields):
    spec = fields.pop("spec", None) or a_spec(f"t{seq}")
    return Task(spec=spec, seq=seq, created_at=seq, **fields)


def with_store(directory, work):
    async def run():
        store = SqliteStore(directory)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def test_every_field_survives(tmp_path):
    spec = filled(
        Spec,
        module=Module("ab", 3),
        cli_args=("-x", "ü"),
        inputs=(1, 2.5, "text", 2**63 - 1),
        env={"A": "b"},
        depends_on=("p",),
        job_id="",
        monitoring_profile={"interval": 3},
        metadata={"deep": {"er": [1, None]}},
        hal_storage_path="",
        workflow_id="g",
    )
    task = filled(Task, spec=spec, state=SCHEDULED, results={"any": ["json", 1.5, None]})
    group = filled(Group, id="g", kind=GroupKind.JOB, mode=JobMode.SEQUENTIAL, counts=[1, 0, 0, 2, 0, 0, 0])
    proplet = filled(Proplet, metadata={"os": "linux"})
    changes = Changes(created=[task], groups=[group], proplets=[proplet])
    with_store(tmp_path, lambda store: store.commit(changes))
    loaded = with_store(tmp_path, lambda store: store.load())
    assert [stored(found) for found in loaded.live.tasks] == [stored(task)]
    assert [stored(found) for found in loaded.live.groups] == [stored(group)]
    assert [stored(found) for found in loaded.proplets] == [stored(proplet)]
    assert (loaded.last_task_seq, loaded.last_group_seq) == (task.seq, group.seq)


def test_updates_replace_what_changed(tmp_path):
    async def work(store):
        task = a_task(1)
        await store.commit(Changes(created=[task]))
        task.state, task.attempt, task.results, task.reason = COMPLETED, 2, "30\n", "why"
        await store.commit(Changes(updated=[task]))
        task.spec = a_spec("t1", priority=90)
        await store.commit(Changes(respecified=[task]))
        return task, await store.task("t1"), await store.task("unknown")

    task, found, unknown = with_store(tmp_path, work)
    assert stored(found) == stored(task)
    assert unknown is None


def test_load_takes_live_groups_whole_and_leaves_the_rest(tmp_path):
    def task(seq, state, **spec):
        return a_task(seq, state=state, spec=a_spec(f"t{seq}", **spec))

    async def work(store):
        live = Group(id="live", kind=GroupKind.WORKFLOW, seq=1, created_at=1, counts=[1, 0, 0, 1, 0, 0, 0])
        over = Group(id="over", kind=GroupKind.JOB, seq=2, created_at=2, counts=[0, 0, 0, 1, 0, 0, 0])
        tasks = [
            task(1, COMPLETED, workflow_id="live"),
            task(2, PENDING, workflow_id="live"),
            task(3, COMPLETED, job_id="over"),
            task(4, RUNNING),
            task(5, COMPLETED),
        ]
        await store.commit(Changes(created=tasks, groups=[live, over]))
        loaded = await store.load()
        found = await store.find(["t3", "t5", "nope"], ["live", "nope"])
        return loaded, found

    loaded, found = with_store(tmp_path, work)
    assert sorted(task.id for task in loaded.live.tasks) == ["t1", "t2", "t4"]
    assert [group.id for group in loaded.live.groups] == ["live"]
    assert sorted(task.id for task in found.tasks) == ["t1", "t2", "t3", "t5"]
    assert sorted(group.id for group in found.groups) == ["live", "over"]


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ({"team": "ops"}, ["t1", "t2"]),
        ({"team": "ops", "n": "5"}, ["t2"]),
        ({"on": "true"}, ["t3"]),
        ({'a "b".c': "ü"}, ["t4"]),
        ({"team": "o%"}, []),
    ],
)
def test_metadata_filter(tmp_path, metadata, wanted):
    given = [{"team": "ops"}, {"team": "ops", "n": 5}, {"on": True}, {'a "b".c': "ü"}, None]

    async def work(store):
        tasks = [a_task(n, spec=a_spec(f"t{n}", metadata=data)) for n, data in enumerate(given, start=1)]
        await store.commit(Changes(created=tasks))
        return await store.tasks(0, 100, TaskFilter(metadata=metadata))

    page = with_store(tmp_path, work)
    assert (page.total, [task.id for task in page.tasks]) == (len(wanted), wanted)


def test_pages_are_in_the_order_of_creation(tmp_path):
    async def work(store):
        await store.commit(Changes(created=[a_task(seq) for seq in (3, 1, 2)]))
        return await store.tasks(1, 1, TaskFilter())

    page = with_store(tmp_path, work)
    assert (page.total, [task.id for task in page.tasks]) == (3, ["t2"])


def test_module_is_stored_once_for_all_its_tasks(tmp_path):
    async def work(store):
        module = Module("digest", 3)
        await store.commit(Changes(created=[a_task(1)], modules={module: b"one"}))
        await store.commit(Changes(created=[a_task(2)], modules={module: b"one"}))
        return await store.modules(["digest", "unknown"])

    assert with_store(tmp_path, work) == {"digest": b"one"}
    with sqlite3.connect(tmp_path / "propeller.db") as db:
        assert db.execute("SELECT COUNT(*) FROM modules").fetchone() == (1,)
    db.close()


def test_commit_is_all_or_nothing(tmp_path):
    async def work(store):
        await store.commit(Changes(created=[a_task(1)]))
        with pytest.raises(StoreUnusable):
            await store.commit(Changes(created=[a_task(2), a_task(1)]))
        return (await store.tasks(0, 10, TaskFilter())).total

    assert with_store(tmp_path, work) == 1


def test_an_id_can_be_deleted_and_created_again_in_one_commit(tmp_path):
    async def work(store):
        old = a_task(1)
        await store.commit(Changes(created=[old]))
        await store.commit(Changes(deleted=[old], created=[a_task(2, spec=a_spec("t1", kind="new"))]))
        return await store.task("t1")

    assert with_store(tmp_path, work).spec.kind == "new"


def test_event_log_goes_on_where_a_reader_stopped(tmp_path):
    async def work(store):
        for first in (1, 4):
            moves = [
                Transition(task_id=f"t{first + n}", name="main", state=TaskState.RUNNING, at=1)
                for n in range(3)
            ]
            await store.commit(Changes(transitions=moves, first_event_id=first))
        return await store.events(2, 100), await store.events(0, 4), (await store.load()).last_event_id

    rest, first, last_id = with_store(tmp_path, work)
    assert [(number, event.task_id) for number, event in rest] == [(n, f"t{n}") for n in (3, 4, 5, 6)]
    assert [number for number, _ in first] == [1, 2, 3, 4]
    assert last_id == 6


def test_newer_data_is_refused(tmp_path):
    with_store(tmp_path, lambda store: store.load())
    db = sqlite3.connect(tmp_path / "propeller.db")
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(StoreUnusable, match="newer version"):
        SqliteStore(tmp_path)


def test_damaged_data_is_refused_with_the_file_in_the_message(tmp_path):
    (tmp_path / "propeller.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreUnusable, match=r"propeller\.db"):
        SqliteStore(tmp_path)
