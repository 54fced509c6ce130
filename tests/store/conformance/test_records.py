"""What every store must do, whatever it is made of."""

import asyncio
import itertools

import msgspec
import pytest

from propeller.core.effects import Changes
from propeller.core.model import GroupKind
from propeller.core.states import (
    COMPLETED,
    PENDING,
    TaskState,
)
from propeller.errors import StoreUnusable
from propeller.store.port import GroupFilter
from tests.builders import (
    a_group,
    a_move,
    a_spec,
    a_task,
    filled_execution,
    filled_group,
    filled_move,
    filled_proplet,
    filled_spec,
    filled_task,
    module_of,
    stored,
)
from tests.store.helpers import EVERYTHING, ids

# -- records survive -----------------------------------------------------------------------------------------


def test_every_field_survives_to_the_next_start(data):
    task, group, proplet, move = (
        filled_task(),
        filled_group(kind=GroupKind.WORKFLOW),
        filled_proplet(),
        filled_move(),
    )
    changes = Changes(
        created=[task], groups=[group], proplets=[proplet], transitions=[move], first_event_id=1
    )
    data.with_store(lambda store: store.commit(changes))

    async def read(store):
        return await store.load(), await store.events(0, 10)

    loaded, events = data.with_store(read)
    assert [stored(found) for found in loaded.live.tasks] == [stored(task)]
    assert [stored(found) for found in loaded.live.groups] == [stored(group)]
    assert [stored(found) for found in loaded.proplets] == [stored(proplet)]
    assert events == [(1, move)]
    assert (loaded.last_task_seq, loaded.last_group_seq, loaded.last_event_id) == (task.seq, group.seq, 1)


def test_results_that_are_no_text_survive(data):
    task, execution = filled_task(results=b"\x89P"), filled_execution(results=b"\xff")
    data.with_store(lambda store: store.commit(Changes(created=[task], executions=[(task, execution)])))

    async def read(store):
        found = await store.task(task.id)
        await store.commit(Changes(updated=[found]))
        return await store.task(task.id), await store.executions(task.id)

    found, executions = data.with_store(read)
    assert (found.results, [one.results for one in executions]) == (b"\x89P", [b"\xff"])


def test_every_field_is_in_every_answer(data):
    task, group = filled_task(), filled_group(kind=GroupKind.WORKFLOW)

    async def work(store):
        await store.commit(Changes(created=[task], groups=[group]))
        return [
            await store.find([task.id], []),
            await store.find([], ["g"]),
            await store.group(GroupKind.WORKFLOW, "g", tasks_max=9),
            (await store.groups(GroupKind.WORKFLOW, 0, 9, GroupFilter(), tasks_max=9)).records,
            ([group], [await store.task(task.id)]),
            ([group], (await store.tasks(0, 9, EVERYTHING)).items),
        ]

    for groups, tasks, *_ in data.with_store(work):
        assert [stored(found) for found in groups] == [stored(group)]
        assert [stored(found) for found in tasks] == [stored(task)]


def test_every_field_can_be_updated(data):
    changed = filled_task(seq=1, created_at=1)
    proplet = filled_proplet()
    bare = {"id": proplet.id, "created_at": proplet.created_at, "name": "", "boot": 0, "metadata": {}}

    async def work(store):
        given = a_task(1, task_id=changed.id, workflow_id="g", namespace=changed.spec.namespace)
        bare_proplet = msgspec.structs.replace(proplet, is_local=False, **bare)
        await store.commit(Changes(created=[given], proplets=[bare_proplet]))
        await store.commit(Changes(updated=[changed], respecified=[changed], proplets=[proplet]))
        return await store.task(changed.id), (await store.load()).proplets

    task, proplets = data.with_store(work)
    assert stored(task) == stored(changed)
    assert [stored(found) for found in proplets] == [stored(proplet)]


def test_executions_are_kept_by_proplet_and_go_with_what_they_belong_to(data):
    task = a_task(1, state=TaskState.RUNNING, broadcast=True)
    first, second = filled_execution(proplet_id="p"), filled_execution(proplet_id="q")
    changed = filled_execution(proplet_id="p", attempt=2)

    async def work(store):
        await store.commit(Changes(created=[task], executions=[(task, first), (task, second)]))
        both = await store.executions("t1")
        (loaded,) = (await store.load()).live.tasks
        await store.commit(Changes(executions=[(task, changed)]))
        after = await store.executions("t1")
        await store.commit(Changes(replaced=[task], executions=[(task, second)]))
        anew = await store.executions("t1")
        await store.commit(Changes(deleted=[task]))
        return both, loaded, after, anew, await store.executions("t1")

    both, loaded, after, anew, gone = data.with_store(work)
    assert list(map(stored, both)) == [stored(first), stored(second)]
    assert list(map(stored, loaded.executions.values())) == [stored(first), stored(second)]
    assert list(map(stored, after)) == [stored(changed), stored(second)]
    assert list(map(stored, anew)) == [stored(second)]
    assert gone == []


