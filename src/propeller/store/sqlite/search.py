"""Runs the pieces of a search among all tasks in SQLite."""

import sqlite3
import time

from propeller.store import searches
from propeller.store.filters import has_prefix
from propeller.store.port import FoundTasks, Sought, TaskCursor
from propeller.store.searches import Passed
from propeller.store.sqlite.lists import ALL, SEQ_MAX, Source, of_names, ordered_source
from propeller.store.sqlite.named import cases_of, names_of_tasks
from propeller.store.sqlite.queries import DIALECT, are_some_going, read_tasks


def prepare(db: sqlite3.Connection) -> None:
    """Give a connection the functions that searches for texts call."""
    db.create_function("casefold", 1, str.casefold, deterministic=True)


class TaskSearch(searches.TaskSearch):
    """One search; its pieces may run in different threads, one after another."""

    def __init__(
        self, only: Sought, limit: int, *, newest_first: bool = False, after: TaskCursor | None = None
    ) -> None:
        super().__init__(DIALECT, only, limit, newest_first=newest_first, after=after)
        self._source: Source | None = None

    def piece(self, db: sqlite3.Connection) -> bool:
        """Search on; say whether more has to be searched."""
        if self._source is None:
            self._source = self._begin(db)
        room = self.room
        if not room:
            return False
        began = time.perf_counter()
        fits = self.conditions(*_hidden(db))
        low, high = (0, self._seq - 1) if self.order == "DESC" else (self._seq + 1, SEQ_MAX)
        source, source_values = self._source.select("s.seq AS seq", low=low, high=high), self._source.values()
        passed = f"{source} ORDER BY {self._source.ordered(self.order)} LIMIT {self.count}"
        bounds = f"SELECT COUNT(*), MIN(seq), MAX(seq) FROM ({passed})"  # noqa: S608
        count, low, high = db.execute(bounds, source_values).fetchone()
        # Joined in this order, so that only what is passed over is looked at.
        sql = (
            f"SELECT p.seq FROM ({passed}) p CROSS JOIN runs r ON r.seq = p.seq "  # noqa: S608
            f"CROSS JOIN tasks t ON t.seq = p.seq WHERE {fits.text} ORDER BY p.seq {self.order} LIMIT ?"
        )
        found = [row[0] for row in db.execute(sql, (*source_values, *fits.values, room))]
        return self.take(Passed(count, low, high, found), time.perf_counter() - began)

    def _begin(self, db: sqlite3.Connection) -> Source:
        """Find the tasks that come before all others, and choose those that are passed over for the rest."""
        text, only = self._only.text, self._only.only
        prefixes = self.first_prefixes()
        if prefixes:
            self.take_ids(self._find_ids(db, prefixes))
        cases = cases_of(db, "tasks", text) if text else None
        if cases is None or not (cases == [] or (self._has_ids and {*cases} <= {text, text.lower()})):
            return ordered_source(db, only)
        # No other task has an id with the text, so that only names are left.
        names = names_of_tasks(db, text)
        if names is None:
            return ordered_source(db, only)
        return ordered_source(db, only, [of_names(names)]) if names else ALL._replace(where="FALSE")

    def _find_ids(self, db: sqlite3.Connection, prefixes: list[str]) -> list[int] | None:
        found: set[int] = set()
        for prefix in prefixes:
            begins, values = has_prefix("t.id", prefix)
            sql = f"SELECT seq FROM tasks t WHERE {begins} LIMIT ?"  # noqa: S608
            found.update(row[0] for row in db.execute(sql, (*values, self.room + 1)))
        if not 0 < len(found) <= self.room:
            return None
        fits = self.conditions(*_hidden(db))
        sql = (
            "SELECT t.seq FROM tasks t JOIN runs r ON r.seq = t.seq "  # noqa: S608
            f"WHERE t.seq IN ({','.join(map(str, found))}) AND {fits.text} ORDER BY t.seq {self.order}"
        )
        return [row[0] for row in db.execute(sql, fits.values)]

    def page(self, db: sqlite3.Connection) -> FoundTasks:
        """Read what was found; a task that was deleted meanwhile is left out."""
        seqs = ",".join(map(str, self.found))
        tasks = {task.seq: task for task in read_tasks(db, f"WHERE t.seq IN ({seqs})", ())}
        return FoundTasks([tasks[seq] for seq in self.found if seq in tasks], self.next)


def _hidden(db: sqlite3.Connection) -> list[str]:
    """Say that tasks that are being deleted do not fit, if there are any."""
    if not are_some_going(db):
        return []
    return ["COALESCE(t.workflow_id, t.job_id, t.id) NOT IN (SELECT id FROM going)"]
