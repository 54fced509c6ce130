"""What became of one task, workflow or job, over a real socket."""

from propeller.core.states import COMPLETED
from tests.api.helpers import ADDITION_TEXT
from tests.api.test_api_events import following, play, run_job


def a_task(task_id, **fields):
    return {"id": task_id, "name": "f", "file": ADDITION_TEXT, "workflow_id": "w", **fields}


async def all_events(site, path, limit):
    found, after = [], 0
    while True:
        page = await site.get(f"{path}/events?after={after}&limit={limit}")
        found += page["events"]
        if not page["more"]:
            return found
        after = page["next"]


def test_the_events_of_a_task_are_those_of_the_stream_with_their_causes(tmp_path):
    async def part(site):
        site.bring_proplet()
        await site.post("/workflows", {"tasks": [a_task("a"), a_task("b", depends_on=["a"])]})
        async with following(site) as follower:
            await site.post("/workflows/w/start", status=200)
            await site.reached(COMPLETED, "a", "b")
            streamed = [await follower.event() for _ in range(6)]
        for task_id in ("a", "b"):
            page = await site.get(f"/tasks/{task_id}/events")
            of_it = [event | {"id": number} for number, event in streamed if event["task_id"] == task_id]
            assert page["events"] == of_it
            assert (page["first_id"], page["complete"], page["more"], page["next"]) == (1, True, False, 6)
        assert [event["attempt"] for event in of_it if event["state"] > 1] == [1, 1]
        proplet_id = of_it[-1]["proplet_id"]
        assert [event["cause"] for event in of_it] == [
            {"kind": "parent", "task_id": "a"},
            {"kind": "placement"},
            {"kind": "proplet", "proplet_id": proplet_id},
        ]

    play(part, tmp_path)


def test_a_workflow_or_job_has_the_events_of_its_tasks_page_by_page(tmp_path):
    async def part(site):
        site.bring_proplet()
        await site.post("/workflows", {"tasks": [a_task("a", inputs=[1]), a_task("b", depends_on=["a"])]})
        await site.post("/tasks", {"id": "alone", "name": "f", "file": ADDITION_TEXT})
        await run_job(site)
        await site.post("/tasks/alone/start", status=200)
        await site.reached(COMPLETED, "alone")
        of_job = await all_events(site, "/jobs/j", 7)
        assert [event["id"] for event in of_job] == sorted({event["id"] for event in of_job})
        assert len(of_job) == 60
        assert {event["job_id"] for event in of_job} == {"j"}
        assert (await site.get("/workflows/w/events"))["events"] == []
        assert (await site.get("/jobs/j/events?limit=1&after=0"))["more"]
        assert await site.get(f"/jobs/j/events?after={of_job[-1]['id']}") == {
            "events": [],
            "first_id": 1,
            "complete": True,
            "next": 63,
            "more": False,
        }

    play(part, tmp_path)


def test_unknown_ones_and_wrong_requests(tmp_path):
    async def part(site):
        site.bring_proplet()
        await run_job(site)
        for kind, path in (("task", "/tasks/none"), ("workflow", "/workflows/j"), ("job", "/jobs/t1")):
            name = path.split("/")[-1]
            assert f"no {kind} {name}" in await site.refused("GET", f"{path}/events", 404)
        assert "invalid after" in await site.refused("GET", "/tasks/t1/events?after=x", 400)
        assert "limit" in await site.refused("GET", "/tasks/t1/events?limit=101", 400)
        assert "offset" in await site.refused("GET", "/tasks/t1/events?offset=1", 400)

    play(part, tmp_path)


def test_a_deleted_task_has_none_and_a_new_one_of_its_id_not_its_past(tmp_path):
    async def part(site):
        site.bring_proplet()
        alone = {"id": "a", "name": "f", "file": ADDITION_TEXT}
        await site.post("/tasks", alone)
        await site.post("/tasks/a/start", status=200)
        await site.reached(COMPLETED, "a")
        assert len((await site.get("/tasks/a/events"))["events"]) == 3
        await site.refused("DELETE", "/tasks/b", 404)
        await site.http.request("DELETE", "/tasks/a")
        await site.refused("GET", "/tasks/a/events", 404)
        await site.post("/tasks", alone)
        assert (await site.get("/tasks/a/events"))["events"] == []

    play(part, tmp_path)
