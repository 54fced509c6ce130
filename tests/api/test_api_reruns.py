"""``POST …/rerun`` and ``/clone``: parts of a workflow or job run again, or it is made once more."""

from propeller.core.states import COMPLETED, FAILED, PENDING, RUNNING, SKIPPED
from propeller.errors import Unavailable
from tests.api.helpers import ADDITION_TEXT, play


def _task(name, *parents, **fields):
    return {"id": name, "name": "f", "file": ADDITION_TEXT, "inputs": [1], "depends_on": parents, **fields}


async def _with_a_failure(site, kind):
    """Make one of which ``b`` failed, so that ``c`` was skipped."""
    site.bring_proplet()
    site.is_slow = True
    group = {"workflows": "workflow_id", "jobs": "job_id"}[kind]
    tasks = [_task("a", **{group: "g"}), _task("b", "a"), _task("c", "b")]
    await site.post(f"/{kind}", {"tasks": tasks})
    await site.post(f"/{kind}/g/start", status=200)
    site.end(await site.started_one("a"), "kept")
    site.end(await site.started_one("b"), error="it broke")
    await site.reached(FAILED, "b")
    await site.reached(SKIPPED, "c")


def test_a_rerun_without_a_body_runs_what_did_not_complete(tmp_path):
    async def part(site):
        await _with_a_failure(site, "workflows")
        answer = await site.post("/workflows/g/rerun", status=200)
        assert answer == {"workflow_id": "g", "message": "workflow started again"}
        refused = await site.refused("POST", "/workflows/g/rerun", 409)
        assert "workflow g has not ended: task b is running; wait for its end, or stop it first" in refused
        site.end(await site.started_one("b"), "now")
        site.end(await site.started_one("c"), "then")
        await site.reached(COMPLETED, "c")
        shown = await site.get("/workflows/g")
        assert [(task["results"], task.get("attempt")) for task in shown["tasks"]] == [
            ("kept", None),
            ("now", 2),
            ("then", None),
        ]
        assert shown["state"] == COMPLETED

    play(part, tmp_path)


def test_a_job_is_run_again_from_a_task_or_as_a_whole(tmp_path):
    async def part(site):
        await _with_a_failure(site, "jobs")
        for number, body in enumerate(({"from": "a"}, {"what": "failed"}, {"what": "all"}), start=2):
            answer = await site.post("/jobs/g/rerun", body, status=200)
            assert answer == {"job_id": "g", "message": "job started again"}
            assert [task["state"] for task in (await site.get("/jobs/g"))["tasks"]] == [
                RUNNING,
                PENDING,
                PENDING,
            ]
            assert (await site.get("/tasks/a"))["attempt"] == number
            await site.post("/jobs/g/stop", status=200)

    play(part, tmp_path)


def test_wrong_reruns_are_refused(tmp_path):
    async def part(site):
        await _with_a_failure(site, "workflows")
        for body, said in (
            ({"what": "all", "from": "a"}, "what, from: both are given; leave one of them out"),
            ({}, "what, from: say which tasks are to run again"),
            ({"what": "faild"}, 'what: "faild" is unknown; use failed or all, or name a task in from'),
            ({"from": "nobody"}, "from: nobody: workflow g has no such task"),
            ({"form": "a"}, "form: there is no such field; did you mean from?"),
        ):
            assert said in await site.refused("POST", "/workflows/g/rerun", 400, json=body), body
        assert "would be skipped" in await site.refused("POST", "/workflows/g/rerun", 409, json={"from": "c"})
        await site.refused("POST", "/jobs/g/rerun", 404, json={"what": "all"})

    play(part, tmp_path)


def test_a_workflow_is_cloned(tmp_path):
    async def part(site):
        await _with_a_failure(site, "workflows")
        made = await site.post("/workflows/g/clone")
        assert list(made) == ["tasks"]
        (a, b, c) = made["tasks"]
        assert [task["state"] for task in made["tasks"]] == [PENDING] * 3
        assert (b["depends_on"], c["depends_on"]) == ([a["id"]], [b["id"]])
        assert a["file"] == ADDITION_TEXT
        new_id = a["workflow_id"]
        assert (await site.get(f"/workflows/{new_id}"))["tasks"] == made["tasks"]
        named = await site.post(f"/workflows/{new_id}/clone?file=false", {"name": "once more"})
        shown = await site.get(f"/workflows/{named['tasks'][0]['workflow_id']}?tasks=false")
        assert shown["name"] == "once more"
        assert "file" not in named["tasks"][0]
        await site.refused("POST", "/workflows/none/clone", 404)
        refused = await site.refused("POST", "/workflows/g/clone", 400, json={"nme": "x"})
        assert "nme: there is no such field; did you mean name?" in refused

    play(part, tmp_path)


def test_a_job_is_cloned(tmp_path):
    async def part(site):
        tasks = [{"name": "f", "file": ADDITION_TEXT}]
        given = {"tasks": tasks, "name": "sums", "execution_mode": "parallel", "labels": {"team": "ops"}}
        first = await site.post("/jobs", given)
        response = await site.http.post(f"/jobs/{first['job_id']}/clone")
        made = response.json()
        assert (response.status_code, response.headers["location"]) == (201, f"/jobs/{made['job_id']}")
        assert list(made) == list(first)
        for field in ("name", "execution_mode", "labels"):
            assert made[field] == first[field]
        assert made["job_id"] != first["job_id"]

    play(part, tmp_path)


def test_what_was_done_and_cannot_be_shown_is_not_to_be_asked_for_again(tmp_path, monkeypatch):
    """The database has gone away between the commit and the answer; 503 would say that nothing was done."""

    async def part(site):
        await site.post("/workflows", {"tasks": [_task("a", workflow_id="g")]})
        real, asked = site.manager.store.group, []

        async def away(*args, **more):
            asked.append(args)
            if len(asked) == 1:
                raise Unavailable("the database can't be used now: it does not answer; ask again later")
            return await real(*args, **more)

        monkeypatch.setattr(site.manager.store, "group", away)
        said = await site.refused("POST", "/workflows/g/clone", 502)
        assert said.startswith("this was done, and what came of it can't be read")
        assert (await site.get("/workflows"))["total"] == 2
        asked.clear()
        assert "ask again later" in await site.refused("GET", "/workflows/g", 503)

    play(part, tmp_path)
