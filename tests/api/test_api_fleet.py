"""Proplets out of service, tasks that ask for tags or for all proplets, and how they fared."""

from propeller.core.states import TaskState
from tests.api.helpers import ADDITION_TEXT, play


async def a_proplet(site, name="p"):
    site.bring_proplet(name)
    await site.turned()


def test_a_proplet_is_taken_out_of_service_and_put_back(tmp_path):
    async def part(site):
        await a_proplet(site)
        assert "cordoned" not in await site.get("/proplets/p")
        assert (await site.post("/proplets/p/cordon", status=200))["cordoned"] is True
        assert (await site.get("/proplets"))["proplets"][0]["cordoned"] is True
        assert "cordoned" not in await site.post("/proplets/p/uncordon", status=200)
        drained = await site.post("/proplets/p/drain", status=200)
        assert (drained["cordoned"], "drain_by" in drained) == (True, False)
        limited = await site.post("/proplets/p/drain?timeout=1m30s", status=200)
        assert limited["drain_by"] > limited["last_alive_at"]
        assert "drain_by" not in await site.post("/proplets/p/uncordon", status=200)

    play(part, tmp_path)


def test_what_can_not_be_taken_out_of_service(tmp_path):
    async def part(site):
        await a_proplet(site)
        for verb in ("cordon", "uncordon", "drain"):
            assert (await site.http.post(f"/proplets/nobody/{verb}")).status_code == 404
        for wrong in ("soon", "-1", "1x", "9145439999", "9000h"):
            answer = await site.http.post(f"/proplets/p/drain?timeout={wrong}")
            assert (answer.status_code, "timeout" in answer.json()["error"]) == (400, True)

    play(part, tmp_path)


def test_required_tags_are_kept_in_order_and_once(tmp_path):
    async def part(site):
        new = {"name": "main", "file": ADDITION_TEXT, "required_tags": ["gpu", "edge", "gpu"]}
        task = await site.post("/tasks", new)
        assert task["required_tags"] == ["edge", "gpu"]
        assert (await site.get(f"/tasks/{task['id']}"))["required_tags"] == ["edge", "gpu"]
        await site.post(f"/tasks/{task['id']}/start", status=200)
        waiting = await site.get(f"/tasks/{task['id']}")
        assert waiting["reason"].startswith("waits for a proplet with the tags edge, gpu")

    play(part, tmp_path)


def test_tags_that_are_none(tmp_path):
    async def part(site):
        for wrong, words in (([""], "an empty tag"), (["t"] * 33, "too many"), ("gpu", "required_tags")):
            answer = await site.http.post("/tasks", json={"name": "main", "required_tags": wrong})
            assert answer.status_code == 400
            assert words in answer.json()["error"]

    play(part, tmp_path)


def test_the_reason_why_a_task_waits_is_that_of_now(tmp_path):
    async def part(site):
        grants = {"http": ["example.com"]}
        task = await site.post("/tasks", {"name": "main", "file": ADDITION_TEXT, "grants": grants})
        path = f"/tasks/{task['id']}"
        await site.post(f"{path}/start", status=200)
        assert (await site.get(path))["reason"] == "waits for a proplet: none is alive"
        await a_proplet(site)
        (listed,) = (await site.get("/tasks"))["tasks"]
        assert (await site.get(path))["reason"] == listed["reason"]
        assert "waits for a proplet that takes it" in listed["reason"]

    play(part, tmp_path)


def test_executions_of_a_task_that_runs_in_one_place(tmp_path):
    async def part(site):
        task = await site.post("/tasks", {"name": "main", "file": ADDITION_TEXT})
        path = f"/tasks/{task['id']}/executions"
        assert await site.get(path) == {"total": 0, "executions": []}
        await a_proplet(site)
        await site.post(f"/tasks/{task['id']}/start", status=200)
        await site.reached(TaskState.COMPLETED, task["id"])
        (one,) = (await site.get(path))["executions"]
        assert (one["proplet_id"], one["attempt"], one["state"]) == ("p", 1, 3)
        assert (await site.http.get("/tasks/nobody/executions")).status_code == 404

    play(part, tmp_path)


def test_executions_of_a_broadcast(tmp_path):
    async def part(site):
        for name in ("p", "q"):
            await a_proplet(site, name)
        task = await site.post("/tasks", {"name": "main", "file": ADDITION_TEXT, "broadcast": True})
        await site.post(f"/tasks/{task['id']}/start", status=200)
        await site.reached(TaskState.COMPLETED, task["id"])
        found = await site.get(f"/tasks/{task['id']}/executions")
        assert found["total"] == 2
        assert [(one["proplet_id"], one["state"]) for one in found["executions"]] == [("p", 3), ("q", 3)]
        assert "proplet_id" not in await site.get(f"/tasks/{task['id']}")

    play(part, tmp_path)
