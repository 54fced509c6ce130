"""The first page: how much runs and waits, at what pace, and what failed lately."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.text import Text
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import DataTable, Sparkline

from propeller.cli import formatting
from propeller.cli.top import drawing, lists
from propeller.cli.top.frame import Page
from propeller.cli.top.parts import Row, Table, Words
from propeller.cli.top.source import is_unknown
from propeller.cli.top.task import TaskPage
from propeller.client.errors import ApiError
from propeller.core.states import FAILED, RUNNING, SCHEDULED

_LATELY = timedelta(hours=24)
_FAILURES = 50
_FEW = 20
_WHY_CHARS = 300


class OverviewPage(Page):
    page = "overview"

    def __init__(self) -> None:
        super().__init__()
        #: Tasks of the failures that are shown.
        self._failed: dict[str, str] = {}

    def parts(self) -> Iterable[Widget]:
        yield Words(id="figures", classes="head")
        with Horizontal(id="paces"):
            with Vertical():
                yield Words(id="ended", classes="heading")
                yield Sparkline([], id="ended-sparks", classes="sparks")
            with Vertical():
                yield Words(id="waiting", classes="heading")
                yield Sparkline([], id="waiting-sparks", classes="sparks")
        yield Words(id="failed", classes="heading")
        yield Table("WHEN", "TASK", "NAME", "OF", "PROPLET", "WHY", id="failures")

    async def look(self) -> None:
        await self._look_at_figures()
        await self._look_at_pace()
        await self._look_at_failures()

    async def _look_at_figures(self) -> None:
        figures = self.query_one("#figures", Words)
        if self.top.has_overview:
            self.top.overview = await self.ask(lambda client: client.overview())
            figures.say(figures_of(self.top.overview))
            return
        page = await self.ask(lambda client: client.tasks(limit=lists.PAGE))
        shown = figures_of(lists.of_sample(page["tasks"], page["total"]))
        if page["total"] > len(page["tasks"]):
            shown.append(
                f"\nthis manager does not count: these are the first {len(page['tasks'])}", style="dim"
            )
        figures.say(shown)

    async def _look_at_pace(self) -> None:
        paces = self.query_one("#paces")
        try:
            pace = await self.ask(lambda client: client.pace())
        except ApiError as error:
            if not is_unknown(error):
                raise
            paces.display = False
            return
        ended = ended_of(pace)
        self.query_one("#ended", Words).say(words_of_pace(pace))
        self.query_one("#ended-sparks", Sparkline).data = ended
        self.query_one("#waiting", Words).say(words_of_queue(pace))
        self.query_one("#waiting-sparks", Sparkline).data = [count or 0 for count in pace["waiting"]]

    async def _look_at_failures(self) -> None:
        since = f"{datetime.now(UTC) - _LATELY:%Y-%m-%dT%H:%M:%SZ}"
        try:
            found = await self.ask(lambda client: client.failures(since=since, limit=_FAILURES))
            said = (
                f"{found['total']:,} failed in the last 24 h"
                if found["total"]
                else "nothing failed in the last 24 h"
            )
            failures = found["failures"]
        except ApiError as error:
            if not is_unknown(error):
                raise
            chosen = {"state": "failed", "order": "newest"}
            page = await self.ask(lambda client: client.tasks(limit=lists.PAGE, only=chosen))
            failures = [{**task, "task_id": task["id"]} for task in page["tasks"] if task["state"] == FAILED]
            said = "failed" if failures else "nothing failed, of what this manager shows at once"
        self.query_one("#failed", Words).say(said)
        rows = [
            Row(f"{one['task_id']} {one.get('attempt', 1)}", cells_of(one)) for one in failures[:_FAILURES]
        ]
        self._failed = {row.key: one["task_id"] for row, one in zip(rows, failures, strict=False)}
        self.query_one(Table).show(rows)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if task_id := self._failed.get(event.row_key.value or ""):
            self.app.push_screen(TaskPage(task_id))


def figures_of(overview: Mapping[str, Any]) -> Text:
    """Draw what runs and waits, and the fleet in one row."""
    tasks = overview["tasks"]
    shown = Text.assemble(("Tasks      ", "bold"))
    shown.append(f"{tasks['running']:,} run", style=formatting.state_style(RUNNING))
    shown.append(f"   {tasks['scheduled']:,} wait for a proplet", style=formatting.state_style(SCHEDULED))
    shown.append(f"   {tasks['pending']:,} pending   {tasks['total']:,} in all")
    for name, title in (("workflows", "Workflows"), ("jobs", "Jobs")):
        if name in overview:
            groups = {state: count for state, count in overview[name].items() if state != "total"}
            shown.append(f"\n{title:<11}", style="bold").append_text(drawing.counts(groups) or Text("none"))
    if "proplets" in overview:
        shown.append("\nFleet      ", style="bold").append_text(_fleet(overview["proplets"]))
    return shown


def _fleet(proplets: Mapping[str, Any]) -> Text:
    if not proplets["total"]:
        return Text("no proplet yet: nothing runs until one is there")
    shown = Text(f"{proplets['alive']:,} of {proplets['total']:,} alive   ")
    if proplets["cordoned"]:
        shown.append(f"{proplets['cordoned']:,} cordoned   ", style="yellow")
    return shown.append_text(drawing.slots(proplets["busy"], proplets["slots"])).append(" slots")


def ended_of(pace: Mapping[str, Any]) -> list[int]:
    """Count what ended in each step, in whatever way."""
    ways = (pace["completed"], pace["failed"], pace["ended_otherwise"])
    return [sum(step) for step in zip(*ways, strict=True)]


def words_of_pace(pace: Mapping[str, Any]) -> str:
    """Say how many tasks ended in the last hour, and how many a second lately and at best."""
    ended, step = ended_of(pace), pace["step_s"]
    lately = sum(ended[-6:]) / (len(ended[-6:]) * step or 1)
    best = max(ended, default=0) / step
    of_all = f"{sum(ended):,} ended in the last hour ({sum(pace['failed']):,} failed)"
    return f"{of_all}; {lately:,.1f}/s now, {best:,.1f}/s at most"


def words_of_queue(pace: Mapping[str, Any]) -> str:
    """Say how many tasks wait now, and how many did at most."""
    waiting = [count or 0 for count in pace["waiting"]]  # None while no manager ran
    now, most = waiting[-1] if waiting else 0, max(waiting, default=0)
    return f"{now:,} wait for a proplet; {most:,} at most in the last hour"


def cells_of(failure: Mapping[str, Any]) -> list[Text]:
    of = failure.get("workflow_id") or failure.get("job_id") or ""
    return [
        Text(formatting.ago(failure.get("finish_time"))),
        drawing.text(failure["task_id"], 40),
        drawing.text(failure.get("name", ""), 20),
        drawing.text(of, 30, "dim"),
        drawing.text(failure.get("proplet_id", ""), 20, "dim"),
        drawing.text(failure.get("error", ""), _WHY_CHARS, "red"),
    ]
