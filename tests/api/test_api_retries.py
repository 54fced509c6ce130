"""Retries and times over HTTP: given, read back, held, and every attempt shown."""

import pytest

from propeller.core.failures import ErrorKind
from propeller.core.states import TaskState
from propeller.wire.rfc3339 import ZERO
from tests.api.helpers import ADDITION_TEXT, play

TASK = {"id": "a", "name": "main", "inputs": [1, 2], "file": ADDITION_TEXT}


async def slow_site(site):
    site.bring_proplet()
    site.is_slow = True
    await site.turned()


async def next_start(site, number):
    """Wait for the start of an attempt."""
    async for _ in site.manager.feed.follow(0):
        if len(site.started) >= number:
            return site.started[number - 1]
    raise AssertionError("the feed has ended")


def test_a_task_is_tried_again_and_shows_each_attempt(tmp_path):
    async def part(site):
        await slow_site(site)
        await site.post("/tasks", TASK | {"retry": {"max_attempts": 3, "delay": "20ms", "backoff": 1}})
        assert await site.get("/tasks/a/attempts") == {"total": 0, "attempts": []}
        await site.post("/tasks/a/start", status=200)
        site.end(await next_start(site, 1), error="it trapped", kind=ErrorKind.TRAP, results="half")
        site.end(await next_start(site, 2), error="exited with 3", kind=ErrorKind.EXIT_CODE, exit_code=3)
        assert (await site.get("/tasks/a"))["reason"].startswith("attempt ")
        site.end(await next_start(site, 3))
        await site.reached(TaskState.COMPLETED, "a")
        shown = await site.get("/tasks/a/attempts")
        assert shown["total"] == 3
        first, second, third = shown["attempts"]
        assert (first["attempt"], first["state"], first["error_kind"], first["results"]) == (
            1,
            4,
            "trap",
            "half",
        )
        assert (second["error"], second["exit_code"], second["proplet_id"]) == ("exited with 3", 3, "p-9")
        assert (third["attempt"], third["state"], third["results"]) == (3, 3, "3\n")
        assert ZERO not in (first["start_time"], first["finish_time"], third["finish_time"])
        assert first["start_time"] <= first["finish_time"] <= second["start_time"]

    play(part, tmp_path)


def test_the_last_run_of_a_task_that_is_started_again_stays_among_its_attempts(tmp_path):
    async def part(site):
        site.bring_proplet()
        await site.post("/tasks", TASK)
        for number in (1, 2):
            await site.post("/tasks/a/start", status=200)
            await next_start(site, number)
            await site.turned()
        assert [one["results"] for one in (await site.get("/tasks/a/attempts"))["attempts"]] == ["3\n", "3\n"]
        assert "attempts" not in await site.get("/tasks/a")

    play(part, tmp_path)


def test_while_it_waits_it_says_until_when_and_why(tmp_path):
    async def part(site):
        await slow_site(site)
        await site.post("/tasks", TASK | {"retry": {"delay": "1h"}})
        await site.post("/tasks/a/start", status=200)
        site.end(await next_start(site, 1), error="it trapped", kind=ErrorKind.TRAP)
        await site.turned()
        shown = await site.get("/tasks/a")
        assert shown["state"] == TaskState.SCHEDULED
        assert shown["reason"] == "attempt 1 failed: it trapped; tried again (1 of 2)"
        assert shown["retry_at"] > shown["updated_at"]
        assert (await site.get("/tasks/a/attempts"))["total"] == 1
        await site.post("/tasks/a/stop", status=200)
        assert "retry_at" not in await site.get("/tasks/a")

    play(part, tmp_path)


def test_times_are_held_also_when_nothing_else_happens(tmp_path):
    async def part(site):
        await site.post("/tasks", TASK | {"queue_timeout": "30ms"})
        await site.post("/tasks/a/start", status=200)
        await site.reached(TaskState.FAILED, "a")
        shown = await site.get("/tasks/a")
        assert shown["error_kind"] == "queue_timeout"
        assert shown["error"].startswith(
            "queue_timeout: no proplet took the task within 0.03s (waits for a proplet"
        )
        await slow_site(site)
        body = {"timeout": 0.05, "tasks": [TASK | {"id": "b"}, TASK | {"id": "c", "depends_on": ["b"]}]}
        (b, _) = (await site.post("/workflows", body))["tasks"]
        await site.post(f"/workflows/{b['workflow_id']}/start", status=200)
        await site.reached(TaskState.FAILED, "b")
        assert (await site.get("/tasks/b"))["error_kind"] == "deadline"
        assert (await site.get("/tasks/c"))[
            "reason"
        ] == "its workflow had not ended within 0.05s of its start"
        await site.post("/tasks", TASK | {"id": "d", "deadline": "0.05"})
        await site.post("/tasks/d/start", status=200)
        await site.reached(TaskState.FAILED, "d")
        assert (await site.get("/tasks/d"))["error"].startswith(
            "deadline: the task had not ended within 0.05s"
        )

    play(part, tmp_path)


