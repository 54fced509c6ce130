"""A database of SQLite whose rows are moved to another store, and a new one that rows are moved into."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from propeller import private
from propeller.store.sqlite.counts import count_all
from propeller.store.sqlite.opening import NO_JOURNAL, migrate
from propeller.store.tables import Table

Row = tuple[Any, ...]


def _columns(table: Table) -> str:
    """Name the columns; the number of a deleted task's last attempt is that of its row."""
    names = ["rowid" if (table.name, name) == ("past_attempts", "number") else name for name in table.columns]
    return ", ".join(names)


class SqliteRows:
    """The rows of a database in the snapshot of a connection; ``transfer.Source`` describes the methods."""

    def __init__(self, db: sqlite3.Connection, place: str) -> None:
        self.db = db
        self.place = place

    async def batches(self, table: Table) -> AsyncIterator[list[Row]]:
        cursor = self.db.execute(f"SELECT {_columns(table)} FROM {table.name}")  # noqa: S608
        while rows := cursor.fetchmany(table.rows_at_once):
            yield rows

    async def last_number(self, table: Table) -> int:
        number = "rowid" if table.name == "past_attempts" else table.numbered_by
        found: int = self.db.execute(f"SELECT COALESCE(MAX({number}), 0) FROM {table.name}").fetchone()[0]  # noqa: S608
        ever = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
        return max(found, ever[0] if ever else 0)


class SqliteDraft(SqliteRows):
    """A new database, in one transaction; ``transfer.Target`` describes the methods."""

    async def write(self, table: Table, rows: list[Row]) -> None:
        marks = ", ".join("?" * len(table.columns))
        self.db.executemany(f"INSERT INTO {table.name} ({_columns(table)}) VALUES ({marks})", rows)  # noqa: S608

    async def go_on_from(self, table: Table, number: int) -> None:
        # Only of this one a number is never used again.
        if table.name == "log_pieces":
            self.db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table.name,))
            self.db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, number))


@contextlib.contextmanager
def drafted(path: Path, *, takes_anything: bool = False) -> Iterator[SqliteDraft]:
    """Make a new database that the block fills; it is committed at the end of the block.

    One that ``takes_anything`` has no triggers and indexes, which read what is written.
    """
    private.make_file(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(NO_JOURNAL)
        migrate(db)
        if takes_anything:
            made = "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql <> ''"
            db.executescript(";".join(f"DROP {kind} {name}" for kind, name in db.execute(made).fetchall()))
        db.execute("PRAGMA synchronous=OFF")  # who gives it its name waits for the disk first
        db.execute("BEGIN")
        yield SqliteDraft(db, str(path))
        if not takes_anything:
            count_all(db)
        db.execute("COMMIT")
