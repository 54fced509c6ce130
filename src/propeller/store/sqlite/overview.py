"""Looks at the whole: how many records there are, which tasks failed last, and at what pace they go."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from propeller.core.model import GroupKind, Task
from propeller.core.states import FAILED, TaskState
from propeller.store import limits
from propeller.store.filters import among
from propeller.store.port import PaceStep, Page, TaskFilter, Totals
from propeller.store.sqlite.lists import count_tasks
from propeller.store.sqlite.queries import are_some_going, read_tasks, snapshot

_PACE_COLUMNS = ", ".join(PaceStep._fields)
#: Failed tasks that are being deleted, as their workflow or job is, are no longer shown.
_IS_SHOWN = (
    "(SELECT COALESCE(workflow_id, job_id, id) FROM tasks t WHERE t.seq = r.seq) "
    "NOT IN (SELECT id FROM going)"
)


def read_totals(db: sqlite3.Connection) -> Totals:
    groups: dict[GroupKind, dict[TaskState, int]] = {kind: {} for kind in GroupKind}
    with snapshot(db):
        for kind, state, count in db.execute("SELECT kind, state, count FROM totals WHERE kind <> 'task'"):
            groups[GroupKind(kind)][TaskState(state)] = count
        return Totals(count_tasks(db, TaskFilter()) or 0, groups)


def read_failures(
    db: sqlite3.Connection, since: int, limit: int, namespaces: tuple[str, ...] | None = None
) -> Page[Task]:
    """Read the tasks that have failed since a time, the one that failed last at the front."""
    order = "ORDER BY r.finished_at DESC, r.seq DESC"
    failed = f"FROM runs r WHERE r.state = {int(FAILED)} AND r.finished_at >= ?"
    values: list[Any] = [since]
    if namespaces is not None:
        last = f"SELECT r.seq, r.finished_at {failed} {order} LIMIT {limits.FAILURES_COUNTED_MAX}"
        of_task = "(SELECT namespace FROM tasks t WHERE t.seq = r.seq)"
        failed = f"FROM ({last}) r WHERE {among(of_task, namespaces)}"
        values += namespaces
    with snapshot(db):
        if are_some_going(db):
            failed += f" AND {_IS_SHOWN}"
        counted = f"SELECT COUNT(*) FROM (SELECT 1 {failed} LIMIT {limits.FAILURES_COUNTED_MAX})"  # noqa: S608
        total = db.execute(counted, values).fetchone()[0]
        rest = f"WHERE t.seq IN (SELECT r.seq {failed} {order} LIMIT ?) {order}"
        return Page(total, read_tasks(db, rest, (*values, limit)))


def write_pace(db: sqlite3.Connection, steps: Sequence[PaceStep], kept: int) -> None:
    """Add steps, in the caller's transaction, and delete the oldest beyond the bound."""
    marks = ", ".join("?" * len(PaceStep._fields))
    db.executemany(f"INSERT INTO pace ({_PACE_COLUMNS}) VALUES ({marks})", steps)  # noqa: S608
    db.execute("DELETE FROM pace WHERE id <= (SELECT MAX(id) FROM pace) - ?", (kept,))


def read_pace(db: sqlite3.Connection) -> list[PaceStep]:
    return [PaceStep(*row) for row in db.execute(f"SELECT {_PACE_COLUMNS} FROM pace ORDER BY id")]  # noqa: S608
