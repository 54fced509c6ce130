"""What all pages have: the bars, the search, and the clock by which they look anew."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Input

from propeller.cli import formatting
from propeller.cli.top.asking import Asked
from propeller.cli.top.deeds import Deed
from propeller.cli.top.parts import Table, Words
from propeller.cli.top.source import Source
from propeller.client.errors import ApiError, Unreachable, Untrusted
from propeller.errors import Invalid

#: The least time between two looks of a page, and the most.
_BREATH_S = 0.5
_LOOK_ANEW_S = 5.0
#: How long the search waits for more letters.
_TYPING_S = 0.25
PAGES = (
    ("overview", "1", "Overview"),
    ("groups", "2", "Workflows and jobs"),
    ("tasks", "3", "Tasks"),
    ("fleet", "4", "Fleet"),
    ("events", "5", "Events"),
)
#: The keys of what is done to a task, a workflow or a job.
DEEDS: list[BindingType] = [
    Binding("s", "deed('start')", "start"),
    Binding("x", "deed('stop')", "stop"),
    Binding("r", "deed('rerun')", "rerun"),
    Binding("d", "deed('delete')", "delete"),
]
#: The keys of a list that is shown in pages.
PAGING: list[BindingType] = [
    Binding("f", "filter", "choose a state"),
    Binding("n", "turn(1)", "next page", show=False),
    Binding("b", "turn(-1)", "page before", show=False),
]


class Host(App[None]):
    """What a page knows of the program that shows it."""

    #: The manager's.
    address: str
    source: Source
    #: The last overview; None where the manager has none.
    overview: Any
    has_overview: bool
    #: What is to be said of the connection; ``""`` while all is well.
    said: reactive[str] = reactive("")

    def news(self) -> None:
        """Let the page that is shown look anew."""
        if isinstance(self.screen, Page):
            self.screen.stale()


class Page(Screen[None]):
    """One page; it looks anew when the manager has news, and now and then."""

    #: Its name among ``PAGES``.
    page: ClassVar[str] = ""
    #: What ``/`` searches, in words; ``""`` if there is nothing to search.
    searched: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "back", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._stale = asyncio.Event()
        self.search = ""

    @property
    def top(self) -> Host:
        return cast("Host", self.app)

    # -- what a page is --------------------------------------------------------------------------------------

    def parts(self) -> Iterable[Widget]:
        """Give what stands between the bars."""
        raise NotImplementedError

    async def look(self) -> None:
        """Ask the manager for what is shown, and show it."""
        raise NotImplementedError

    def searches(self, text: str) -> None:
        """Take in what is searched for, and look anew."""

    # -- the frame -------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Words(self._tabs(), id="tabs")
        yield Words(id="connection")
        yield Words(id="trouble")
        with Vertical(id="body"):
            yield from self.parts()
        yield Input(placeholder=f"search {self.searched}", id="search")
        yield Footer(show_command_palette=False)

    def _tabs(self) -> Text:
        shown = Text(no_wrap=True, overflow="ellipsis")
        for name, key, title in PAGES:
            shown.append(f" {key} {title} ", style="bold reverse" if name == self.page else "")
            shown.append(" ")
        return shown.append(f"  {self.top.address}", style="dim")

    def on_mount(self) -> None:
        self.query_one("#search").display = False
        self.say_trouble("")
        self.watch(self.app, "said", self._say_connection)
        if table := self.query(Table):
            table.first().focus()
        self.set_interval(_LOOK_ANEW_S, self.stale)
        self.run_worker(self._keep_fresh(), name="keep fresh")

    def on_screen_resume(self) -> None:
        self.stale()

    def _say_connection(self, said: str) -> None:
        bar = self.query_one("#connection", Words)
        bar.display = bool(said)
        bar.say(Text(f" {said}", no_wrap=False))

    def say_trouble(self, text: str) -> None:
        """Say above the page what is wrong with it; ``""`` for nothing."""
        bar = self.query_one("#trouble", Words)
        bar.display = bool(text)
        bar.say(Text(f" {formatting.plain(text)}"))

    def stale(self) -> None:
        """Take in that there is news: the page looks anew, if it is the one that is shown."""
        self._stale.set()

    async def _keep_fresh(self) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            if self.is_active:
                await self.look_once()
                await asyncio.sleep(_BREATH_S)

    async def look_once(self) -> None:
        """Look, and say what the manager refuses; while it does not answer, all stays as it is."""
        try:
            await self.look()
        except (Unreachable, Untrusted):
            return
        except ApiError as error:
            self.say_trouble(self.refused(error))
        else:
            self.say_trouble("")

    def refused(self, error: ApiError) -> str:
        """Say what it means that the manager refuses to show what the page is about."""
        return str(error)

    # -- keys ------------------------------------------------------------------------------------------------

    def action_back(self) -> None:
        if self.query_one("#search").display:
            self._close_search()
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def action_search(self) -> None:
        field = self.query_one("#search", Input)
        field.display = True
        field.focus()

    def _close_search(self) -> None:
        field = self.query_one("#search", Input)
        field.value = ""
        field.display = False
        self._take_search()
        self._focus_table()

    @on(Input.Changed, "#search")
    def _typed(self) -> None:
        self.run_worker(self._wait_for_more(), group="typing", exclusive=True)

    async def _wait_for_more(self) -> None:
        await asyncio.sleep(_TYPING_S)
        self._take_search()

    @on(Input.Submitted, "#search")
    def _submitted(self) -> None:
        self._take_search()
        self._focus_table()

    def _take_search(self) -> None:
        wanted = self.query_one("#search", Input).value.strip()
        if wanted != self.search:
            self.search = wanted
            self.searches(wanted)

    def _focus_table(self) -> None:
        if table := self.query(Table):
            table.first().focus()

    def propose(self, make: Callable[[], Deed]) -> None:
        """Ask whether something is to be done, and do it then; or say why it can't be done."""

        async def ask(deed: Deed) -> None:
            if await self.app.push_screen_wait(Asked(deed)):
                await self._do(deed)

        try:
            self.run_worker(ask(make()), group="deed")
        except Invalid as error:
            self.tell(str(error), is_bad=True)

    async def _do(self, deed: Deed) -> None:
        try:
            await self.top.source.ask(deed.do)
        except (Unreachable, Untrusted) as error:
            later = "whether it was done shows when the manager answers again"
            self.tell(f"{error}; {later}", is_bad=True)
        except ApiError as error:
            self.tell(str(error), is_bad=True)
        else:
            self.tell(deed.done)
        self.top.news()

    def tell(self, text: str, *, is_bad: bool = False) -> None:
        """Say something for some seconds."""
        self.app.notify(formatting.plain(text), severity="error" if is_bad else "information", markup=False)

    async def ask(self, request: Any) -> Any:
        """Ask the manager, as ``Source`` does."""
        return await self.top.source.ask(request)
