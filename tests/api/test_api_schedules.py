"""Schedules over HTTP: of tasks, workflows and jobs; the machine's time is the test's."""

import re
import time
from datetime import datetime

import pytest

from propeller.core import cron
from propeller.core.events import TimePassed
from propeller.core.states import COMPLETED, SKIPPED
from propeller.manager.clock import Clock
from tests.api.helpers import ADDITION_TEXT, ids, play

ZERO = "0001-01-01T00:00:00Z"
SUM = {"name": "main", "inputs": [1, 2], "file": ADDITION_TEXT}


class Wall:
    """The machine's time, which a test sets."""

    def __init__(self) -> None:
        self._ahead_ns = 0

    def __call__(self) -> int:
        return time.time_ns() + self._ahead_ns

    def set(self, site, text: str, *, late_s: float = 0) -> None:
        """Set it to a time in RFC 3339, and let the manager notice."""
        wanted = int(datetime.fromisoformat(text).timestamp() * 1e9) + int(late_s * 1e9)
        self._ahead_ns += wanted - self()
        site.manager.tell(TimePassed())


@pytest.fixture
def wall():
    return Wall()


def played(part, tmp_path, wall):
    play(part, tmp_path, clock=Clock(wall=wall))


def test_a_task_runs_at_the_times_of_its_schedule(tmp_path, wall):
    options = {"overlap": "queue", "jitter": 0, "catch_up": "latest"}
    given = SUM | {"id": "t", "schedule": "0 2 * * *", "timezone": "Asia/Tokyo", "is_recurring": True}

    async def part(site):
        site.bring_proplet()
        wall.set(site, "2026-11-29T12:00:00Z")
        made = await site.post("/tasks", given | {"schedule_options": options})
        assert made["next_run"] == "2026-11-29T17:00:00Z"
        assert made["schedule_options"] == {"catch_up": "latest", "overlap": "queue"}
        assert (made["schedule"], made["timezone"], made["is_recurring"]) == ("0 2 * * *", "Asia/Tokyo", True)
        wall.set(site, made["next_run"])
        await site.reached(COMPLETED, "t")
        task = await site.get("/tasks/t")
        assert (task["results"], task["next_run"]) == ("3\n", "2026-11-30T17:00:00Z")
        await site.upload("t")
        await site.put("/tasks/t", {"priority": 3})
        again = await site.put("/tasks/t", await site.get("/tasks/t"))
        assert again["next_run"] == "2026-11-30T17:00:00Z"
        shown = await site.get("/tasks/t/schedule")
        assert shown.pop("next") == [f"2026-{12 if n else 11}-{n or 30:02}T17:00:00Z" for n in range(10)]
        assert shown == {
            "schedule": "0 2 * * *",
            "timezone": "Asia/Tokyo",
            "is_recurring": True,
            "schedule_options": {"catch_up": "latest", "overlap": "queue"},
            "paused": False,
            "next_run": "2026-11-30T17:00:00Z",
            "last_run": "2026-11-29T17:00:00Z",
            "waiting": [],
            "runs": [],
        }

    played(part, tmp_path, wall)


def test_a_change_of_the_schedule_begins_anew(tmp_path, wall):
    async def part(site):
        wall.set(site, "2026-11-29T12:00:00Z")
        await site.post("/tasks", SUM | {"id": "t", "schedule": "@hourly"})
        changed = await site.put("/tasks/t", {"schedule": "30 13 * * *", "is_recurring": True})
        assert (changed["next_run"], changed["is_recurring"]) == ("2026-11-29T13:30:00Z", True)
        changed = await site.put("/tasks/t", {"timezone": "Europe/Paris"})
        assert changed["next_run"] == "2026-11-29T12:30:00Z"
        changed = await site.put("/tasks/t", {"schedule_options": {"start": "2026-12-24T01:00:00+01:00"}})
        assert changed["next_run"] == "2026-12-24T12:30:00Z"
        assert changed["schedule_options"] == {
            "catch_up": "skip",
            "overlap": "skip",
            "start": "2026-12-24T00:00:00Z",
        }
        changed = await site.put("/tasks/t", {"is_recurring": False})
        assert changed["schedule"] == "30 13 * * *"
        said = await site.refused("PUT", "/tasks/t", 400, json={"timezone": "Mars"})
        assert said.startswith('timezone: there is no zone "Mars"')
        removed = await site.put("/tasks/t", {"schedule": ""})
        assert not {"schedule", "timezone", "is_recurring", "schedule_options"} & removed.keys()
        assert removed["next_run"] == ZERO
        await site.refused("GET", "/tasks/t/schedule", 409)

    played(part, tmp_path, wall)


