"""What the pages of lists have in common: the place in the list, a search and a state that narrow it."""

from collections.abc import Sequence
from typing import Any, ClassVar

from propeller.cli import formatting
from propeller.cli.top import drawing, lists
from propeller.cli.top.frame import Page


class ListPage(Page):
    """A page of a list at a time, the newest first."""

    searched = "an id by its beginning, or a part of a name"
    #: Those that the list can be narrowed to, one after the other; the first is all.
    states: ClassVar[Sequence[str]]

    def __init__(self) -> None:
        super().__init__()
        self._place = lists.Place()
        #: The records on the screen, by id.
        self._shown: dict[str, Any] = {}

    def searches(self, text: str) -> None:
        self._place.narrow(search=text)
        self.stale()

    def action_filter(self) -> None:
        after = self.states.index(self._place.state) + 1
        self._place.narrow(state=self.states[after % len(self.states)])
        self.stale()

    def action_turn(self, step: int) -> None:
        if self._place.turn(step):
            self.stale()


def about(plural: str, place: lists.Place, found: lists.Found, empty: str) -> str:
    """Say above a list what is shown of it."""
    chosen = [f"{place.state} only" if place.state else "", f"search: {place.search}" if place.search else ""]
    shown = drawing.number_of(len(found.items), plural) if found.total is None or place.search else ""
    parts = [shown or drawing.number_of(found.total or 0, plural), *chosen]
    if place.number > 1 or place.next_cursor:
        parts.append(f"page {place.number}")
    parts += [found.remark, "" if found.items else empty]
    return formatting.plain("   ".join(filter(None, parts)))
