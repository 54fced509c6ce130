import base64
import json
import logging
from hashlib import sha256
from urllib.parse import quote

from msgspec import Raw

from propeller.core.failures import ErrorKind
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, RUNNING
from propeller.wire.http.events import event_view
from propeller.wire.http.schema import encode
from tests.api.helpers import ADDITION, ADDITION_TEXT, ids, play

ALL_FIELDS = {
    "id": "t-1",
    "name": "main",
    "kind": "federated",
    "image_url": "docker.io/x",
    "file": ADDITION_TEXT,
    "cli_args": ["-v"],
    "inputs": [1, 2.5, "x"],
    "env": {"A": "b"},
    "daemon": True,
    "latent": True,
    "encrypted": False,
    "kbs_resource_path": "k",
    "proplet_id": "p-1",
    "run_if": "success",
    "workflow_id": "w-1",
    "monitoring_profile": {"enabled": True},
    "mode": "infer",
    "timezone": "UTC",
    "priority": 7,
    "metadata": {"team": "ops", "deep": {"n": [1, None]}},
    "hal_storage_path": "/h",
}


def test_every_field_comes_back_in_order_and_survives(tmp_path):
    async def part(site):
        created = await site.post("/tasks", ALL_FIELDS)
        order = (
            "id name kind state image_url file cli_args inputs env daemon latent encrypted kbs_resource_path "
            "proplet_id run_if workflow_id monitoring_profile start_time finish_time created_at updated_at mode "
            "next_run timezone priority metadata hal_storage_path pinned_to"
        )
        assert list(created) == order.split()
        assert {key: created[key] for key in ALL_FIELDS} == ALL_FIELDS
        assert json.dumps(await site.get("/tasks/t-1")) == json.dumps(created)

    play(part, tmp_path)


def test_a_plain_task_gets_the_defaults(tmp_path):
    async def part(site):
        response = await site.http.post(
            "/tasks", json={"name": "sum", "inputs": [7, None], "state": 3, "error": "x"}
        )
        created = response.json()
        assert response.headers["location"] == f"/tasks/{created['id']}"
        order = (
            "id name kind state cli_args inputs daemon encrypted start_time finish_time created_at updated_at"
        )
        assert list(created) == [*order.split(), "next_run", "priority"]
        assert (created["kind"], created["priority"], created["state"]) == ("standard", 50, 0)
        assert created["inputs"] == [7, ""]
        assert created["cli_args"] is None

    play(part, tmp_path)


def test_ids_may_be_any_text_that_fits_in_a_path(tmp_path):
    async def part(site):
        for name in ["a b", "ünï-€", "50%", "a?b#c", "%2e", "...", '"', "x" * 255]:
            response = await site.http.post("/tasks", json={"id": name, "name": "f"})
            assert response.status_code == 201, response.text
            assert response.headers["location"] == f"/tasks/{quote(name, safe='')}"
            assert (await site.get(response.headers["location"]))["id"] == name
            assert (await site.get(f"/tasks/{quote(name, safe='')}/"))["id"] == name

    play(part, tmp_path)


def test_an_id_is_used_once(tmp_path):
    async def part(site):
        await site.post("/tasks", {"id": "a", "name": "f"})
        assert "a" in await site.refused("POST", "/tasks", 409, json={"id": "a", "name": "f"})

    play(part, tmp_path)


def test_tasks_join_workflows_and_jobs(tmp_path):
    async def part(site):
        await site.post("/workflows", {"tasks": [{"id": "a", "name": "f", "workflow_id": "w"}]})
        joined = await site.post("/tasks", {"name": "g", "workflow_id": "w", "depends_on": ["a"]})
        assert (joined["workflow_id"], joined["depends_on"]) == ("w", ["a"])
        assert (await site.get("/workflows/w"))["counts"]["pending"] == 2
        await site.post("/jobs", {"tasks": [{"name": "f", "job_id": "j"}]})
        assert (await site.post("/tasks", {"name": "g", "job_id": "j"}))["job_id"] == "j"
        missing = await site.refused("POST", "/tasks", 404, json={"name": "g", "job_id": "none"})
        assert missing == "not found: there is no job none"
        both = {"name": "g", "job_id": "j", "workflow_id": "w"}
        assert await site.refused("POST", "/tasks", 400, json=both)
        lonely = {"name": "g", "depends_on": ["a"]}
        message = await site.refused("POST", "/tasks", 400, json=lonely)
        assert message == "workflow_id is required when depends_on is specified"

    play(part, tmp_path)