def test_the_last_attempt_of_a_deleted_task_is_found_by_its_id(data):
    async def work(store):
        await store.commit(Changes(past_attempts={"t1": 3, "t2": 1}))
        await store.commit(Changes(past_attempts={"t1": 5}))

    data.with_store(work)
    assert data.with_store(lambda store: store.find(["t1", "t9"], [])).past_attempts == {"t1": 5}


def test_a_module_is_read_in_parts(data):
    wasm = b"0123456789"

    async def work(store):
        await store.commit(Changes(modules={module_of(wasm): wasm}))
        digest = module_of(wasm).digest
        return [await store.module_part(digest, start, 4) for start in (0, 8, 99)], await store.module_part(
            "none", 0, 4
        )

    assert data.with_store(work) == ([(10, b"0123"), (10, b"89"), (10, b"")], None)


RESULTS = [None, "", "30\n", 0, False, [], {}, {"a": None}]


def test_states_and_results_keep_their_kind(data):
    cases = list(itertools.product(TaskState, RESULTS))

    async def work(store):
        tasks = [a_task(n, state=state, results=results) for n, (state, results) in enumerate(cases, 1)]
        await store.commit(Changes(created=tasks))
        return [await store.task(task.id) for task in tasks]

    for (state, results), found in zip(cases, data.with_store(work), strict=True):
        assert (found.state, type(found.results), found.results) == (state, type(results), results)
        assert found.state is state


def test_empty_and_absent_are_told_apart(data):
    empty = a_task(1, env={}, inputs=(), cli_args=(), metadata={}, hal_storage_path="")

    async def work(store):
        await store.commit(Changes(created=[empty, a_task(2)]))
        return await store.task("t1"), await store.task("t2")

    full, absent = data.with_store(work)
    assert full.spec == empty.spec
    assert absent.spec == a_spec("t2")


# -- what lives ----------------------------------------------------------------------------------------------


def test_an_empty_store_has_nothing(data):
    async def work(store):
        loaded = await store.load()
        assert loaded.live == ([], [], {})
        assert (loaded.proplets, loaded[2:]) == ([], (0, 0, 0))
        assert await store.events(0, 10) == []

    data.with_store(work)


def test_an_empty_store_has_empty_lists(data):
    async def work(store):
        assert await store.tasks(0, 10, EVERYTHING) == (0, [])
        assert await store.groups(GroupKind.JOB, 0, 10, GroupFilter(), tasks_max=9) == (
            0,
            ([], [], {}),
            None,
            {},
        )

    data.with_store(work)


def test_load_takes_live_groups_whole_and_leaves_the_rest(data):
    async def work(store):
        live = a_group("live", of=[PENDING, COMPLETED])
        over = a_group("over", GroupKind.JOB, seq=2)
        tasks = [
            a_task(1, state=COMPLETED, workflow_id="live"),
            a_task(2, state=PENDING, workflow_id="live"),
            a_task(3, state=COMPLETED, job_id="over"),
            *(a_task(4 + state, state=state) for state in TaskState),
        ]
        await store.commit(Changes(created=tasks, groups=[live, over]))
        return await store.load()

    loaded = data.with_store(work)
    assert sorted(ids(loaded.live.tasks)) == ["t1", "t2", "t4", "t5", "t6"]
    assert ids(loaded.live.groups) == ["live"]


def test_find_gives_whole_groups_and_leaves_out_what_is_not_there(data):
    async def work(store):
        tasks = [a_task(n, workflow_id="w") for n in (1, 2)]
        tasks += [a_task(n, job_id="j") for n in (3, 4)] + [a_task(5), a_task(6)]
        groups = [a_group("w"), a_group("j", GroupKind.JOB, seq=2), a_group("other", seq=3)]
        await store.commit(Changes(created=tasks, groups=groups))
        assert await store.find(["none"], ["none"]) == ([], [], {}, {})
        assert await store.find([], []) == ([], [], {}, {})
        assert await store.task("none") is None
        return await store.find(["t1", "t5", "none"], ["j", "none"])

    groups, tasks, *_ = data.with_store(work)
    assert sorted(ids(groups)) == ["j", "w"]
    assert sorted(ids(tasks)) == ["t1", "t2", "t3", "t4", "t5"]


def test_what_is_not_there_is_not_given(data):
    async def work(store):
        await store.commit(Changes(created=[a_task(1, workflow_id="w")], groups=[a_group("w")]))
        assert await store.group(GroupKind.JOB, "w", tasks_max=9) is None, "a workflow is no job"
        assert await store.group(GroupKind.WORKFLOW, "none", tasks_max=9) is None
        assert await store.modules(["none"]) == {}

    data.with_store(work)


