"""The tables of docs/architecture.md are the imports that there are."""

import re
from functools import cache
from pathlib import Path

import grimp
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("propeller", exclude_type_checking_imports=False, cache_dir=None)


def children(package: str) -> set[str]:
    return {module.removeprefix(f"{package}.") for module in graph().find_children(package)}


def direct_imports(package: str) -> set[tuple[str, str]]:
    """Which child of a package imports which other one, itself or by a module inside of it."""
    start = f"{package}."
    pairs = {
        (importer.removeprefix(start).split(".")[0], imported.removeprefix(start).split(".")[0])
        for importer in graph().modules
        if importer.startswith(start)
        for imported in graph().find_modules_directly_imported_by(importer)
        if imported.startswith(start)
    }
    return {(importer, imported) for importer, imported in pairs if importer != imported}


def cells(chapter: str) -> list[list[str]]:
    """Return the rows of the table of a chapter, without its head."""
    text = PAGE.read_text().split(f"\n## {chapter}\n")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def names(cell: str) -> list[str]:
    return [name.rstrip("/") for name in re.findall(r"`([^`]+)`", cell)]


ROOMS = {room: set(names(imports)) for rooms, _, imports in cells("The rooms") for room in names(rooms)}
#: The last row: what every room may import, and no row names.
FOR_ALL = set(names(cells("The rooms")[-1][0]))
CORE = [names(files) for files, _ in cells("Inside the core")]


def test_each_room_has_its_row():
    assert set(ROOMS) == children("propeller") - {"__main__"}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_what_its_row_says(room):
    found = {imported for importer, imported in direct_imports("propeller") if importer == room}
    assert ROOMS[room] == found - FOR_ALL, f"docs/architecture.md: write this into the row of {room}/"


def test_what_all_may_import_imports_no_room():
    assert not {pair for pair in direct_imports("propeller") if pair[0] in FOR_ALL}


def test_each_file_of_the_core_has_its_place_once():
    assert sorted(file for row in CORE for file in row) == sorted(children("propeller.core"))


def test_a_file_of_the_core_knows_those_of_lower_rows_only():
    row_of = {file: number for number, row in enumerate(CORE) for file in row}
    upward = {pair for pair in direct_imports("propeller.core") if row_of[pair[0]] >= row_of[pair[1]]}
    assert not upward, "docs/architecture.md: these are not in the order that the page says"
