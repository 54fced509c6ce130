"""Runs the pieces of a search among all tasks in SQLite.

There is an index of names, but none of their parts. Where tasks have only some hundred different names, all
of these are looked at, and a search passes over the tasks of those that have the text.
"""

import sqlite3
import time

from propeller.store import limits, searches
from propeller.store.filters import has_prefix
from propeller.store.port import FoundTasks, Sought, TaskCursor
from propeller.store.searches import Passed
from propeller.store.sqlite.lists import ALL, SEQ_MAX, Source, of_names, ordered_source
from propeller.store.sqlite.queries import DIALECT, are_some_going, read_tasks

_NAMES = """
WITH RECURSIVE names (name) AS (
  SELECT * FROM (SELECT spec ->> 'name' FROM tasks ORDER BY spec ->> 'name' LIMIT 1)
  UNION ALL
  SELECT (
    SELECT spec ->> 'name' FROM tasks WHERE spec ->> 'name' > names.name ORDER BY spec ->> 'name' LIMIT 1
  ) FROM names WHERE names.name IS NOT NULL LIMIT ?
) SELECT name FROM names WHERE name IS NOT NULL
"""
#: More ways to write the begin of an id in large and small letters are not looked for.
_CASES_MAX = 64


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
        cases = _cases_of(db, text) if text else None
        if cases is None or not (cases == [] or (self._has_ids and {*cases} <= {text, text.lower()})):
            return ordered_source(db, only)
        # No other task has an id with the text, so that only names are left.
        names = _names_with(db, text)
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


def _cases_of(db: sqlite3.Connection, text: str) -> list[str] | None:
    """Find how ids are written that begin with a text in whatever case; None where that is not known."""
    if not text.isascii():
        return None
    found = [""]
    for char in text:
        longer = [begin + case for begin in found for case in sorted({char.lower(), char.upper()})]
        found = []
        for begin in longer:
            begins, values = has_prefix("t.id", begin)
            if db.execute(f"SELECT 1 FROM tasks t WHERE {begins} LIMIT 1", values).fetchone():  # noqa: S608
                found.append(begin)
        if not found or len(found) > _CASES_MAX:
            break
    return None if len(found) > _CASES_MAX else found


def _names_with(db: sqlite3.Connection, text: str) -> list[str] | None:
    """Find the names with a text, if tasks have few names, and few have the text; None if not."""
    names = [row[0] for row in db.execute(_NAMES, (limits.NAMES_LOOKED_AT_MAX + 1,))]
    found = [name for name in names if text.lower().encode() in name.encode().lower()]
    few = len(names) <= limits.NAMES_LOOKED_AT_MAX and len(found) <= limits.NAMES_MERGED_MAX
    return found if few else None


def _hidden(db: sqlite3.Connection) -> list[str]:
    """Say that tasks that are being deleted do not fit, if there are any."""
    if not are_some_going(db):
        return []
    return ["COALESCE(t.workflow_id, t.job_id, t.id) NOT IN (SELECT id FROM going)"]
