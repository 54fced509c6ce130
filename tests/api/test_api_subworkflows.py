"""Tasks that run workflows: created, read back, refused by their fields, and their workflows as any other."""

import msgspec

from propeller.core.events import PropletSeen
from propeller.core.sandbox import Offer
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED
from tests.api.helpers import ADDITION_TEXT, play


def _task(task_id, *parents, **fields):
    plain = {"id": task_id, "name": "main", "file": ADDITION_TEXT, "inputs": [1], "depends_on": parents}
    return plain | fields


def _runs(name, *tasks, inside=None, **fields):
    return {"id": name, "workflow": {"tasks": tasks, **(inside or {})}, **fields}


def test_a_workflow_runs_in_a_workflow(tmp_path):
    async def part(site):
        site.bring_proplet()
        inside = {
            "name": "load",
            "timeout": "5m",
            "max_parallel": 2,
            "defaults": {"retry": {"max_attempts": 2}},
        }
        tasks = [
            _task("a", workflow_id="g"),
            _runs(
                "t", _task("x"), _task("y", "x", inputs=[{"from": "x"}, 5]), inside=inside, depends_on=["a"]
            ),
            _task("b", "t", run_if="results['t']['y'] == '5\n'"),
        ]
        await site.post("/workflows", {"tasks": tasks})
        shown = await site.get("/tasks/t")
        assert shown["name"] == "load"
        assert {name: shown["workflow"][name] for name in ("name", "timeout", "max_parallel")} == {
            "name": "load",
            "timeout": "5m",
            "max_parallel": 2,
        }
        x, y = shown["workflow"]["tasks"]
        assert (x["id"], x["inputs"], y["depends_on"], y["inputs"]) == ("x", [1], ["x"], [{"from": "x"}, 5])
        assert (x["retry"]["max_attempts"], "file" in x, "state" in x) == (2, False, False)
        assert "runs_workflow" not in shown
        await site.post("/workflows/g/start", status=200)
        await site.reached(COMPLETED, "b")
        shown = await site.get("/tasks/t")
        assert (shown["results"], shown["runs_workflow"]) == ({"y": "5\n"}, "t.1")
        inner = await site.get("/workflows/t.1")
        assert (inner["run_for"], inner["name"], inner["state"]) == ("t", "load", COMPLETED)
        assert [task["id"] for task in inner["tasks"]] == ["x.t.1", "y.t.1"]
        assert (await site.get("/tasks/t/attempts"))["total"] == 1
        assert (await site.get("/tasks/t/executions"))["total"] == 0

    play(part, tmp_path)


def test_a_workflow_that_is_there_is_copied(tmp_path):
    async def part(site):
        site.bring_proplet()
        await site.post(
            "/workflows", {"name": "load", "tasks": [_task("x", workflow_id="w"), _task("y", "x")]}
        )
        task = await site.post("/tasks", {"id": "t", "workflow": {"id": "w"}})
        assert (task["name"], task["workflow"]["copy_of"], task["workflow"]["name"]) == ("t", "w", "load")
        await site.delete("/workflows/w")
        await site.post("/tasks/t/start", status=200)
        await site.reached(COMPLETED, "t")
        assert (await site.get("/tasks/t"))["results"] == {"y": "1\n"}
        said = await site.refused("POST", "/jobs", 400, json={"tasks": [{"workflow": {"id": "w"}}]})
        assert "tasks[0].workflow.id: there is no workflow w" in said

    play(part, tmp_path)


