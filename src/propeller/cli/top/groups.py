"""Workflows, or jobs: a page of them at a time, the newest first."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable

from propeller.cli import formatting
from propeller.cli.top import deeds, drawing, lists
from propeller.cli.top.frame import DEEDS, PAGING
from propeller.cli.top.group import GroupPage
from propeller.cli.top.list_page import ListPage, about
from propeller.cli.top.parts import Row, Table, Words
from propeller.cli.top.source import is_unknown
from propeller.client.errors import ApiError

_BAR_CHARS = 20


class GroupsPage(ListPage):
    page = "groups"
    states = lists.GROUP_STATES
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other", "jobs / workflows", priority=True),
        *DEEDS,
        *PAGING,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._kind = "workflow"

    def parts(self) -> Iterable[Widget]:
        yield Words(id="about", classes="heading")
        yield Table("STATE", "TASKS", "ENDED", "TOOK", "NAME", "ID", "CREATED")

    def show_kind(self, kind: str) -> None:
        """Show workflows, or jobs, from the newest on."""
        if kind != self._kind:
            self._kind, self._place = kind, lists.Place(search=self.search)
            self._shown = {}
            for table in self.query(Table):  # none yet, where the page is just being opened
                table.show([])
        self.stale()

    def action_other(self) -> None:
        self.show_kind("job" if self._kind == "workflow" else "workflow")

    async def look(self) -> None:
        kind, place = self._kind, self._place.copy()
        found = await self.ask(lambda client: lists.groups(client, kind, place))
        if (kind, place.asked) != (self._kind, self._place.asked):
            return  # the reader has gone on meanwhile, and the next look follows
        self._place.next_cursor = found.next_cursor
        key = f"{kind}_id"
        self._shown = {one[key]: one for one in found.items}
        self.query_one(Table).show(Row(one[key], cells_of(one, key)) for one in found.items)
        self.query_one("#about", Words).say(about(f"{kind}s", self._place, found, self._empty()))

    def _empty(self) -> str:
        if self._place.search or self._place.state:
            return "none fits"
        return f"none yet: start one with propeller {self._kind}s run FILE"

    def refused(self, error: ApiError) -> str:
        if not is_unknown(error):
            return str(error)
        return f"this manager does not list {self._kind}s: look at its tasks (3)"

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if group_id := event.row_key.value:
            self.app.push_screen(GroupPage(self._kind, group_id))

    def action_deed(self, verb: str) -> None:
        chosen = self._shown.get(self.query_one(Table).chosen or "")
        if chosen is not None:
            self.propose(partial(getattr(deeds, verb), deeds.target(self._kind, chosen)))


def cells_of(group: Mapping[str, Any], key: str) -> list[Text]:
    by_state = deeds.counts_of(group)
    size = sum(by_state.values())
    ended = sum(by_state.get(name, 0) for name in ("completed", "failed", "skipped", "interrupted"))
    state = group["state"]
    finish = group.get("finish_time") if formatting.has_ended(state) else None
    return [
        drawing.state(state),
        drawing.bar(by_state, _BAR_CHARS),
        Text(f"{ended:,}/{size:,}", justify="right"),
        Text(formatting.took(group.get("start_time"), finish)),
        drawing.text(group.get("name", ""), 30),
        drawing.text(group[key], 40),
        Text(formatting.ago(group.get("created_at"))),
    ]
