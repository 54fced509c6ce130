"""Tasks: a page of them at a time, the newest first, and a search among all."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import DataTable

from propeller.cli import formatting
from propeller.cli.top import drawing, lists
from propeller.cli.top.frame import DEEDS, PAGING
from propeller.cli.top.list_page import ListPage, about
from propeller.cli.top.parts import Row, Table, Words
from propeller.cli.top.task import DEEDS_OF_TASK, TaskPage
from propeller.cli.views import outcome
from propeller.core.states import FAILED, RUNNING

_WHY_CHARS = 300


class TasksPage(ListPage):
    page = "tasks"
    states = lists.TASK_STATES
    BINDINGS: ClassVar[list[BindingType]] = [*DEEDS, *PAGING]

    def parts(self) -> Iterable[Widget]:
        yield Words(id="about", classes="heading")
        yield Table("STATE", "TASK", "NAME", "OF", "TOOK", "CREATED", "RESULT OR REASON")

    async def look(self) -> None:
        place = self._place.copy()
        found = await self.ask(lambda client: lists.tasks(client, place))
        if place.asked != self._place.asked:
            return  # the reader has gone on meanwhile, and the next look follows
        self._place.next_cursor = found.next_cursor
        self._shown = {task["id"]: task for task in found.items}
        self.query_one(Table).show(Row(task["id"], cells_of(task)) for task in found.items)
        empty = "none fits" if place.search or place.state else "none yet: run one with propeller run FILE"
        self.query_one("#about", Words).say(about("tasks", self._place, found, empty))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if task_id := event.row_key.value:
            self.app.push_screen(TaskPage(task_id))

    def action_deed(self, verb: str) -> None:
        chosen = self._shown.get(self.query_one(Table).chosen or "")
        if chosen is not None:
            self.propose(partial(DEEDS_OF_TASK[verb], chosen))


def cells_of(task: Mapping[str, Any]) -> list[Text]:
    state = task["state"]
    taken = formatting.took(task["start_time"], None if state == RUNNING else task["finish_time"])
    return [
        drawing.state(state, is_up=bool(task.get("up"))),
        drawing.text(task["id"], 40),
        drawing.text(task["name"], 20),
        drawing.text(task.get("workflow_id") or task.get("job_id") or "", 20, "dim"),
        Text(taken if state == RUNNING or formatting.has_ended(state) else ""),
        Text(formatting.ago(task["created_at"])),
        drawing.text(outcome(task, _WHY_CHARS), _WHY_CHARS, "red" if state == FAILED else ""),
    ]