@pytest.mark.parametrize(("kind", "name"), [("workflows", "workflow"), ("jobs", "job")])
def test_a_group_is_copied_at_the_times_of_its_schedule(tmp_path, wall, kind, name):
    tasks = [SUM | {"id": "a", f"{name}_id": "g"}, SUM | {"id": "b", "inputs": ["${a}"], "depends_on": ["a"]}]

    async def part(site):
        site.bring_proplet()
        wall.set(site, "2026-11-29T12:00:00Z")
        await site.post(f"/{kind}", {"name": "nightly", "schedule": "@daily", "tasks": tasks})
        group = await site.get(f"/{kind}/g?tasks=false")
        assert (group["schedule"], group["is_recurring"]) == ("@daily", True)
        assert (group["next_run"], group["state"]) == ("2026-11-30T00:00:00Z", 0)
        wall.set(site, group["next_run"])
        await site.reached(COMPLETED, "a-20261130T000000Z", "b-20261130T000000Z")
        run = await site.get(f"/{kind}/g-20261130T000000Z?tasks=false")
        assert (run["name"], run["run_of"], run["state"]) == ("nightly", "g", 3)
        assert not {"schedule", "next_run"} & run.keys()
        task = await site.get("/tasks/b-20261130T000000Z")
        assert (task["inputs"], task["copy_of"]) == (["${a-20261130T000000Z}"], "b")
        wall.set(site, "2026-11-30T09:00:01Z")
        started = await site.post(f"/{kind}/g/start", status=200)
        assert started == {
            f"{name}_id": "g",
            "message": f"{name} started",
            "run_id": started["run_id"],
        }
        assert re.fullmatch(r"g-20261130T0900\d\d\.\d{3}Z", started["run_id"])
        assert "only copies of it run" in await site.refused("POST", "/tasks/a/start", 409)
        shown = await site.get(f"/{kind}/g/schedule")
        assert (shown["next_run"], len(shown["next"])) == ("2026-12-01T00:00:00Z", 10)
        assert shown["runs"][-1] == started["run_id"]

    played(part, tmp_path, wall)


