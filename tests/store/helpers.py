"""What the tests of stores share."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from propeller.store.port import TaskFilter
from propeller.store.sqlite.mark import Durability
from propeller.store.sqlite.store import SqliteStore

T = TypeVar("T")

EVERYTHING = TaskFilter()
#: Tables that count, and those that outlive the records that they are about.
_NOT_RECORDS = (
    "totals",
    "task_blocks",
    "quiet_commits",
    "log_total",
    "sqlite_sequence",
    "events",
    "past_attempts",
    "leader",
    "identity",
    "schema_version",
    "identity",
)


def write_as_of(version: int, path: Path, statements: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
    """Make a database as the program wrote it when it knew so many migrations."""
    folder = resources.files("propeller.store.sqlite") / "migrations"
    steps = sorted(entry for entry in folder.iterdir() if entry.name.endswith(".sql"))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for step in steps[:version]:
            db.executescript(step.read_text())
        for sql, values in statements:
            db.execute(sql, values)
        db.execute(f"PRAGMA user_version={version}")


def ids(records: Iterable[Any]) -> list[str]:
    return [record.id for record in records]


def records_in(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Give how many rows there are of each table that has any, but for those that count."""
    return {name: count for name, count in counts if count and name not in _NOT_RECORDS}


def rows_of(directory: Path) -> dict[str, int]:
    """Count the records in each table of a database of SQLite that has any."""
    with contextlib.closing(sqlite3.connect(directory / "propeller.db")) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return records_in((name, db.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]) for name in names)


class SqliteData:
    """A directory with a store in SQLite, to be opened and closed as often as a test likes."""

    kind = "sqlite"

    def __init__(self, directory: Path, *, durability: Durability = "full") -> None:
        self._directory = directory
        self._durability = durability

    def with_store(self, work: Callable[[Any], Awaitable[T]], **options: Any) -> T:
        """Open it, work with it, close it."""

        async def run() -> T:
            store = SqliteStore(self._directory, durability=self._durability, **options)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(run())

    def reopen(self) -> None:
        pass

    def rows(self) -> dict[str, int]:
        return rows_of(self._directory)

    def remove(self) -> None:
        pass
