"""Jobs and workflows."""

from propeller.api import queries
from propeller.core.states import COMPLETED, SKIPPED
from tests.api.helpers import ADDITION_TEXT, ids, play

NO_COUNTS = dict.fromkeys("pending scheduled running completed failed skipped interrupted".split(), 0)


def test_jobs_are_listed_newest_first(tmp_path):
    async def part(site):
        assert await site.get("/jobs") == {"offset": 0, "limit": 100, "total": 0, "jobs": []}
        for name in ("one", "two", "three"):
            tasks = [{"id": f"{name}-{n}", "name": "f", "job_id": name} for n in range(2)]
            response = await site.http.post("/jobs", json={"name": f"the {name}", "tasks": tasks})
            assert list(response.json()) == ["job_id", "tasks", "name", "execution_mode"]
            assert response.json()["execution_mode"] == "configurable", "the manager's default"
            assert response.headers["location"] == f"/jobs/{name}"
        page = await site.get("/jobs?offset=1&limit=1000")
        assert (page["total"], ids(page["jobs"], "job_id")) == (3, ["two", "one"])
        assert list(page["jobs"][0]) == (
            "job_id name state tasks start_time finish_time created_at execution_mode fail_fast counts".split()
        )
        assert ids(page["jobs"][0]["tasks"]) == ["two-0", "two-1"]
        assert (await site.get("/jobs?limit=0"))["jobs"] == []
        bare = (await site.get("/jobs?tasks=false&limit=1"))["jobs"][0]
        assert list(bare) == (
            "job_id name state start_time finish_time created_at execution_mode fail_fast counts".split()
        )
        assert await site.get("/jobs/three?tasks=false") == bare
        assert bare["counts"] == NO_COUNTS | {"pending": 2}
        shown = await site.get("/jobs/three")
        assert list(shown) == ["job_id", "tasks", "name", "execution_mode"]
        assert (shown["name"], shown["execution_mode"]) == ("the three", "configurable")
        await site.refused("GET", "/jobs/four?tasks=false", 404)

    play(part, tmp_path)


def test_a_list_of_jobs_leaves_out_the_tasks_of_one_that_has_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(queries, "TASKS_IN_LIST_MAX", 4)

    async def part(site):
        for name, count in (("few", 2), ("many", 3), ("two", 2)):
            tasks = [{"id": f"{name}-{n}", "name": "f", "job_id": name} for n in range(count)]
            await site.post("/jobs", {"tasks": tasks})
        jobs = (await site.get("/jobs"))["jobs"]
        assert [len(job["tasks"]) if "tasks" in job else None for job in jobs] == [2, None, 2]
        assert [job["counts"]["pending"] for job in jobs] == [2, 3, 2]
        assert len((await site.get("/jobs/many"))["tasks"]) == 3

    play(part, tmp_path)


def test_jobs_are_found_by_status(tmp_path):
    async def part(site):
        site.bring_proplet()
        for name in ("ended", "waiting"):
            task = {"id": name, "name": "f", "job_id": name, "file": ADDITION_TEXT, "inputs": [1]}
            await site.post("/jobs", {"tasks": [task]})
        await site.post("/jobs/ended/start", status=200)
        await site.reached(COMPLETED, "ended")
        for status, expected in {
            "completed": ["ended"],
            "pending": ["waiting"],
            "running": [],
            "failed": [],
            "interrupted": [],
        }.items():
            page = await site.get(f"/jobs?status={status}")
            assert ids(page["jobs"], "job_id") == expected
            assert page["total"] == len(expected)
        shown = (await site.get("/jobs?status=completed"))["jobs"][0]
        assert "name" not in shown
        assert shown["state"] == 3
        assert shown["start_time"] == shown["tasks"][0]["start_time"]
        assert shown["finish_time"] == shown["tasks"][0]["finish_time"]

    play(part, tmp_path)


def test_a_job_is_started_stopped_and_deleted(tmp_path):
    async def part(site):
        tasks = [{"id": f"t{n}", "name": "f", "job_id": "j", "file": ADDITION_TEXT} for n in range(3)]
        await site.post("/jobs", {"tasks": tasks})
        assert await site.post("/jobs/j/start", status=200) == {"job_id": "j", "message": "job started"}
        await site.refused("POST", "/jobs/j/start", 409)
        assert await site.post("/jobs/j/stop", status=200) == {"job_id": "j", "message": "job stopped"}
        assert [shown["state"] for shown in (await site.get("/jobs/j"))["tasks"]] == [6, 6, 6]
        await site.delete("/jobs/j")
        for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/start"), ("POST", "/stop")]:
            assert await site.refused(method, f"/jobs/j{path}", 404) == "not found: there is no job j"
        assert (await site.get("/tasks"))["total"] == 0

    play(part, tmp_path)