def test_pages_and_filters(tmp_path):
    async def part(site):
        assert await site.get("/tasks") == {"offset": 0, "limit": 100, "total": 0, "tasks": []}
        for n in range(5):
            metadata = {"team": "ops" if n % 2 else "dev", "n": n, "flag": n == 4}
            await site.post("/tasks", {"id": f"t{n}", "name": "f", "metadata": metadata})
        await site.post("/jobs", {"tasks": [{"id": "in-job", "name": "f", "job_id": "j"}]})
        page = await site.get("/tasks?offset=1&limit=2&limit=9")
        assert list(page) == ["offset", "limit", "total", "tasks"]
        assert (page["offset"], page["limit"], page["total"], ids(page["tasks"])) == (1, 2, 6, ["t1", "t2"])
        assert (await site.get("/tasks?offset=9223372036854775807"))["tasks"] == []
        for query, expected in {
            "metadata[team]=ops": ["t1", "t3"],
            "metadata[team]=ops&metadata[n]=3": ["t3"],
            'metadata={"team":"ops"}': ["t1", "t3"],
            'metadata={"n":3}': ["t3"],
            'metadata={"n":"3"}': ["t3"],
            "metadata[flag]=true": ["t4"],
            "metadata[none]=x": [],
            "metadata[team]=%00": [],
            "metadata=null&job_id=j": ["in-job"],
            "job_id=none": [],
            "workflow_id=none": [],
        }.items():
            assert ids((await site.get(f"/tasks?{query}"))["tasks"]) == expected, query

    play(part, tmp_path)


def test_an_update_changes_what_is_given_and_nothing_else(tmp_path):
    async def part(site):
        before = await site.post("/tasks", ALL_FIELDS)
        same = {"id": "t-1", "name": "", "priority": 0, "start_time": "0001-01-01T00:00:00Z", "env": None}
        after = await site.put("/tasks/t-1", same)
        assert after["updated_at"] > before["created_at"]
        assert after | {"updated_at": before["updated_at"]} == before

        changes = {
            "name": "g",
            "daemon": False,
            "latent": False,
            "encrypted": False,
            "inputs": [],
            "env": {"C": "d"},
            "metadata": {"x": 1},
            "proplet_id": "",
            "priority": 9,
            "run_if": "failure",
            "cli_args": [],
        }
        changed = await site.put("/tasks/t-1", changes)
        gone = {"latent", "inputs", "proplet_id", "pinned_to"}
        expected = {**after, **changes, "updated_at": changed["updated_at"]}
        assert changed == {key: value for key, value in expected.items() if key not in gone}
        assert await site.get("/tasks/t-1") == changed
        await site.refused("PUT", "/tasks/none", 404, json={"name": "g"})
        message = await site.refused("PUT", "/tasks/t-1?file=maybe", 400, json={"name": "h"})
        assert "maybe" in message
        assert (await site.get("/tasks/t-1"))["name"] == "g"

    play(part, tmp_path)


def test_a_broadcast_task_is_not_pinned_by_an_update_either(tmp_path):
    async def part(site):
        await site.post("/tasks", {"id": "pinned", "name": "f", "proplet_id": "p"})
        await site.post("/tasks", {"id": "everywhere", "name": "f", "broadcast": True})
        await site.refused("PUT", "/tasks/pinned", 400, json={"broadcast": True})
        await site.refused("PUT", "/tasks/everywhere", 400, json={"proplet_id": "p"})
        await site.put("/tasks/pinned", {"broadcast": True, "proplet_id": ""})

    play(part, tmp_path)


