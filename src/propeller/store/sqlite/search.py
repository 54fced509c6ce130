"""Searches among all tasks, in the order of their creation, piece by piece.

There is no index for a part of a name, which each task would have to pay for. A search passes over the tasks
that an index leads to, if one does, or else over all of them. One that takes long stops where it is, and goes
on from there when it is asked for more.
"""

import sqlite3
import time
from typing import Any

from propeller.store import limits
from propeller.store.port import FoundTasks, Sought, TaskCursor
from propeller.store.sqlite.queries import are_some_going, called, of_records, read_tasks

_SEQ_MAX = 2**63 - 1
_HAS_PREFIX = "t.id >= ? AND t.id <= ? || char(1114111)"
#: The proplet of the last attempt, or of one of the executions of a broadcast.
_IS_ON_PROPLET = (
    "(r.proplet_id = ? OR (r.proplet_id = '' "
    "AND EXISTS (SELECT 1 FROM executions e WHERE e.seq = r.seq AND e.proplet_id = ?)))"
)


def prepare(db: sqlite3.Connection) -> None:
    """Give a connection the functions that searches for texts call."""
    db.create_function("casefold", 1, str.casefold, deterministic=True)


class TaskSearch:
    """One search; its pieces may run in different threads, one after another."""

    def __init__(
        self, only: Sought, limit: int, *, newest_first: bool = False, after: TaskCursor | None = None
    ) -> None:
        """Take what is searched for, how many to find, and where the search before this one stopped."""
        self._only = only
        self._limit = limit
        self._order, self._further = ("DESC", "<") if newest_first else ("ASC", ">")
        self._found: list[int] = []
        self._is_first = after is None
        self._seq = after.seq if after is not None else _SEQ_MAX if newest_first else 0
        self._has_ids = after is not None and after.has_ids
        self._count = limits.SEARCH_FIRST_PIECE
        self._has_more = True

    def piece(self, db: sqlite3.Connection) -> bool:
        """Search on; say whether more has to be searched."""
        if self._is_first:
            self._is_first = False
            self._find_ids(db)
        room = self._limit - len(self._found)
        if not room:
            return False
        began = time.perf_counter()
        conditions, values = self._conditions(db)
        source, source_values = self._source()
        passed = f"{source} ORDER BY seq {self._order} LIMIT {self._count}"
        bounds = f"SELECT COUNT(*), MIN(seq), MAX(seq) FROM ({passed})"  # noqa: S608
        count, low, high = db.execute(bounds, source_values).fetchone()
        # Joined in this order, so that only what is passed over is looked at.
        sql = (
            f"SELECT p.seq FROM ({passed}) p CROSS JOIN runs r ON r.seq = p.seq "  # noqa: S608
            f"CROSS JOIN tasks t ON t.seq = p.seq WHERE {conditions} ORDER BY p.seq {self._order} LIMIT ?"
        )
        found = [row[0] for row in db.execute(sql, (*source_values, *values, room))]
        self._found += found
        is_full = len(found) == room
        end = low if self._order == "DESC" else high
        self._has_more = count == self._count or (is_full and found[-1] != end)
        if count:
            self._seq = found[-1] if is_full else end
        is_quick = time.perf_counter() - began < limits.SEARCH_PIECE_S
        self._count = self._count * 2 if is_quick else max(self._count // 2, 1)
        return self._has_more and not is_full

    def _find_ids(self, db: sqlite3.Connection) -> None:
        """Find tasks by the begin of their ids, to which an index leads, if these are no more than a page."""
        if not self._only.text:
            return
        sql = f"SELECT seq FROM tasks t WHERE {_HAS_PREFIX} LIMIT {self._limit + 1}"  # noqa: S608
        found = [row[0] for text in self._prefixes for row in db.execute(sql, (text, text))]
        if not 0 < len(set(found)) <= self._limit:
            return
        conditions, values = self._conditions(db)
        sql = (
            "SELECT t.seq FROM tasks t JOIN runs r ON r.seq = t.seq "  # noqa: S608
            f"WHERE t.seq IN ({','.join(map(str, found))}) AND {conditions} ORDER BY t.seq {self._order}"
        )
        self._found = [row[0] for row in db.execute(sql, values)]
        self._has_ids = True

    @property
    def _prefixes(self) -> list[str]:
        text = self._only.text
        return list(dict.fromkeys((text, text.lower())))

    def _source(self) -> tuple[str, list[Any]]:
        """Say which tasks are passed over: those that an index leads to, from the present place on."""
        only = self._only.only
        for column in ("workflow_id", "job_id"):
            if group_id := getattr(only, column):
                of_group = f"SELECT seq FROM tasks WHERE {column} = ?"  # noqa: S608
                return f"{of_group} AND seq {self._further} ?", [group_id, self._seq]
        if only.state is not None and not only.state.has_ended:
            live = "SELECT seq FROM runs INDEXED BY runs_live WHERE state < 3"
            return f"{live} AND seq {self._further} ?", [self._seq]
        for key, value in only.metadata.items():
            if len(value) <= limits.INDEXED_CHARS_MAX:
                having = "SELECT seq FROM task_metadata WHERE key = ? AND value = ?"
                return f"{having} AND seq {self._further} ?", [key, value, self._seq]
        return f"SELECT seq FROM runs WHERE seq {self._further} ?", [self._seq]  # noqa: S608

    def _conditions(self, db: sqlite3.Connection) -> tuple[str, list[Any]]:
        """Say what a task ``t`` with its run ``r`` must be like, the cheap conditions first."""
        only = self._only.only
        found, values = of_records("t", only)
        for column in ("workflow_id", "job_id"):
            if group_id := getattr(only, column):
                found.append(f"t.{column} = ?")
                values.append(group_id)
        if only.state is not None:
            found.append(f"r.state = {int(only.state)}")
        if self._only.proplet_id:
            found.append(_IS_ON_PROPLET)
            values += [self._only.proplet_id] * 2
        if are_some_going(db):
            found.append("COALESCE(t.workflow_id, t.job_id, t.id) NOT IN (SELECT id FROM going)")
        for key, value in only.metadata.items():
            table = "task_metadata" if len(value) <= limits.INDEXED_CHARS_MAX else "metadata_of_specs"
            found.append(f"EXISTS (SELECT 1 FROM {table} WHERE key = ? AND value = ? AND seq = t.seq)")  # noqa: S608
            values += [key, value]
        if only.name:
            found.append("t.spec ->> 'name' = ?")
            values.append(only.name)
        if self._has_ids:
            for text in self._prefixes:
                found.append(f"NOT ({_HAS_PREFIX})")
                values += [text, text]
        if text := self._only.text:
            has_text, texts = called("t.id", "t.spec ->> 'name'", text)
            found.append(has_text)
            values += texts
        return " AND ".join(found) or "TRUE", values

    def page(self, db: sqlite3.Connection) -> FoundTasks:
        """Read what was found; a task that was deleted meanwhile is left out."""
        seqs = ",".join(map(str, self._found))
        tasks = {task.seq: task for task in read_tasks(db, f"WHERE t.seq IN ({seqs})", ())}
        cursor = TaskCursor(self._seq, has_ids=self._has_ids) if self._has_more else None
        return FoundTasks([tasks[seq] for seq in self._found if seq in tasks], cursor)