def test_more_can_be_found_at_once_than_one_query_takes(data):
    async def work(store):
        tasks = [a_task(n) for n in range(1, 1202)]
        await store.commit(Changes(created=tasks))
        assert len((await store.find(ids(tasks), [])).tasks) == 1201

    data.with_store(work)


def test_more_modules_can_be_read_at_once_than_one_query_takes(data):
    async def work(store):
        modules = {module_of(text): text for n in range(1201) if (text := b"%d" % n)}
        await store.commit(Changes(modules=modules))
        assert await store.modules(module.digest for module in modules) == {
            module.digest: data for module, data in modules.items()
        }

    data.with_store(work)


def test_what_is_deleted_is_gone(data):
    tasks = [a_task(1, workflow_id="g"), a_task(2)]
    group, proplet = a_group("g"), filled_proplet()

    async def work(store):
        await store.commit(Changes(created=tasks, groups=[group], proplets=[proplet]))
        await store.commit(Changes(deleted=tasks, deleted_groups=[group], deleted_proplets=[proplet]))
        assert await store.find(["t1", "t2"], ["g"]) == ([], [], {}, {})
        assert (await store.load())[:2] == (([], [], {}), [])

    data.with_store(work)


def test_an_id_can_be_deleted_and_created_again_in_one_commit(data):
    async def work(store):
        old, old_group = a_task(1, workflow_id="g"), a_group("g", name="old")
        await store.commit(Changes(created=[old], groups=[old_group]))
        new = a_task(2, task_id="t1", workflow_id="g", kind="new")
        new_group = a_group("g", seq=2, name="new")
        await store.commit(
            Changes(deleted=[old], created=[new], deleted_groups=[old_group], groups=[new_group])
        )
        return await store.find([], ["g"])

    groups, tasks, *_ = data.with_store(work)
    assert [group.name for group in groups] == ["new"]
    assert [task.spec.kind for task in tasks] == ["new"]


# -- the event log and commits -------------------------------------------------------------------------------


def test_event_log_goes_on_where_a_reader_stopped(data):
    async def work(store):
        for first in (1, 4):
            moves = [a_move(f"t{first + n}") for n in range(3)]
            await store.commit(Changes(transitions=moves, first_event_id=first))
        assert (await store.load()).last_event_id == await store.last_event_id() == 6
        return [
            await store.events(after, limit) for after, limit in ((2, 100), (0, 4), (3, 1), (6, 9), (99, 9))
        ]

    found = data.with_store(work)
    assert [[number for number, _ in page] for page in found] == [[3, 4, 5, 6], [1, 2, 3, 4], [4], [], []]
    assert [move.task_id for _, move in found[0]] == ["t3", "t4", "t5", "t6"]


def test_a_commit_is_all_or_nothing(data):
    async def work(store):
        first = a_task(1)
        await store.commit(Changes(created=[first]))
        first.state = COMPLETED
        bad = Changes(
            created=[a_task(2), a_task(3, task_id="t2")],
            updated=[first],
            groups=[a_group("g")],
            proplets=[filled_proplet()],
            modules={module_of(b"m"): b"m"},
            transitions=[a_move("t1")],
            first_event_id=1,
        )
        with pytest.raises(StoreUnusable):
            await store.commit(bad)
        assert ids((await store.tasks(0, 10, EVERYTHING)).items) == ["t1"]
        assert (await store.task("t1")).state is PENDING
        assert await store.find([], ["g"]) == ([], [], {}, {})
        assert await store.modules([module_of(b"m").digest]) == {}
        loaded = await store.load()
        assert (loaded.proplets, loaded.last_event_id, await store.last_event_id()) == ([], 0, 0)
        await store.commit(Changes(created=[a_task(2)]))
        return await store.task("t2")

    assert data.with_store(work) is not None, "a refused commit leaves the store usable"


def test_reads_during_a_commit_see_all_of_it_or_nothing(data):
    async def work(store):
        tasks = [a_task(n, workflow_id="g") for n in range(1, 2001)]
        writing = asyncio.create_task(store.commit(Changes(created=tasks, groups=[a_group("g")])))
        seen = {0}
        while not writing.done():
            seen.add((await store.tasks(0, 1, EVERYTHING)).total)
        await writing
        seen.add((await store.tasks(0, 1, EVERYTHING)).total)
        return seen

    assert data.with_store(work) == {0, 2000}


def test_a_module_is_there_for_all_its_tasks(data):
    module = module_of(b"one")

    async def work(store):
        for n in (1, 2):
            await store.commit(Changes(created=[a_task(n, module=module)], modules={module: b"one"}))
        return await store.modules([module.digest, "unknown"]), (await store.task("t2")).spec.module

    assert data.with_store(work) == ({module.digest: b"one"}, module)


def test_the_whole_spec_is_built_without_defaults():
    assert all(
        getattr(filled_spec(), field.name) != field.default
        for field in msgspec.structs.fields(filled_spec())
        if field.name != "job_id"
    )
