"""The history as ``docs/workflows.md`` has it, against a manager."""

import json
import re
from pathlib import Path

from tests.api.helpers import ADDITION_TEXT, play
from tests.builders import a_move

from propeller.api import events
from propeller.core.causes import CauseKind
from propeller.core.states import COMPLETED
from propeller.core.timers import TimerOf
from propeller.store.port import Gone, Record

WORKFLOWS = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text()
HISTORY = WORKFLOWS.split("\n## History\n")[1].split("\n## ")[0]


def test_the_answer_is_as_shown(tmp_path):
    (shown,) = re.findall(r"```json\n(.*?)```", HISTORY, re.DOTALL)
    (path,) = re.findall(r"curl 'localhost:7070(.*?)'", HISTORY)

    async def part(site):
        site.bring_proplet()
        tasks = [{"id": "fetch"}, {"id": "count", "depends_on": ["fetch"]}]
        same = {"name": "main", "file": ADDITION_TEXT, "workflow_id": "w"}
        await site.post("/workflows", {"tasks": [same | task for task in tasks]})
        await site.post("/workflows/w/start", status=200)
        await site.reached(COMPLETED, "count")
        return await site.get(path)

    async def compare(site):
        wanted, found = json.loads(shown), await part(site)
        found["events"][0]["time"] = wanted["events"][0]["time"]
        assert found == wanted

    play(compare, tmp_path)


def test_the_graph_is_as_shown(tmp_path):
    graphs = WORKFLOWS.split("\n## Graphs for programs that draw\n")[1].split("\n## ")[0]
    (shown,) = re.findall(r"```json\n(.*?)```", graphs, re.DOTALL)
    (path,) = re.findall(r"curl localhost:7070(.*)", graphs)
    (follow,) = re.findall(r"`GET (/events.*?)`", graphs)

    async def compare(site):
        site.bring_proplet("local-1")
        site.is_slow = True
        same = {"name": "main", "file": ADDITION_TEXT, "workflow_id": "ID"}
        tasks = [{"id": "sum"}, {"id": "double", "depends_on": ["sum"]}]
        await site.post("/workflows", {"tasks": [same | task for task in tasks]})
        await site.post("/workflows/ID/start", status=200)
        site.end(await site.started_one("sum"))
        await site.started_one("double")
        wanted, found = json.loads(shown), await site.get(path)
        for times in ("created", "placed", "started", "finished"):
            assert [*map(bool, wanted["tasks"][times])] == [*map(bool, found["tasks"].pop(times))]
            del wanted["tasks"][times]
        assert found == wanted
        assert follow == f"/events?brief=true&workflow_id=ID&after={found['event_id']}"

    play(compare, tmp_path)


def test_the_rows_of_brief_events_are_as_shown():
    (shown,) = re.findall(r"^data: (\[.*)$", HISTORY, re.MULTILINE)
    (gone,) = re.findall(r"`data: (\{.*?\})`", HISTORY)
    for task_id, state, attempt, proplet_id, time_ms, is_up in json.loads(shown):
        move = a_move(task_id, state, attempt=attempt, proplet_id=proplet_id, at=time_ms * 1_000_000)
        assert events._row(move) == (task_id, state, attempt, proplet_id, time_ms, is_up)
    text = events._gone_text(Gone(Record("workflow", "w"))).decode()
    assert json.loads(text.split("data: ")[1]) == json.loads(gone)


def test_each_cause_and_each_timer_is_explained():
    rows = re.findall(r"^\| `(\w+)` \|(.*)$", HISTORY, re.MULTILINE)
    assert {kind for kind, _ in rows} == {kind.value for kind in CauseKind}
    (timers,) = (text for kind, text in rows if kind == "timer")
    assert all(f"`{timer.value}`" in timers for timer in TimerOf)