def test_what_is_given_is_read_back_and_can_be_changed(tmp_path):
    async def part(site):
        given = {
            "max_attempts": 5,
            "delay": 2,
            "max_delay": "1m",
            "jitter": 0.5,
            "on": ["trap", "limit", "trap"],
        }
        task = await site.post("/tasks", TASK | {"retry": given, "deadline": "5m", "queue_timeout": 90})
        full = {"max_attempts": 5, "delay": "2s", "backoff": 2.0, "max_delay": "1m", "jitter": 0.5}
        assert task["retry"] == full | {"on": ["trap", "limit"]}
        assert (task["deadline"], task["queue_timeout"]) == ("5m", "1m30s")
        assert await site.get("/tasks/a") == task
        changed = await site.put(
            "/tasks/a", {"retry": {"max_attempts": 1}, "deadline": 0, "queue_timeout": "0s"}
        )
        assert changed["retry"]["max_attempts"] == 1
        assert not {"deadline", "queue_timeout"} & changed.keys()
        sent_back = await site.put("/tasks/a", changed)
        assert sent_back["retry"] == changed["retry"]

    play(part, tmp_path)


def test_defaults_of_a_group_are_shown_with_it_and_on_its_tasks(tmp_path):
    async def part(site):
        defaults = {"retry": {"max_attempts": 4}, "timeout": "9s", "deadline": "1m", "queue_timeout": "2m"}
        body = {"timeout": "1h", "defaults": defaults, "tasks": [TASK, TASK | {"id": "b", "deadline": "7s"}]}
        a, b = (await site.post("/workflows", body))["tasks"]
        assert (a["retry"]["max_attempts"], a["timeout"], a["deadline"], a["queue_timeout"]) == (
            4,
            "9s",
            "1m",
            "2m",
        )
        assert b["deadline"] == "7s"
        shown = await site.get(f"/workflows/{a['workflow_id']}")
        assert shown["timeout"] == "1h"
        assert shown["defaults"]["retry"]["max_attempts"] == 4
        assert shown["defaults"]["timeout"] == "9s"
        job = {**body, "name": "j", "tasks": [TASK | {"id": "c"}]}
        created = await site.post("/jobs", job)
        assert (created["timeout"], created["defaults"]) == (shown["timeout"], shown["defaults"])
        summary = await site.get(f"/jobs/{created['job_id']}?tasks=false")
        assert (summary["timeout"], summary["defaults"]) == (shown["timeout"], shown["defaults"])

    play(part, tmp_path)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"retry": {"max_attempts": 0}}, "retry.max_attempts: 0 is out of range"),
        (
            {"retry": {"max_atempts": 2}},
            "retry.max_atempts: there is no such field; did you mean max_attempts?",
        ),
        ({"retry": {"backoff": 0.5}}, "retry.backoff: 0.5 is out of range"),
        ({"retry": {"jitter": 2}}, "retry.jitter: 2 is out of range"),
        ({"retry": {"delay": "soon"}}, 'retry.delay: "soon" is no duration'),
        ({"retry": {"delay": "1m", "max_delay": "1s"}}, "retry.max_delay: it is shorter than delay"),
        ({"retry": {"on": ["trapp"]}}, 'retry.on[0]: "trapp" is no kind of error; did you mean trap?'),
        ({"retry": {"on": ["deadline"]}}, 'retry.on[0]: "deadline" is no kind of error'),
        ({"retry": {}, "broadcast": True}, "retry: a broadcast task runs once on each proplet"),
        ({"deadline": "-1s"}, 'deadline: "-1s" is no duration'),
        ({"queue_timeout": True}, "queue_timeout: expected number or string or null"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, given, words):
    async def part(site):
        assert words in await site.refused("POST", "/tasks", 400, json=TASK | given)
        assert (await site.get("/tasks"))["total"] == 0
        for kind in ("workflows", "jobs"):
            refused = await site.refused("POST", f"/{kind}", 400, json={"tasks": [TASK | given]})
            assert f"tasks[0].{words}" in refused

    play(part, tmp_path)


def test_defaults_and_changes_that_make_no_sense(tmp_path):
    async def part(site):
        for wrong, words in (
            ({"timeout": "soon"}, 'timeout: "soon" is no duration'),
            (
                {"defaults": {"deadlin": 1}},
                "defaults.deadlin: there is no such field; did you mean deadline?",
            ),
            ({"defaults": {"retry": {"jitter": -1}}}, "defaults.retry.jitter: -1 is out of range"),
        ):
            refused = await site.refused("POST", "/workflows", 400, json={"tasks": [TASK], **wrong})
            assert refused.startswith(words)
        await site.post("/tasks", TASK | {"retry": {}})
        refused = await site.refused("PUT", "/tasks/a", 400, json={"broadcast": True})
        assert refused.startswith("retry: a broadcast task")
        await site.refused("GET", "/tasks/none/attempts", 404)

    play(part, tmp_path)
