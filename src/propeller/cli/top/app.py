"""The program on the screen: its pages, the way between them, and the connection."""

import asyncio
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.binding import Binding, BindingType

from propeller.cli.top.asking import PLACES, Going, Help
from propeller.cli.top.connection import Connection
from propeller.cli.top.events import EventsPage
from propeller.cli.top.fleet import FleetPage
from propeller.cli.top.frame import PAGES, Host, Page
from propeller.cli.top.groups import GroupsPage
from propeller.cli.top.overview import OverviewPage
from propeller.cli.top.source import Following, Source, is_unknown
from propeller.cli.top.tasks import TasksPage
from propeller.client.errors import ApiError
from propeller.client.events import Pace
from propeller.errors import PropellerError

if TYPE_CHECKING:
    from propeller.client.api import Client

#: How long a manager that refuses to be followed is left alone.
_RETRY_S = 5.0


class Top(Host):
    """Shows what a manager runs, until its user leaves."""

    TITLE = "propeller top"
    CSS_PATH = "top.tcss"
    ENABLE_COMMAND_PALETTE = False
    MODES: ClassVar[dict[str, Any]] = {
        "overview": OverviewPage,
        "groups": GroupsPage,
        "tasks": TasksPage,
        "fleet": FleetPage,
        "events": EventsPage,
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"page('{name}')", title, show=False) for name, key, title in PAGES),
        Binding("g", "go", "go to"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("question_mark", "help", "keys", key_display="?"),
        Binding("q", "quit", "quit"),
        Binding("ctrl+q", "quit", "quit", show=False),
    ]

    def __init__(self, client: "Client") -> None:
        """Make one; the client stays the caller's, who closes it."""
        super().__init__()
        self.address = client.base_url
        self.source = Source(client, answered=self._answered, broke=self._broke)
        self.overview = None
        self.has_overview = True
        self._connection = Connection()
        self._pace = Pace()

    def on_mount(self) -> None:
        self.switch_mode("overview")
        self.set_interval(1, self._say)
        self._say()
        self.run_worker(self._follow(), name="follow")

    # -- news ------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Hear of news: by the overview, or where there is none by events, or else by the clock."""
        while True:
            try:
                await self._hear(self._overviews if self.has_overview else self._events)
            except ApiError as error:
                # Of any other refusal, the page that is shown hears too, and says it.
                if is_unknown(error) and self.has_overview:
                    self.has_overview = False
                    continue
            await asyncio.sleep(_RETRY_S)

    async def _hear(self, begin: Any) -> None:
        async for batch in self.source.follow(begin):
            for item in batch:
                if "proplets" in item:
                    self.overview = item
            self.news()

    def _overviews(self, client: "Client", following: Following) -> Iterator[Any]:
        return client.follow_overview(give_up_s=math.inf, on_break=following.broke)

    def _events(self, client: "Client", following: Following) -> Iterator[Any]:
        return client.follow(give_up_s=math.inf, pace=self._pace, on_break=following.broke)

    # -- the connection --------------------------------------------------------------------------------------

    def _answered(self) -> None:
        if not self._connection.is_standing:
            self._connection.answered()
            self._say()
            self.news()

    def _broke(self, error: PropellerError) -> None:
        self._connection.broke(str(error), time.monotonic())
        self._say()

    def _say(self) -> None:
        self.said = self._connection.said(time.monotonic())

    # -- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out the search where there is nothing to search."""
        return action != "search" or (isinstance(self.screen, Page) and bool(self.screen.searched))

    async def action_page(self, name: str, kind: str = "") -> None:
        """Go to a page, as it is in a list: what was opened on it is closed."""
        await self.switch_mode(name)
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        if kind and isinstance(self.screen, GroupsPage):
            self.screen.show_kind(kind)

    def action_go(self) -> None:
        async def go(key: str | None) -> None:
            if key:
                name, kind, _ = PLACES[key]
                await self.action_page(name, kind)

        if isinstance(self.screen, Page):
            self.push_screen(Going(), go)

    def action_search(self) -> None:
        screen = self.screen
        if isinstance(screen, Page):
            screen.action_search()

    def action_help(self) -> None:
        if isinstance(self.screen, Page):
            self.push_screen(Help(cast("Any", self.screen)))
