"""The table of the pages: rows that change while somebody reads them."""

import asyncio

from rich.text import Text
from textual.app import App

from propeller.cli.top.parts import Row, Table


class Shown(App):
    def compose(self):
        yield Table("A", "B")


def lines(app):
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()][:4]


def play(part):
    async def scene():
        app = Shown()
        async with app.run_test(size=(60, 8)) as pilot:
            await part(app, app.query_one(Table), pilot)

    asyncio.run(scene())


def a_row(key, *cells):
    return Row(key, [Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells])


def test_a_cell_that_grows_is_seen_whole_however_early_it_is_drawn():
    async def part(app, table, pilot):
        table.show([a_row("1", "x", "y")])
        await pilot.pause()
        for text in ("a longer one", "short", "the longest of all of them", ""):
            table.show([a_row("1", "x", text)])
            table.render_line(1)  # as a screen does that is drawn before the table is idle
            await pilot.pause()
            assert lines(app)[1] == f" x  {text}".rstrip()

    play(part)


def test_the_cursor_stays_on_its_row_and_is_at_its_place_when_that_is_gone():
    async def part(app, table, pilot):
        table.show([a_row(key, key, "") for key in "abc"])
        table.move_cursor(row=1)
        await pilot.pause()
        table.show([a_row(key, key, "") for key in "xyabc"])
        assert table.chosen == "b"
        table.show([a_row(key, key, "") for key in "xyac"])
        assert table.chosen == "c", "the one that has come to its place"
        table.show([])
        assert table.chosen is None

    play(part)
