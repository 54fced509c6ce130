"""One task: how it is and why, its attempts, and its logs, which follow."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import RichLog

from propeller.cli import formatting
from propeller.cli.top import deeds, drawing
from propeller.cli.top.frame import DEEDS, Page
from propeller.cli.top.lines import Line, Lines
from propeller.cli.top.parts import Words
from propeller.cli.top.source import Following, is_unknown
from propeller.cli.views import outcome, task_pairs
from propeller.client.errors import ApiError

#: Lines of logs that are kept on the screen; so many are read from the end.
_LOG_LINES = 2_000
_ATTEMPTS = 20
#: What people look for first, and how much is shown of anything else.
_FIRST = ("reason", "error", "result")
_FIELD_CHARS = 200
#: What the keys of ``DEEDS`` do to a task.
DEEDS_OF_TASK = {
    "start": deeds.start_task,
    "stop": deeds.stop_task,
    "rerun": deeds.rerun_task,
    "delete": deeds.delete_task,
}


class TaskPage(Page):
    page = "tasks"
    BINDINGS: ClassVar[list[BindingType]] = [
        *DEEDS,
        Binding("j,down", "scroll(1)", "down", show=False),
        Binding("k,up", "scroll(-1)", "up", show=False),
    ]

    def __init__(self, task_id: str) -> None:
        super().__init__()
        self._task_id = task_id
        self._found: Any = None
        #: The attempt whose logs are followed, 0 for none yet.
        self._followed = 0

    def parts(self) -> Iterable[Widget]:
        with Horizontal(id="columns"):
            with VerticalScroll(id="facts"):
                yield Words(f"task {formatting.one_line(self._task_id, 255)}", id="fields")
            with Vertical(id="right"):
                yield Words(id="attempts")
                yield Words("logs", id="about", classes="heading")
                yield RichLog(id="logs", max_lines=_LOG_LINES, min_width=0, wrap=True)

    async def look(self) -> None:
        self._found = task = await self.ask(lambda client: client.task(self._task_id))
        self.query_one("#fields", Words).say(fields_of(task))
        attempts = await self._attempts()
        self.query_one("#attempts", Words).say(attempts_of(attempts))
        attempt = task.get("attempt", 1)
        has_begun = bool(formatting.when(task["start_time"])) or formatting.has_ended(task["state"])
        if not self._followed:
            self.query_one("#about", Words).say("logs" if has_begun else "logs: it has not begun")
        if attempt != self._followed and has_begun:
            self._followed = attempt
            self.run_worker(self._follow(), name="logs", group="logs", exclusive=True)

    async def _attempts(self) -> list[Any]:
        try:
            answer = await self.ask(lambda client: client.task_attempts(self._task_id))
        except ApiError as error:
            if is_unknown(error):
                return []
            raise
        return [*answer["attempts"]]

    async def _follow(self) -> None:
        """Show what the task writes, until it has ended."""
        log, about, lines = self.query_one(RichLog), self.query_one("#about", Words), Lines()
        log.clear()
        about.say("logs, as they come")

        def begin(client: Any, following: Following) -> Iterator[Any]:
            return client.follow_task_logs(  # type: ignore[no-any-return]
                self._task_id, tail=_LOG_LINES, give_up_s=math.inf, on_break=following.broke
            )

        count = 0
        try:
            async for batch in self.top.source.follow(begin):
                found = [
                    line
                    for item in batch
                    for line in (lines.take(item) if "text" in item else lines.finish())
                ]
                count += len(found)
                for line in found[-_LOG_LINES:]:
                    log.write(line_of(line))
        except ApiError as error:
            about.say("this manager keeps no logs" if is_unknown(error) else formatting.plain(str(error)))
            return
        about.say("logs" if count else "logs: it has written nothing")

    def refused(self, error: ApiError) -> str:
        gone = f"task {self._task_id} is gone: somebody has deleted it; what is shown is older"
        return gone if error.status == 404 else str(error)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#facts", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_deed(self, verb: str) -> None:
        if self._found is not None:
            self.propose(partial(DEEDS_OF_TASK[verb], self._found))


def fields_of(task: Mapping[str, Any]) -> Text:
    """Draw all that a task has, its state first, and why."""
    shown = Text().append_text(drawing.state(task["state"], is_up=bool(task.get("up")))).append("\n\n")
    given = task_pairs(task)
    first = drawing.pairs((name, value) for name, value in given if name in _FIRST)
    if first:
        shown.append_text(first).append("\n\n")
    others = ((name, value) for name, value in given if name not in ("state", *_FIRST))
    return shown.append_text(drawing.pairs(others, chars_max=_FIELD_CHARS))


def attempts_of(attempts: list[Any]) -> Text:
    """Draw the newest attempts, a line each; nothing for a single one."""
    if len(attempts) < 2:
        return Text("")
    shown = Text.assemble((f"{len(attempts)} attempts", "bold"))
    for one in sorted(attempts, key=lambda one: -one["attempt"])[:_ATTEMPTS]:
        taken = (
            formatting.took(one["start_time"], one["finish_time"])
            if formatting.has_ended(one["state"])
            else ""
        )
        shown.append(f"\n{one['attempt']:>4} ").append_text(drawing.state(one["state"]))
        shown.append(f"  {taken}  ").append_text(drawing.text(one["proplet_id"], 30, "dim"))
        shown.append("  ").append_text(drawing.text(outcome(one, 200), 200))
    return shown


def line_of(line: Line) -> Text:
    return Text(formatting.plain(line.text), style="red" if line.stream == "stderr" else "")