def test_a_job_of_ten_thousand_with_the_same_module(tmp_path):
    async def part(site):
        tasks = [{"name": "f", "file": ADDITION_TEXT, "inputs": [n]} for n in range(10_000)]
        created = await site.post("/jobs", {"tasks": tasks, "execution_mode": "parallel"})
        assert [shown["inputs"] for shown in created["tasks"]] == [[n] for n in range(10_000)]
        assert len(set(ids(created["tasks"]))) == 10_000
        assert await site.get(f"/jobs/{created['job_id']}") == created

    play(part, tmp_path)


def test_a_workflow_shows_its_graph_and_counts(tmp_path):
    async def part(site):
        site.bring_proplet()
        body = {
            "name": "nightly",
            "tasks": [
                {"id": "a", "name": "f", "file": ADDITION_TEXT, "inputs": [1], "workflow_id": "w"},
                {"id": "b", "name": "g", "file": ADDITION_TEXT, "inputs": [2], "depends_on": ["f"]},
                {
                    "id": "c",
                    "name": "h",
                    "file": ADDITION_TEXT,
                    "depends_on": ["a", "b"],
                    "run_if": "failure",
                },
            ],
        }
        assert list(await site.post("/workflows", body)) == ["tasks"]
        shown = await site.get("/workflows/w")
        keys = "workflow_id name state counts start_time finish_time created_at"
        assert list(shown) == [*keys.split(), "tasks", "edges"]
        bare = await site.get("/workflows/w?tasks=false")
        assert (
            bare
            == {key: shown[key] for key in keys.split()}
            == (await site.get("/workflows"))["workflows"][0]
        )
        assert shown["counts"] == NO_COUNTS | {"pending": 3}
        assert shown["edges"] == [
            {"from": "a", "to": "b"},
            {"from": "a", "to": "c"},
            {"from": "b", "to": "c"},
        ]
        assert ids(shown["tasks"]) == ["a", "b", "c"]

        started = await site.post("/workflows/w/start", status=200)
        assert started == {"workflow_id": "w", "message": "workflow started"}
        await site.reached(COMPLETED, "a", "b")
        await site.reached(SKIPPED, "c")
        page = await site.get("/workflows?status=completed")
        assert page["total"] == 1
        assert list(page["workflows"][0]) == keys.split()
        assert page["workflows"][0]["counts"] == NO_COUNTS | {"completed": 2, "skipped": 1}
        ended = await site.get("/workflows/w")
        assert {key: ended[key] for key in keys.split()} == page["workflows"][0]
        assert ended["tasks"][2]["reason"] == "run_if is failure, and none of its parents failed"
        assert "attempt" not in ended["tasks"][0]

        stopped = await site.post("/workflows/w/stop", status=200)
        assert stopped == {"workflow_id": "w", "message": "workflow stopped"}
        assert await site.get("/workflows/w") == ended
        await site.post("/workflows/w/start", status=200)
        await site.delete("/workflows/w")
        await site.refused("GET", "/workflows/w", 404)

    play(part, tmp_path)


def test_a_workflow_is_stopped(tmp_path):
    async def part(site):
        await site.post("/workflows", {"tasks": [{"id": "a", "name": "f", "workflow_id": "w"}]})
        stopped = await site.post("/workflows/w/stop", status=200)
        assert stopped == {"workflow_id": "w", "message": "workflow stopped"}
        (shown,) = (await site.get("/workflows?status=interrupted"))["workflows"]
        assert (shown["counts"], shown["state"]) == (NO_COUNTS | {"interrupted": 1}, 6)
        assert (await site.get("/workflows?status=failed"))["workflows"] == []

    play(part, tmp_path)


def test_a_job_is_no_workflow(tmp_path):
    async def part(site):
        await site.post("/jobs", {"tasks": [{"name": "f", "job_id": "j", "workflow_id": "ignored"}]})
        await site.post("/workflows", {"tasks": [{"name": "f", "workflow_id": "w", "job_id": "ignored"}]})
        assert "workflow_id" not in (await site.get("/jobs/j"))["tasks"][0]
        assert "job_id" not in (await site.get("/workflows/w"))["tasks"][0]
        await site.refused("GET", "/workflows/j", 404)
        await site.refused("GET", "/jobs/w", 404)
        await site.refused("POST", "/workflows", 409, json={"tasks": [{"name": "f", "workflow_id": "w"}]})

    play(part, tmp_path)


def test_a_job_is_fail_fast_unless_it_says_otherwise(tmp_path):
    async def part(site):
        tasks = [{"name": "main", "file": ADDITION_TEXT}]
        for fields, expected in (({}, True), ({"fail_fast": True}, True), ({"fail_fast": False}, False)):
            await site.post("/jobs", {"tasks": tasks, **fields})
            shown = (await site.get("/jobs?tasks=false&limit=1"))["jobs"][0]
            assert (shown["fail_fast"], shown["execution_mode"]) == (expected, "configurable")
        job = {"tasks": tasks, "execution_mode": "sequential", "fail_fast": False}
        assert "fail_fast: a sequential job stops" in await site.refused("POST", "/jobs", 400, json=job)
        job = {"tasks": tasks, "fail_fast": "no"}
        assert "fail_fast: expected boolean" in await site.refused("POST", "/jobs", 400, json=job)

    play(part, tmp_path)
