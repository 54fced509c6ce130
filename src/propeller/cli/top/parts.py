"""The table and the texts that pages are made of."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Static


class Row(NamedTuple):
    """A row of a table: what it is about, by a key of its own, and its cells."""

    key: str
    cells: Sequence[Text]


class Table(DataTable[Text], inherit_bindings=False):
    """A table whose rows change while somebody reads it: the cursor stays on its record."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "open"),
        Binding("down,j", "cursor_down", "next row", show=False),
        Binding("up,k", "cursor_up", "row before", show=False),
        Binding("pagedown", "page_down", "a screen down", show=False),
        Binding("pageup", "page_up", "a screen up", show=False),
        Binding("home", "scroll_top", "first row", show=False),
        Binding("end", "scroll_bottom", "last row", show=False),
        Binding("right", "scroll_right", "more to the right", show=False),
        Binding("left", "scroll_left", "back to the left", show=False),
    ]

    def __init__(self, *headings: str, id: str | None = None) -> None:  # noqa: A002  as Textual calls it
        super().__init__(cursor_type="row", cursor_foreground_priority="renderable", id=id)
        self._headings = headings
        self._shown: dict[str, tuple[Text, ...]] = {}

    def on_mount(self) -> None:
        for heading in self._headings:
            self.add_column(Text(heading, style="bold"), key=heading, width=len(heading))

    @property
    def chosen(self) -> str | None:
        """The key of the row that the cursor is on."""
        keys = [*self._shown]
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else None

    def show(self, rows: Iterable[Row]) -> None:
        """Show these rows in this order; only cells that differ are drawn anew."""
        wanted = {row.key: tuple(row.cells) for row in rows}
        self._widen(wanted.values())
        if [*wanted] == [*self._shown]:
            for key, cells in wanted.items():
                for heading, cell, before in zip(self._headings, cells, self._shown[key], strict=True):
                    if cell != before:
                        self.update_cell(key, heading, cell, update_width=True)
            self._shown = wanted
            return
        chosen, number, top = self.chosen, self.cursor_row, self.scroll_y
        self.clear()
        for key, cells in wanted.items():
            self.add_row(*cells, key=key)
        self._shown = wanted
        keys = [*wanted]
        if keys:
            self.move_cursor(row=keys.index(chosen) if chosen in wanted else min(number, len(keys) - 1))
        self.scroll_to(y=top, animate=False)

    def _widen(self, rows: Iterable[Sequence[Text]]) -> None:
        """Give each column the room that its cells need.

        That is done before they are drawn: the table keeps what it has drawn, and its own widths come later.
        """
        wide = [len(heading) for heading in self._headings]
        for cells in rows:
            wide = [max(width, cell.cell_len) for width, cell in zip(wide, cells, strict=True)]
        for column, width in zip(self.ordered_columns, wide, strict=False):  # there are none before the mount
            column.width = width


class Words(Static):
    """Text that is shown as it is."""

    def __init__(self, text: Text | str = "", *, id: str | None = None, classes: str = "") -> None:  # noqa: A002
        super().__init__(_as_text(text), id=id, classes=classes, markup=False)

    def say(self, text: Text | str) -> None:
        self.update(_as_text(text))


def _as_text(text: Text | str) -> Text:
    return text if isinstance(text, Text) else Text(text)
