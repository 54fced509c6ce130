"""The fleet: each proplet with its slots, and what the chosen one runs."""

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable

from propeller.cli import formatting
from propeller.cli.top import deeds, drawing, lists
from propeller.cli.top.frame import Page
from propeller.cli.top.parts import Row, Table, Words
from propeller.cli.top.source import is_unknown
from propeller.cli.top.task import TaskPage
from propeller.client.errors import ApiError

#: Proplets whose measurements are asked for, those above and below the chosen one.
_MEASURED = 20
_NONE = "no proplet yet: propeller up has some beside its manager, and propeller proplet starts one elsewhere"


class FleetPage(Page):
    page = "fleet"
    searched = "a part of an id, a name, a host or a tag"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "deed('cordon')", "cordon"),
        Binding("u", "deed('uncordon')", "uncordon"),
        Binding("D", "deed('drain')", "drain"),
        Binding("d", "deed('forget')", "delete"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._proplets: dict[str, Any] = {}
        #: The newest measurement of each, as far as they were asked for.
        self._measured: dict[str, Any] = {}

    def parts(self) -> Iterable[Widget]:
        yield Words(id="about", classes="heading")
        yield Table(
            "PROPLET",
            "ALIVE",
            "SERVICE",
            "SLOTS",
            "CPU",
            "MEMORY",
            "LAST SEEN",
            "HOST",
            "TAGS",
            id="proplets",
        )
        yield Words(id="runs-of", classes="heading")
        yield Table("STATE", "TASK", "NAME", "OF", "FOR", id="runs")

    def searches(self, text: str) -> None:
        self._show()

    async def look(self) -> None:
        page = await self.ask(lists.proplets)
        self._proplets = {one["id"]: one for one in page["proplets"]}
        more = f"the first {len(self._proplets)} of " if page["total"] > len(self._proplets) else ""
        said = f"{more}{drawing.number_of(page['total'], 'proplets')}"
        self.query_one("#about", Words).say(said if self._proplets else _NONE)
        self._show()
        await self._measure()
        self._show()

    async def _measure(self) -> None:
        ids = [*self._proplets]
        chosen = self.query_one("#proplets", Table).cursor_row
        first = max(min(chosen - _MEASURED // 2, len(ids) - _MEASURED), 0)

        def read(client: Any) -> dict[str, Any]:
            found = {}
            for proplet_id in ids[first : first + _MEASURED]:
                try:
                    metrics = client.proplet_metrics(proplet_id, limit=1)["metrics"]
                except ApiError as error:
                    if error.status != 404:
                        raise
                    metrics = []  # it is gone meanwhile
                found[proplet_id] = metrics[0] if metrics else {}
            return found

        self._measured |= await self.ask(read)

    def refused(self, error: ApiError) -> str:
        return "this manager does not list proplets" if is_unknown(error) else str(error)

    # -- what is shown ---------------------------------------------------------------------------------------

    def _show(self) -> None:
        wanted = self.search.casefold()
        shown = [one for one in self._proplets.values() if wanted in words_of(one)]
        self.query_one("#proplets", Table).show(
            Row(one["id"], cells_of(one, self._measured.get(one["id"], {}))) for one in shown
        )
        self._show_runs()

    def _show_runs(self) -> None:
        chosen = self._chosen()
        running = chosen.get("running", ()) if chosen else ()
        said = f"{formatting.one_line(chosen['name'], 60)} runs {len(running) or 'nothing'}" if chosen else ""
        if chosen and "running" not in chosen:
            said = f"this manager does not say what {formatting.one_line(chosen['name'], 60)} runs"
        self.query_one("#runs-of", Words).say(said)
        self.query_one("#runs", Table).show(Row(one["task_id"], run_of(one)) for one in running)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        if event.data_table.id == "proplets":
            self._show_runs()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.data_table.id == "proplets":
            self.query_one("#runs", Table).focus()
        elif task_id := event.row_key.value:
            self.app.push_screen(TaskPage(task_id))

    def action_back(self) -> None:
        if self.query_one("#runs", Table).has_focus:
            self.query_one("#proplets", Table).focus()
        else:
            super().action_back()

    def _chosen(self) -> Any:
        return self._proplets.get(self.query_one("#proplets", Table).chosen or "")

    def action_deed(self, verb: str) -> None:
        if chosen := self._chosen():
            self.propose(partial(getattr(deeds, verb), chosen))


def words_of(proplet: Mapping[str, Any]) -> str:
    """Give all that a search looks into."""
    metadata = proplet.get("metadata") or {}
    tags = metadata.get("tags") or []
    return formatting.plain(
        [proplet["id"], proplet.get("name", ""), metadata.get("hostname", ""), tags]
    ).casefold()


def cells_of(proplet: Mapping[str, Any], measured: Mapping[str, Any]) -> list[Text]:
    metadata = proplet.get("metadata") or {}
    alive = Text("● alive", style="green") if proplet["alive"] else Text("✘ silent", style="bold red")
    cpu, memory = measured.get("cpu_metrics", {}), measured.get("memory_metrics", {})
    rss = memory.get("rss_bytes")
    return [
        drawing.text(proplet.get("name") or proplet["id"], 30),
        alive,
        Text("cordoned", style="yellow") if proplet.get("cordoned") else Text("takes tasks"),
        drawing.slots(proplet["task_count"], proplet.get("slots")),
        Text(drawing.percent(cpu.get("percent"))),
        Text(formatting.size(rss) if rss else ""),
        Text(formatting.ago(proplet.get("last_alive_at"))),
        drawing.text(metadata.get("hostname", ""), 20),
        drawing.text(", ".join(map(str, metadata.get("tags") or [])), 30),
    ]


def run_of(run: Mapping[str, Any]) -> list[Text]:
    return [
        drawing.state(run["state"]),
        drawing.text(run["task_id"], 40),
        drawing.text(run.get("name", ""), 20),
        drawing.text(run.get("workflow_id") or run.get("job_id") or "", 30, "dim"),
        Text(drawing.since_ms(run["started"], 0, time.time())),
    ]