def test_start_stop_results_delete(tmp_path):
    async def part(site):
        site.bring_proplet()
        await site.post("/tasks", {"id": "a", "name": "main", "inputs": [1, 2], "file": ADDITION_TEXT})
        assert await site.get("/tasks/a/results") == {"results": None}
        assert await site.post("/tasks/a/start", status=200) == {"started": True}
        await site.reached(COMPLETED, "a")
        assert await site.get("/tasks/a/results") == {"results": "3\n"}
        ended = await site.get("/tasks/a")
        assert await site.post("/tasks/a/stop", status=200) == {"stopped": True}
        assert await site.get("/tasks/a") == ended

        site.is_slow = True
        await site.post("/tasks/a/start", status=200)
        await site.reached(RUNNING, "a")
        await site.refused("PUT", "/tasks/a", 409, json={"name": "g"})
        assert await site.post("/tasks/a/stop", status=200) == {"stopped": True}
        await site.reached(INTERRUPTED, "a")
        shown = await site.get("/tasks/a")
        assert (shown["state"], shown["attempt"], shown["reason"]) == (6, 2, "stopped by a user")
        assert list(shown)[-2:] == ["reason", "attempt"]
        await site.delete("/tasks/a")
        for method, path in [
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/start"),
            ("POST", "/stop"),
            ("GET", "/results"),
        ]:
            assert await site.refused(method, f"/tasks/a{path}", 404) == "not found: there is no task a"

    play(part, tmp_path)


def test_failures_are_shown(tmp_path):
    async def part(site):
        site.bring_proplet()
        site.is_slow = True
        await site.post("/tasks", {"id": "a", "name": "main", "file": ADDITION_TEXT})
        await site.post("/tasks/a/start", status=200)
        await site.reached(RUNNING, "a")
        site.end(site.started[0], results={"x": [1]}, error="it trapped", kind=ErrorKind.TRAP)
        await site.reached(FAILED, "a")
        shown = await site.get("/tasks/a")
        assert (shown["state"], shown["error"], shown["results"]) == (4, "it trapped", {"x": [1]})
        (execution,) = (await site.get("/tasks/a/executions"))["executions"]
        assert [answer["error_kind"] for answer in (shown, execution)] == ["trap"] * 2
        assert ["exit_code" in answer for answer in (shown, execution)] == [False] * 2
        await site.post("/tasks", {"id": "b", "name": "main", "file": ADDITION_TEXT})
        await site.post("/tasks/b/start", status=200)
        await site.reached(RUNNING, "b")
        site.end(site.started[1], error="it exited with code 3", kind=ErrorKind.EXIT_CODE, exit_code=3)
        await site.reached(FAILED, "b")
        shown = await site.get("/tasks/b")
        (execution,) = (await site.get("/tasks/b/executions"))["executions"]
        assert [answer["exit_code"] for answer in (shown, execution)] == [3] * 2

    play(part, tmp_path)


def test_modules_come_back_whole(tmp_path):
    small = b"\x00asm" + bytes(64 * 1024 - 4)
    large = b"\x00asm" + bytes(64 * 1024 - 3)

    async def part(site):
        await site.post("/tasks", {"id": "a", "name": "f"})
        await site.refused("GET", "/tasks/a/file", 404)
        uploaded = await site.upload("a", small)
        assert uploaded["file"] == base64.b64encode(small).decode()
        uploaded = await site.upload("a", large)
        assert list(uploaded)[4:7] == ["file_digest", "file_size", "cli_args"]
        assert uploaded["file_digest"] == f"sha256:{sha256(large).hexdigest()}"
        assert uploaded["file_size"] == len(large)
        response = await site.http.get("/tasks/a/file")
        assert response.headers["content-type"] == "application/wasm"
        assert response.content == large
        await site.upload("none", status=404)

    play(part, tmp_path)


def test_any_answer_can_leave_modules_out(tmp_path):
    async def part(site):
        new = {"id": "a", "name": "f", "file": ADDITION_TEXT}
        files = {"file": ("a.wasm", ADDITION)}
        answers = [
            await site.post("/tasks?file=false", new),
            await site.get("/tasks/a?file=false"),
            *(await site.get("/tasks?file=false"))["tasks"],
            await site.put("/tasks/a?file=false", {"file": ADDITION_TEXT}),
            (await site.http.put("/tasks/a/upload?file=false", files=files)).json(),
            *(await site.post("/jobs?file=false", {"tasks": [new | {"id": "b", "job_id": "j"}]}))["tasks"],
            *(await site.get("/jobs/j?file=false"))["tasks"],
            *(await site.get("/jobs?file=false"))["jobs"][0]["tasks"],
            *(await site.post("/workflows?file=false", {"tasks": [new | {"id": "c", "workflow_id": "w"}]}))[
                "tasks"
            ],
            *(await site.get("/workflows/w?file=false"))["tasks"],
        ]
        assert len(answers) == 10
        assert not any(key.startswith("file") for shown in answers for key in shown)
        assert (await site.get("/tasks/a"))["file"] == ADDITION_TEXT

    play(part, tmp_path)


