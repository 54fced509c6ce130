"""One workflow or job: how it is as a whole, and its tasks, those first that people have to see."""

import asyncio
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable

from propeller.cli import formatting
from propeller.cli.top import deeds, drawing
from propeller.cli.top.frame import DEEDS, Page
from propeller.cli.top.graph import Graph, of_tasks
from propeller.cli.top.graph import Row as TaskRow
from propeller.cli.top.parts import Row, Table, Words
from propeller.cli.top.source import Following, is_unknown
from propeller.cli.top.task import TaskPage
from propeller.cli.views import labels_of, outcome
from propeller.client.errors import ApiError
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, RUNNING, SKIPPED

#: Tasks that are shown at once; ``/`` finds the others.
SHOWN = 200
_BAR_CHARS = 40
_WHY_CHARS = 300
#: States of which the manager is asked why, or with which result, as long as tasks in them are shown.
_EXPLAINED = (FAILED, INTERRUPTED, SKIPPED, COMPLETED)


class GroupPage(Page):
    page = "groups"
    searched = "an id, or a part of a name"
    BINDINGS: ClassVar[list[BindingType]] = [
        *DEEDS,
        Binding("R", "rerun_from", "rerun from this task"),
    ]

    def __init__(self, kind: str, group_id: str) -> None:
        super().__init__()
        self._kind = kind
        self._group_id = group_id
        self._summary: Any = None
        self._graph: Graph | None = None
        self._is_followed = False
        #: What became of tasks, by id and attempt.
        self._outcomes: dict[tuple[str, int], str] = {}

    def parts(self) -> Iterable[Widget]:
        yield Words(f"{self._kind} {formatting.one_line(self._group_id, 255)}", id="summary", classes="head")
        yield Words(id="about", classes="heading")
        yield Table("STATE", "TASK", "NAME", "TOOK", "ATTEMPT", "PROPLET", "RESULT OR REASON")

    def on_unmount(self) -> None:
        self._is_followed = False

    async def look(self) -> None:
        if self._graph is None or not self._is_followed:
            await self._read()
        self._summary = await self.ask(self._read_summary)
        self._show()
        if await self._explain():
            self._show()

    # -- what is known ---------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Read all tasks, and follow them where the manager has events in brief."""
        try:
            answer = await self.ask(lambda client: client.graph(f"{self._kind}s", self._group_id))
        except ApiError as error:
            if not is_unknown(error) or not await self._is_there():
                raise
            whole = await self.ask(self._read_whole)
            self._graph = Graph(of_tasks(whole["tasks"]))
            return
        self._graph = Graph(answer)
        if not self._is_followed and self._graph.event_id is not None:
            self._is_followed = True
            self.run_worker(self._follow(self._graph.event_id), name="follow tasks")

    async def _is_there(self) -> bool:
        """Say whether it is only the listing of tasks that the manager does not know."""
        await self.ask(self._read_summary)
        return True

    def _read_whole(self, client: Any) -> Any:
        return client.job(self._group_id) if self._kind == "job" else client.workflow(self._group_id)

    def _read_summary(self, client: Any) -> Any:
        if self._kind == "job":
            return client.job_summary(self._group_id)
        return client.workflow(self._group_id, with_tasks=False)

    async def _follow(self, after: int) -> None:
        def begin(client: Any, following: Following) -> Iterator[Any]:
            only = {f"{self._kind}_id": self._group_id}
            return client.follow_changes(**only, after=after, give_up_s=math.inf, on_break=following.broke)  # type: ignore[no-any-return]

        try:
            async for batch in self.top.source.follow(begin):
                if graph := self._graph:
                    for changes in batch:
                        graph.take(changes)
                self.stale()  # without changes too: that may mean that the group is gone
        except ApiError:
            self._is_followed = False  # the next look reads all anew
            await asyncio.sleep(1)
            self.stale()

    async def _explain(self) -> bool:
        """Ask for the reasons and results of what is shown, for some of each state at once."""
        assert self._graph is not None
        missing = {
            row.state
            for row in self._graph.rows(SHOWN, self.search)
            if row.state in _EXPLAINED and (row.id, row.attempt) not in self._outcomes
        }
        for state in missing:
            only = {
                f"{self._kind}_id": self._group_id,
                "state": formatting.state_name(state).lower(),
                "order": "newest",
            }
            page = await self.ask(lambda client, only=only: client.tasks(limit=100, only=only))
            for task in page["tasks"]:
                self._outcomes[task["id"], task.get("attempt", 1)] = outcome(task, _WHY_CHARS)
        return bool(missing)

    def refused(self, error: ApiError) -> str:
        gone = f"{self._kind} {self._group_id} is gone: somebody has deleted it; what is shown is older"
        return gone if error.status == 404 else str(error)

    # -- what is shown ---------------------------------------------------------------------------------------

    def searches(self, text: str) -> None:
        if self._graph is not None:
            self._show()
        self.stale()

    def _show(self) -> None:
        graph = self._graph
        assert graph is not None
        now = time.time()
        rows = graph.rows(SHOWN, self.search)
        self.query_one("#summary", Words).say(summary_of(self._kind, self._summary, graph.counts))
        self.query_one("#about", Words).say(self._about(graph, len(rows)))
        self.query_one(Table).show(
            Row(row.id, cells_of(row, now, self._outcomes.get((row.id, row.attempt), ""))) for row in rows
        )

    def _about(self, graph: Graph, shown: int) -> str:
        if self.search:
            more = " or more" if shown == SHOWN else ""
            return formatting.plain(f"{shown}{more} of {graph.size:,} tasks have {self.search}")
        if shown < graph.size:
            first = "what failed comes first, then what runs"
            return f"{shown} of {graph.size:,} tasks: {first}; / finds the others"
        return drawing.number_of(graph.size, "tasks")

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if task_id := event.row_key.value:
            self.app.push_screen(TaskPage(task_id))

    # -- deeds -----------------------------------------------------------------------------------------------

    def _target(self) -> deeds.Target | None:
        if self._summary is None or self._graph is None:
            return None
        return deeds.target(self._kind, {**self._summary, "counts": self._graph.counts})

    def action_deed(self, verb: str) -> None:
        if target := self._target():
            self.propose(partial(getattr(deeds, verb), target))

    def action_rerun_from(self) -> None:
        target, task_id = self._target(), self.query_one(Table).chosen
        if target and task_id:
            self.propose(partial(deeds.rerun, target, task_id))


