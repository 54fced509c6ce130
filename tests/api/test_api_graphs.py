"""The graphs of workflows and jobs over HTTP."""

import msgspec

from propeller.core.states import COMPLETED, FAILED
from propeller.wire.http.graphs import GraphView
from tests.api.helpers import ADDITION_TEXT, play

MARKUP = '<img src=x onerror="alert(1)">\x00\x1f\u2028' * 20


def _task(task_id, *parents, **fields):
    plain = {"id": task_id, "name": "main", "file": ADDITION_TEXT, "inputs": [1], "depends_on": parents}
    return plain | fields


async def graph_of(site, path):
    response = await site.http.get(f"{path}/graph")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.content.endswith(b"}\n")
    graph = msgspec.json.decode(response.content, type=GraphView)
    fields = msgspec.structs.fields(GraphView)
    assert [*msgspec.json.decode(response.content)] == [
        field.name for field in fields if field.name != "mode" or graph.mode
    ]
    columns = msgspec.structs.asdict(graph.tasks)
    assert {len(column) for column in columns.values()} == {len(graph.tasks.ids)}
    return graph


def test_a_workflow_with_all_that_a_graph_shows(tmp_path):
    async def part(site):
        site.bring_proplet()
        inner = {"workflow": {"tasks": [_task("x")]}, "name": MARKUP}
        tasks = [
            _task("a", workflow_id="w", name=MARKUP),
            {"id": "b", "depends_on": ["a"], **inner},
            _task("c", "a", "b", run_if="all_done"),
        ]
        await site.post("/workflows", {"tasks": tasks})
        before = await graph_of(site, "/workflows/w")
        assert (before.event_id, before.mode, before.edges) == (0, msgspec.UNSET, [0, 1, 0, 2, 1, 2])
        assert (before.tasks.states, before.proplets, before.tasks.proplets) == ([0] * 3, [], [-1] * 3)
        assert before.tasks.sub_workflows == [""] * 3
        await site.post("/workflows/w/start", status=200)
        await site.reached(COMPLETED, "c")
        after = await graph_of(site, "/workflows/w")
        tasks = after.tasks
        assert (tasks.ids, tasks.names) == (["a", "b", "c"], [MARKUP, MARKUP, "main"])
        assert (tasks.states, tasks.attempts, tasks.up) == ([3] * 3, [1] * 3, [0] * 3)
        assert (after.proplets, tasks.proplets) == (["p-9"], [0, -1, 0])
        assert (tasks.conditions, tasks.sub_workflows) == (["", "", "all_done"], ["", "b.1", ""])
        assert after.event_id == site.manager.feed.last_id
        for n in range(3):
            assert 0 < tasks.created[n] <= tasks.placed[n] <= tasks.started[n] <= tasks.finished[n]

    play(part, tmp_path)


def test_a_job_says_its_mode_and_its_past_attempts(tmp_path):
    async def part(site):
        site.bring_proplet()
        site.is_slow = True
        retry = {"max_attempts": 2, "delay": "1ms"}
        tasks = [_task("a", job_id="j", retry=retry), _task("b")]
        await site.post("/jobs", {"tasks": tasks, "execution_mode": "sequential"})
        await site.post("/jobs", {"tasks": [_task("d", job_id="plain")]})
        assert (await graph_of(site, "/jobs/plain")).mode == site.manager.job_mode
        await site.post("/jobs/j/start", status=200)
        for _ in range(2):
            site.end(await site.started_one("a"), error="it trapped")
        await site.reached(FAILED, "a")
        graph = await graph_of(site, "/jobs/j")
        assert (graph.mode, graph.edges, graph.executions) == ("sequential", [], [])
        assert graph.tasks.attempts[0] == 2
        ((place, attempt, state, proplet, started, finished),) = graph.past_attempts
        assert (place, attempt, state, graph.proplets[proplet]) == (0, 1, FAILED, "p-9")
        assert 0 < started <= finished <= graph.tasks.placed[0]

    play(part, tmp_path)


def test_a_broadcast_has_an_execution_on_each_proplet(tmp_path):
    async def part(site):
        site.bring_proplet("p-1")
        site.bring_proplet("p-2")
        await site.post("/jobs", {"tasks": [_task("a", job_id="j", broadcast=True)]})
        await site.post("/jobs/j/start", status=200)
        await site.reached(COMPLETED, "a")
        graph = await graph_of(site, "/jobs/j")
        assert sorted(graph.proplets) == ["p-1", "p-2"]
        assert graph.tasks.proplets == [-1]
        assert [one[:4] for one in graph.executions] == [[0, 1, COMPLETED, 0], [0, 1, COMPLETED, 1]]

    play(part, tmp_path)


def test_what_is_not_there_and_what_has_no_tasks(tmp_path):
    async def part(site):
        await site.post("/workflows", {"tasks": [_task("a", workflow_id="w")]})
        assert await site.refused("GET", "/workflows/none/graph", 404) == (
            await site.refused("GET", "/workflows/none", 404)
        )
        assert await site.refused("GET", "/jobs/w/graph", 404) == await site.refused("GET", "/jobs/w", 404)
        assert "there is no such query parameter" in await site.refused("GET", "/workflows/w/graph?x=1", 400)
        await site.delete("/tasks/a")
        empty = await graph_of(site, "/workflows/w")
        assert (empty.tasks.ids, empty.edges, empty.proplets) == ([], [], [])

    play(part, tmp_path)


def test_other_methods(tmp_path):
    async def part(site):
        await site.post("/workflows", {"tasks": [_task("a", workflow_id="w")]})
        head = await site.http.head("/workflows/w/graph")
        whole = await site.http.get("/workflows/w/graph")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.content))
        allowed = (await site.http.options("/workflows/w/graph")).headers["allow"]
        assert (
            allowed == (await site.http.post("/workflows/w/graph")).headers["allow"] == "GET, HEAD, OPTIONS"
        )
        assert (await site.http.head("/workflows/none/graph")).status_code == 404

    play(part, tmp_path)