@pytest.mark.parametrize(
    ("path", "kind"), [("tasks", None), ("workflows", "workflow_id"), ("jobs", "job_id")]
)
def test_pause_and_resume(tmp_path, wall, path, kind):
    async def part(site):
        wall.set(site, "2026-11-29T12:00:00Z")
        if kind is None:
            await site.post("/tasks", SUM | {"id": "o", "schedule": "@hourly", "is_recurring": True})
        else:
            await site.post(f"/{path}", {"schedule": "@hourly", "tasks": [SUM | {kind: "o"}]})
        paused = await site.post(f"/{path}/o/schedule/pause", status=200)
        assert (paused["paused"], paused["next_run"], paused["next"]) == (True, ZERO, [])
        wall.set(site, "2026-11-29T15:10:00Z")
        resumed = await site.post(f"/{path}/o/schedule/resume", status=200)
        assert (resumed["paused"], resumed["next_run"]) == (False, "2026-11-29T16:00:00Z")
        for verb in ("pause", "resume"):
            await site.refused("POST", f"/{path}/none/schedule/{verb}", 404)
        await site.refused("GET", f"/{path}/none/schedule", 404)

    played(part, tmp_path, wall)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"schedule": "0 0 30 2 *"}, "never comes"),
        ({"schedule": "@daily", "timezone": "Mars/Olympus"}, 'timezone: there is no zone "Mars/Olympus"'),
        (
            {"schedule": "@daily", "schedule_options": {"overlap": "never"}},
            'schedule_options.overlap: "never" is',
        ),
        ({"schedule": "@daily", "schedule_options": {"catch_up": "x"}}, "use skip, latest, all"),
        ({"schedule": "@daily", "schedule_options": {"jitter": "x"}}, 'schedule_options.jitter: "x" is no'),
        (
            {"schedule": "@daily", "schedule_options": {"start": "x"}},
            'schedule_options.start: "x" is no time',
        ),
        ({"schedule": "@daily", "schedule_options": {"catchup": "all"}}, "did you mean catch_up?"),
        (
            {"schedule": "@daily", "schedule_options": {"overlap": ""}},
            'schedule_options.overlap: "" is unknown',
        ),
        ({"schedule": "@daily", "schedule_options": {"end": ""}}, 'schedule_options.end: "" is no time'),
        *(
            ({"schedule": "@daily", "schedule_options": {name: time}}, f"schedule_options.{name}: ")
            for name in ("start", "end")
            for time in ("9999-12-31T23:59:59-14:00", "9999-12-31T12:00:00Z", "2200-01-01T00:00:00Z")
        ),
        ({"schedule_options": {"overlap": "skip"}}, "it is for a schedule, and the"),
        ({"is_recurring": True}, "is_recurring: it is for a schedule, and the"),
        ({"timezone": "Europe/Paris"}, "timezone: it is for a schedule, and the"),
        ({"schedule": "* * * *"}, "has 4 fields; a cron text has five: minute, hour,"),
    ],
)
def test_schedules_that_make_no_sense(tmp_path, given, message):
    async def part(site):
        for path, body in (
            ("/tasks", SUM | given),
            ("/workflows", {"tasks": [SUM], **given}),
            ("/jobs", {"tasks": [SUM], **given}),
        ):
            assert message in await site.refused("POST", path, 400, json=body)
        assert (await site.get("/tasks"))["total"] == 0

    play(part, tmp_path)


def test_a_task_of_a_group_has_no_schedule(tmp_path):
    async def part(site):
        said = await site.refused("POST", "/workflows", 400, json={"tasks": [SUM | {"schedule": "@daily"}]})
        assert said.startswith("tasks[0].schedule: task ")
        assert "give the workflow a schedule instead" in said

    play(part, tmp_path)


def test_what_was_skipped_of_a_run_is_told_like_any_other(tmp_path, wall):
    tasks = [SUM | {"id": "a", "workflow_id": "g", "file": ""}, SUM | {"id": "b", "depends_on": ["a"]}]

    async def part(site):
        site.bring_proplet()
        wall.set(site, "2026-11-29T12:00:00Z")
        await site.post("/workflows", {"schedule": "@daily", "tasks": tasks})
        wall.set(site, "2026-11-30T00:00:00Z", late_s=3)
        await site.reached(SKIPPED, "b-20261130T000000Z")
        assert ids((await site.get("/workflows"))["workflows"], "workflow_id") == ["g-20261130T000000Z", "g"]

    played(part, tmp_path, wall)


def test_a_schedule_whose_zone_is_not_known_any_more_is_shown(tmp_path, wall, monkeypatch):
    given = SUM | {"id": "t", "schedule": "@daily", "timezone": "Asia/Tokyo", "is_recurring": True}

    def parse(_text, _timezone):
        raise ValueError('timezone: there is no zone "Asia/Tokyo"')

    async def part(site):
        wall.set(site, "2026-11-29T12:00:00Z")
        await site.post("/tasks", given)
        monkeypatch.setattr(cron, "parse", parse)
        shown = await site.get("/tasks/t/schedule")
        assert (shown["next"], shown["paused"]) == ([], False)
        assert shown["error"] == 'timezone: there is no zone "Asia/Tokyo"'

    played(part, tmp_path, wall)