def test_results_that_are_no_text_come_whole(tmp_path):
    png = b"\x89PNG\r\n\x1a\n\0\xff"
    wanted = {"results": base64.b64encode(png).decode(), "results_encoding": "base64"}
    raw = {"accept": "application/octet-stream"}

    async def part(site):
        site.bring_proplet()
        site.is_slow = True
        for task_id in ("a", "b"):
            await site.post("/tasks", {"id": task_id, "name": "main", "file": ADDITION_TEXT})
            await site.post(f"/tasks/{task_id}/start", status=200)
            await site.reached(RUNNING, task_id)
        assert await site.refused("GET", "/tasks/a/results", 404, headers=raw)
        site.end(site.started[0], results=png)
        site.end(site.started[1], results="3\n")
        await site.reached(COMPLETED, "a", "b")

    play(part, tmp_path)

    async def after_a_restart(site):
        assert await site.get("/tasks/a/results") == wanted
        assert (await site.get("/tasks/a")).items() >= wanted.items()
        assert (await site.get("/tasks/a/executions"))["executions"][0].items() >= wanted.items()
        (event,) = [
            event_view(found)
            for _, found in await site.manager.store.events(0, 100)
            if (found.task_id, found.state) == ("a", COMPLETED)
        ]
        assert (event.results, event.results_encoding) == (Raw(encode(wanted["results"])), "base64")
        got = await site.http.get("/tasks/a/results", headers=raw)
        assert (got.content, got.headers["content-type"]) == (png, "application/octet-stream")
        text = await site.http.get(
            "/tasks/b/results", headers={"accept": "text/html, application/octet-stream;q=1"}
        )
        assert text.content == b"3\n"
        assert await site.get("/tasks/b/results") == {"results": "3\n"}

    play(after_a_restart, tmp_path)


def test_standard_input_is_checked_and_shown(tmp_path):
    async def part(site):
        site.bring_proplet()
        for given, shown in [
            ({"stdin": "ü\n"}, {"stdin": "ü\n"}),
            ({"stdin": "iVA=", "stdin_encoding": "base64"}, {"stdin": "iVA=", "stdin_encoding": "base64"}),
            ({"stdin": ""}, {}),
        ]:
            made = await site.post("/tasks", {"name": "main", "file": ADDITION_TEXT, **given})
            assert {name: made[name] for name in ("stdin", "stdin_encoding") if name in made} == shown
        changed = await site.put(f"/tasks/{made['id']}", {"stdin": "new"})
        assert changed["stdin"] == "new"
        assert "stdin" not in await site.put(f"/tasks/{made['id']}", {"stdin": ""})
        for wrong, why in [
            ({"stdin": "iVA", "stdin_encoding": "base64"}, "stdin: not valid base64"),
            ({"stdin": "x", "stdin_encoding": "hex"}, 'stdin_encoding: "hex" is unknown'),
            ({"stdin_encoding": "base64"}, "stdin_encoding: stdin is no text of the request"),
            ({"stdin": "x" * (2**20 + 1)}, "stdin: 1,048,577 bytes are too many"),
            ({"stdin": {"from": "a"}}, "stdin: 'a' is not one task"),
        ]:
            said = await site.refused("POST", "/tasks", 400, json={"name": "main", **wrong})
            assert said.startswith(why)

    play(part, tmp_path)


def test_at_debug_each_request_and_each_change_is_a_line_of_the_log(tmp_path, caplog):
    async def part(site):
        caplog.set_level(logging.DEBUG, "propeller")
        site.bring_proplet("p")
        await site.post("/tasks", {"id": "t", "name": "main", "inputs": [40, 2], "file": ADDITION_TEXT})
        await site.http.get("/nothing")
        await site.post("/tasks/t/start", status=200)
        await site.reached(COMPLETED, "t")
        lines = [record.getMessage() for record in caplog.records]
        assert [line.partition(",")[0] for line in lines if line.startswith(("POST", "GET /nothing"))] == [
            "POST /tasks: 201",
            "GET /nothing: 404",
            "POST /tasks/t/start: 200",
        ]
        assert "task t is running, attempt 1 on proplet p" in lines

    play(part, tmp_path)
