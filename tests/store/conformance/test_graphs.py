"""The graph of a workflow or job: what the store writes is what the records say."""

import json

from propeller.core.copies import id_of_inner
from propeller.core.effects import Changes
from propeller.core.groups import UP
from propeller.core.model import Execution, GroupKind, JobMode, SubWorkflow
from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING
from propeller.store.limits import ATTEMPTS_IN_GRAPH
from propeller.store.port import Ended
from tests.builders import TEXT, a_group, a_move, a_spec, a_task

WORKFLOW, JOB = GroupKind.WORKFLOW, GroupKind.JOB
MS = 1_000_000
#: Names may have any character, ids no control characters.
ID = TEXT.replace("\x00", "")
CONTROL = "".join(map(chr, range(32))) + '<b>"\\' + "\x7f\u2028é🦀"


def read(graph):
    texts = {name: json.loads(getattr(graph, name)) for name in ("proplets", "edges", "past_attempts")}
    return texts | {
        "tasks": {name: json.loads(text) for name, text in graph.tasks.items()},
        "executions": json.loads(graph.executions),
    }


def expected(tasks, proplets):
    def place(proplet_id):
        return proplets.index(proplet_id) if proplet_id else -1

    return {
        "ids": [task.id for task in tasks],
        "names": [task.spec.name for task in tasks],
        "states": [int(task.state) for task in tasks],
        "attempts": [task.attempt for task in tasks],
        "proplets": [place(task.proplet_id) for task in tasks],
        "created": [task.created_at // MS for task in tasks],
        "placed": [task.placed_at // MS for task in tasks],
        "started": [task.started_at // MS for task in tasks],
        "finished": [task.finished_at // MS for task in tasks],
        "up": [int(task.is_up) for task in tasks],
        "conditions": [task.spec.run_if for task in tasks],
        "sub_workflows": [
            id_of_inner(task.id, task.attempt) if task.spec.workflow and task.placed_at else ""
            for task in tasks
        ],
    }


def test_every_column_is_as_the_records_say(data):
    inner = SubWorkflow(specs=(a_spec("x", run_if="always"),), name="inner")
    tasks = [
        # Not in a row, and others between them.
        a_task(2, workflow_id="w", created_at=5 * MS + 7, name=TEXT),
        a_task(5, workflow_id="w", depends_on=("t2",), run_if=TEXT, name=CONTROL * 300, id=ID),
        a_task(6, workflow_id="w", depends_on=("t2", ID), workflow=inner, state=COMPLETED, attempt=2),
        a_task(7, workflow_id="w", workflow=inner, name="waits"),
        a_task(9, workflow_id="w", state=RUNNING, attempt=3, proplet_id="p-2", is_up=True),
        a_task(11, workflow_id="w", state=COMPLETED, broadcast=True),
    ]
    tasks[2].placed_at, tasks[2].started_at, tasks[2].finished_at = 7 * MS, 8 * MS + 1, 2**62
    others = [a_task(seq, workflow_id="other", depends_on=("t2",)) for seq in (1, 8)]
    past = [
        Execution(proplet_id="p-1", attempt=n, state=FAILED, started_at=n * MS, finished_at=2**62)
        for n in (1, 2)
    ]
    everywhere = [Execution(proplet_id=p, attempt=1, state=COMPLETED, started_at=MS) for p in ("p-3", ID)]

    async def work(store):
        changes = Changes(
            created=[*tasks, *others],
            groups=[a_group("w", of=[PENDING] * 6), a_group("other", seq=2, of=[PENDING] * 2)],
            attempts=[(tasks[4], one) for one in past],
            executions=[(tasks[5], one) for one in everywhere],
            transitions=[a_move("t2"), a_move("t6")],
            first_event_id=7,
        )
        await store.commit(changes)
        return [await store.graph(WORKFLOW, "w") for _ in range(2)]

    graph, again = data.with_store(work)
    assert again == graph
    found = read(graph)
    assert sorted(found["proplets"]) == sorted(["p-1", "p-2", "p-3", ID])
    places = {name: number for number, name in enumerate(found["proplets"])}
    assert found["tasks"] == expected(tasks, found["proplets"])
    edges = found["edges"]
    assert [*zip(edges[::2], edges[1::2], strict=True)] == [(0, 1), (0, 2), (1, 2)]
    assert found["past_attempts"] == [[4, n, FAILED, places["p-1"], n, 2**62 // MS] for n in (1, 2)]
    assert sorted(found["executions"]) == sorted(
        [5, 1, COMPLETED, places[name], 1, 0] for name in ("p-3", ID)
    )
    assert (graph.event_id, graph.mode) == (8, None)


def test_only_the_newest_of_many_attempts_are_there(data):
    tasks = [a_task(seq, job_id="j") for seq in (1, 2, 3)]
    counts = (ATTEMPTS_IN_GRAPH + 5, 0, 3)

    async def work(store):
        past = [
            (task, Execution(proplet_id="p", attempt=n + 1, state=FAILED))
            for task, count in zip(tasks, counts, strict=True)
            for n in range(count)
        ]
        groups = [a_group("j", JOB, mode=JobMode.SEQUENTIAL, of=[PENDING] * 3)]
        await store.commit(Changes(created=tasks, groups=groups, attempts=past))
        return await store.graph(JOB, "j")

    graph = data.with_store(work)
    first = [[0, n, FAILED, 0, 0, 0] for n in range(6, ATTEMPTS_IN_GRAPH + 6)]
    assert read(graph)["past_attempts"] == first + [[2, n, FAILED, 0, 0, 0] for n in (1, 2, 3)]
    assert (graph.event_id, graph.mode) == (0, JobMode.SEQUENTIAL)


def test_groups_that_are_not_there_and_one_without_tasks(data):
    async def work(store):
        empty = a_group("empty", counts=[0] * (UP + 1))
        ended = a_group("ended", seq=2, of=[COMPLETED])
        await store.commit(
            Changes(
                created=[a_task(1, workflow_id="ended", state=COMPLETED)],
                groups=[empty, ended],
            )
        )
        graph = await store.graph(WORKFLOW, "empty")
        assert await store.graph(WORKFLOW, "none") is None
        assert await store.graph(JOB, "empty") is None
        assert await store.graph(WORKFLOW, "ended") is not None
        going = Ended([2], [], is_full=False)
        await store.forget(going, 2**62)
        assert await store.graph(WORKFLOW, "ended") is None
        return graph

    found = read(data.with_store(work))
    assert set(map(tuple, found.pop("tasks").values())) == {()}
    assert set(map(tuple, found.values())) == {()}
