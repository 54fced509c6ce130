"""The history as ``docs/workflows.md`` has it, against a manager."""

import json
import re
from pathlib import Path

from tests.api.helpers import ADDITION_TEXT, play

from propeller.core.causes import CauseKind
from propeller.core.states import COMPLETED
from propeller.core.timers import TimerOf

PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text().split("\n## History\n")[1]
HISTORY = PAGE.split("\n## ")[0]


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


def test_each_cause_and_each_timer_is_explained():
    rows = re.findall(r"^\| `(\w+)` \|(.*)$", HISTORY, re.MULTILINE)
    assert {kind for kind, _ in rows} == {kind.value for kind in CauseKind}
    (timers,) = (text for kind, text in rows if kind == "timer")
    assert all(f"`{timer.value}`" in timers for timer in TimerOf)
