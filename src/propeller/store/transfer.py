"""Moves all that a store holds into an empty one, row by row, and reads it back to compare."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, Protocol

import msgspec

from propeller.errors import StoreUnusable
from propeller.store.tables import TABLES, Table

Row = tuple[Any, ...]

_encode = msgspec.msgpack.Encoder().encode


class Source(Protocol):
    """A store that is read as it is at one moment."""

    #: For people.
    place: str

    def batches(self, table: Table) -> AsyncIterator[list[Row]]:
        """Read all rows, some at a time."""

    async def last_number(self, table: Table) -> int:
        """Give the largest number that a row of the table ever had."""


class Target(Source, Protocol):
    """An empty store that is being filled; it is there for others only once it is whole."""

    async def write(self, table: Table, rows: list[Row]) -> None: ...

    async def go_on_from(self, table: Table, number: int) -> None:
        """Give larger numbers than this one to the rows that come later."""


class Content(NamedTuple):
    """What a table holds: how many rows, and the sum of their hashes, whatever their order."""

    rows: int = 0
    hashes: int = 0

    def with_rows(self, rows: list[Row]) -> "Content":
        total = self.hashes
        for row in rows:
            total += int.from_bytes(hashlib.sha256(_encode(row)).digest())
        return Content(self.rows + len(rows), total % 2**256)


async def move(source: Source, target: Target) -> dict[str, int]:
    """Copy all tables, and compare what the target then holds; give the number of rows in each.

    Raises:
        StoreUnusable: The target does not hold what was written.

    """
    written: dict[str, Content] = {}
    for table in TABLES:
        content = Content()
        async for rows in source.batches(table):
            await target.write(table, rows)
            content = content.with_rows(rows)
        if table.numbered_by:
            await target.go_on_from(table, await source.last_number(table))
        written[table.name] = content
    for table in TABLES:
        content = Content()
        async for rows in target.batches(table):
            content = content.with_rows(rows)
        expected = written[table.name]
        if content != expected:
            raise StoreUnusable(
                f"{target.place} does not hold what was written: {content.rows} of {expected.rows} rows of "
                f"{table.name}, or others; look at its disk and memory. {source.place} is as it was"
            )
    return {name: content.rows for name, content in written.items()}
