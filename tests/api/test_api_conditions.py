"""Conditions over HTTP: given and read back, refused with the place of the mistake, and followed."""

from propeller.core.states import COMPLETED, FAILED, SKIPPED
from tests.api.helpers import ADDITION_TEXT, play


def a_task(task_id: str, *depends_on: str, **fields) -> dict:
    fields = {"inputs": [1], **fields}
    return {"id": task_id, "name": task_id, "file": ADDITION_TEXT, "depends_on": depends_on, **fields}


def test_a_workflow_branches_by_a_result_and_joins(tmp_path):
    async def part(site):
        site.bring_proplet()
        result = "results['sum'] == '1\\n'"
        tasks = [
            a_task("sum"),
            a_task("good", "sum", run_if=f"{result} && states['sum'] == 'completed'"),
            a_task("bad", "sum", run_if=f"!({result})"),
            a_task("join", "good", "bad", run_if="any_success"),
            a_task("odd", "sum", run_if="results['sum'] > 1"),
        ]
        created = (await site.post("/workflows", {"tasks": [{**one, "workflow_id": "w"} for one in tasks]}))[
            "tasks"
        ]
        assert [task.get("run_if") for task in created] == [task.get("run_if") for task in tasks]
        await site.post("/workflows/w/start", status=200)
        await site.reached(COMPLETED, "sum", "good", "join")
        await site.reached(SKIPPED, "bad")
        assert (await site.get("/tasks/bad"))["reason"] == f"its condition is not met: !({result})"
        odd = await site.reached(FAILED, "odd")
        odd = await site.get("/tasks/odd")
        assert odd["error_kind"] == "condition"
        assert odd["error"] == (
            "run_if: > can't compare a text with a number; the condition is: results['sum'] > 1"
        )
        refused = await site.refused("POST", "/tasks/bad/start", 409)
        assert "task bad can't be started: its condition is not met: " in refused
        refused = await site.refused("POST", "/tasks/odd/start", 409)
        assert f"task odd can't be started: {odd['error']}" in refused

    play(part, tmp_path)


def test_what_is_wrong_is_named_with_its_place(tmp_path):
    async def part(site):
        for run_if, why in (
            ("sucess", 'tasks[1].run_if: "sucess" is unknown; did you mean success?'),
            ("results.a == ", "tasks[1].run_if: it ends too early"),
            (
                "results.b == 1",
                "tasks[1].run_if: at character 8: 'b' is not one parent of task b; use one of a, ",
            ),
        ):
            body = {"tasks": [a_task("a"), a_task("b", "a", run_if=run_if)]}
            for path in ("/workflows", "/jobs"):
                assert why in await site.refused("POST", path, 400, json=body)

    play(part, tmp_path)


def test_an_update_is_checked_likewise(tmp_path):
    async def part(site):
        tasks = [a_task("a", name="first"), a_task("b", "a", run_if="states.first == 'failed'")]
        await site.post("/workflows", {"tasks": [{**one, "workflow_id": "w"} for one in tasks]})
        assert "'c' is not one parent" in await site.refused(
            "PUT", "/tasks/b", 400, json={"run_if": "results.c == 1"}
        )
        assert "did you mean always" in await site.refused("PUT", "/tasks/b", 400, json={"run_if": "allways"})
        renamed = await site.refused("PUT", "/tasks/a", 409, json={"name": "other"})
        assert "name: the run_if of task b goes by it" in renamed
        changed = await site.http.put("/tasks/b", json={"run_if": "results['a'] == null"})
        assert changed.json()["run_if"] == "results['a'] == null"
        assert (await site.http.put("/tasks/a", json={"name": "other"})).status_code == 200

    play(part, tmp_path)