def test_a_task_inside_needs_no_id_and_a_failure_is_the_tasks(tmp_path):
    async def part(site):
        site.bring_proplet()
        site.is_slow = True
        tasks = [
            {"name": "f", "file": ADDITION_TEXT},
            {"name": "g", "file": ADDITION_TEXT, "depends_on": ["f"]},
        ]
        await site.post("/jobs", {"tasks": [_runs("t", *tasks, job_id="j")]})
        await site.post("/jobs/j/start", status=200)
        site.end(await site.started_one("task-1.t.1"), error="it broke")
        await site.reached(FAILED, "t")
        assert (await site.get("/tasks/t"))["error"] == "workflow t.1: task task-1: it broke"
        await site.post("/jobs/j/rerun", status=200)
        await site.started_one("task-1.t.2")
        await site.post("/tasks/t/stop", status=200)
        assert (await site.get("/workflows/t.2"))["state"] == INTERRUPTED

    play(part, tmp_path)


def test_what_is_wrong_inside_is_named(tmp_path):
    async def part(site):
        for task, said in (
            (_runs("t", _task("x", priority=101)), "tasks[0].workflow.tasks[0].priority: "),
            (_runs("t", _task("x", "n")), "tasks[0].workflow.tasks: dependency validation failed"),
            (_runs("t", _task("x", file="")), "tasks[0].workflow.tasks[0]: file: "),
            (_runs("t", _task("x", schedule="@daily")), "tasks[0].workflow.tasks[0].schedule: "),
            (_runs("t", _task("x", workflow_id="w")), "tasks[0].workflow.tasks[0].workflow_id: "),
            (_runs("t", _task("x"), _task("x")), "tasks[0].workflow.tasks[1].id: "),
            (
                _runs("t", _task("x"), file=ADDITION_TEXT),
                "tasks[0].file: a task that runs a workflow has none",
            ),
            (_runs("t", _task("x"), limits={"memory": 70_000_000}), "tasks[0].limits: "),
            (_runs("t", _task("x"), timeout="5s"), "tasks[0].timeout: "),
            (_runs("t", _task("x"), queue_timeout="5s"), "tasks[0].queue_timeout: "),
            (_runs("t"), "tasks[0].workflow.tasks: a workflow needs at least one task"),
            (_runs("t", _task("x"), inside={"max_parallel": 0}), "tasks[0].workflow.max_parallel: "),
            (_runs("t", _task("x"), inside={"id": "w"}), "tasks[0].workflow.tasks: workflow w is copied"),
            (_runs("t", _task("x"), inside={"fail_fats": True}), "did you mean fail_fast?"),
            (
                _runs("t", _runs("u", _task("x", name=""))),
                "tasks[0].workflow.tasks[0].workflow.tasks[0].name: ",
            ),
        ):
            site.bring_proplet()
            assert said in await site.refused("POST", "/workflows", 400, json={"tasks": [task]}), task
        many = [_task(f"x{number}") for number in range(5000)]
        said = await site.refused(
            "POST", "/workflows", 400, json={"tasks": [_runs("t", *many), _runs("u", *many)]}
        )
        assert "tasks[1].workflow.tasks: 10002 tasks are too many" in said

    play(part, tmp_path)


def test_calls_inside_are_looked_at(tmp_path):
    async def part(site):
        site.manager.tell(
            PropletSeen(proplet_id="p1", boot=1, slots=1, metadata={"offers": msgspec.to_builtins(Offer())})
        )
        await site.turned()
        body = {"tasks": [_runs("t", _task("x", name="no"))]}
        said = await site.refused("POST", "/workflows", 400, json=body)
        assert said.startswith("tasks[0].workflow.tasks[0].name: ")

    play(part, tmp_path)


def test_a_workflow_of_a_task_stays_as_it_is(tmp_path):
    async def part(site):
        task = await site.post("/tasks", _runs("t", _task("x")))
        same = await site.put("/tasks/t", {"workflow": task["workflow"], "name": "new"})
        assert same["name"] == "new"
        await site.put("/tasks/t", task)
        task["workflow"]["fail_fast"] = True
        assert "workflow: it can't be changed" in await site.refused("PUT", "/tasks/t", 400, json=task)
        said = await site.refused("PUT", "/tasks/t", 400, json={"env": {"a": "b"}})
        assert "env: a task that runs a workflow has none" in said

    play(part, tmp_path)
