"""Events as they happen, the newest first."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable

from propeller.cli import formatting
from propeller.cli.top import drawing, lists
from propeller.cli.top.frame import Page
from propeller.cli.top.happenings import KEPT, Happenings, cause, why
from propeller.cli.top.parts import Row, Table, Words
from propeller.cli.top.source import Following
from propeller.cli.top.task import TaskPage
from propeller.client.events import Pace
from propeller.core.states import FAILED

_SHOWN = 200
#: Events of the past that the page begins with.
_PAST = 200
_WHY_CHARS = 300


class EventsPage(Page):
    page = "events"
    searched = "a part of an id, a name, a state, a cause or a reason"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "filter", "choose a state"),
        Binding("space", "halt", "hold / go on"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._happenings = Happenings()
        self._pace = Pace()
        self._shown: dict[str, str] = {}
        self._state = ""
        self._is_held = False
        self._said = ""

    def parts(self) -> Iterable[Widget]:
        yield Words(id="about", classes="heading")
        yield Table("TIME", "STATE", "TASK", "NAME", "OF", "PROPLET", "CAUSE", "WHY")

    def on_mount(self) -> None:
        self.run_worker(self._follow(), name="follow events")

    async def _follow(self) -> None:
        overview = self.top.overview
        after = max(overview["event_id"] - _PAST, 0) if overview else None

        def begin(client: Any, following: Following) -> Iterator[Any]:
            return client.follow(  # type: ignore[no-any-return]
                after=after, give_up_s=math.inf, pace=self._pace, on_break=following.broke
            )

        async for batch in self.top.source.follow(begin):
            self._happenings.take(batch)
            if batch:
                self.stale()

    async def look(self) -> None:
        if not self._is_held:
            self._show()

    def searches(self, text: str) -> None:
        self._show()

    def action_filter(self) -> None:
        states = lists.TASK_STATES
        self._state = states[(states.index(self._state) + 1) % len(states)]
        self._show()

    def action_halt(self) -> None:
        self._is_held = not self._is_held
        self._show()

    def _show(self) -> None:
        state = lists.TASK_STATES.index(self._state) - 1 if self._state else None
        found = self._happenings.latest(_SHOWN, search=self.search, state=state)
        rows = [Row(str(number), cells_of(event)) for number, event in found]
        self._shown = {str(number): event["task_id"] for number, event in found}
        self.query_one(Table).show(rows)
        none = "this manager has no events" if self._pace.is_kept else "nothing has happened yet"
        parts = [
            drawing.number_of(self._happenings.count, "events") if self._happenings.count else none,
            f"the last {KEPT:,} are kept" if self._happenings.count > KEPT else "",
            f"{self._state} only" if self._state else "",
            f"search: {self.search}" if self.search else "",
            "held: space goes on" if self._is_held else "",
        ]
        self.query_one("#about", Words).say(formatting.plain("   ".join(filter(None, parts))))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if task_id := self._shown.get(event.row_key.value or ""):
            self.app.push_screen(TaskPage(task_id))


def cells_of(event: Mapping[str, Any]) -> list[Text]:
    at = formatting.when(event["time"])
    return [
        Text(f"{at.astimezone():%H:%M:%S.%f}"[:-3] if at else ""),
        drawing.state(event["state"], is_up=bool(event.get("up"))),
        drawing.text(event["task_id"], 40),
        drawing.text(event.get("name", ""), 20),
        drawing.text(event.get("workflow_id") or event.get("job_id") or "", 20, "dim"),
        drawing.text(event.get("proplet_id", ""), 20, "dim"),
        drawing.text(cause(event), 30),
        drawing.text(why(event), _WHY_CHARS, "red" if event["state"] == FAILED else ""),
    ]