def summary_of(kind: str, group: Mapping[str, Any], counts: Mapping[str, int]) -> Text:
    """Draw how a workflow or job is as a whole."""
    shown = Text()
    shown.append(f"{kind} {formatting.one_line(group[f'{kind}_id'], 100)}", style="bold")
    if group.get("name"):
        shown.append(f"  {formatting.one_line(group['name'], 60)}")
    if labels := labels_of(group):
        shown.append(f"  {formatting.one_line(labels, 60)}", style="dim")
    shown.append("\n")
    if "state" in group:
        shown.append_text(drawing.state(group["state"]))
        ended = formatting.has_ended(group["state"]) and not counts.get("running")
        taken = formatting.took(group.get("start_time"), group.get("finish_time") if ended else None)
        shown.append(f" {'in' if ended else 'for'} {taken}   " if taken else "   ")
    shown.append_text(drawing.bar(counts, _BAR_CHARS)).append("\n")
    return shown.append_text(drawing.counts(counts))


def cells_of(row: TaskRow, now: float, said: str) -> list[Text]:
    return [
        drawing.state(row.state, is_up=row.is_up),
        drawing.text(row.id, 40),
        drawing.text(row.name, 20),
        Text(drawing.since_ms(row.started, row.finished, now) if row.state >= RUNNING else ""),
        Text(str(row.attempt) if row.attempt > 1 else ""),
        drawing.text(row.proplet_id, 20, "dim"),
        drawing.text(said, _WHY_CHARS, "red" if row.state == FAILED else ""),
    ]
