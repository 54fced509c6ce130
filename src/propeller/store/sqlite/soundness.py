"""Checks that a database still holds all that its store has committed, before anything is written to it.

Each check gives the words that follow the name of the file, such as "is damaged"; ``""`` if nothing is wrong.
"""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from propeller.core.model import Group
from propeller.store import rows
from propeller.store.proplet_keys import COLUMNS as PROPLET_KEY_COLUMNS
from propeller.store.proplet_keys import proplet_key_of
from propeller.store.sqlite.mark import Mark, change_count, checksum_of, mark_path
from propeller.store.sqlite.queries import snapshot
from propeller.store.sqlite.wal import Log, read_log
from propeller.store.tokens import COLUMNS as TOKEN_COLUMNS
from propeller.store.tokens import token_of

#: Errors that reading a damaged record may raise.
UNREADABLE = (sqlite3.Error, msgspec.MsgspecError, ValueError, LookupError, TypeError, OverflowError)
_Row = tuple[Any, ...]
#: The kinds of records: the function that reads a row, its columns, and its tables.
RECORDS: dict[str, tuple[Callable[[_Row], object], str, str]] = {
    "task": (rows.to_task, rows.TASK_COLUMNS, "tasks t JOIN runs r ON r.seq = t.seq"),
    "workflow or job": (rows.to_group, rows.GROUP_COLUMNS, "groups g"),
    "proplet": (rows.to_proplet, rows.PROPLET_COLUMNS, "proplets"),
    "execution": (rows.to_execution, rows.EXECUTION_COLUMNS, "executions"),
    "attempt": (rows.to_execution, rows.EXECUTION_COLUMNS, "attempts"),
    "idempotency key": (rows.to_remembered, rows.REMEMBERED_COLUMNS, "idempotency_keys"),
    "token": (token_of, ", ".join(TOKEN_COLUMNS), "tokens"),
    "key of a proplet": (proplet_key_of, ", ".join(PROPLET_KEY_COLUMNS), "proplet_keys"),
    "event": (lambda row: rows.to_events([row]), rows.EVENT_COLUMNS, "events"),
}
ORPHANS = {
    "tasks have no state": "SELECT COUNT(*) FROM tasks WHERE seq NOT IN (SELECT seq FROM runs)",
    "states have no task": "SELECT COUNT(*) FROM runs WHERE seq NOT IN (SELECT seq FROM tasks)",
    "tasks are of a workflow or job that is not there": (
        "SELECT COUNT(*) FROM tasks WHERE COALESCE(workflow_id, job_id) IS NOT NULL "
        "AND COALESCE(workflow_id, job_id) NOT IN (SELECT id FROM groups UNION SELECT id FROM going)"
    ),
}


def is_empty(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def log_path(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")


def is_as_it_was_left(database: Path, mark: Mark | None) -> bool:
    """Say whether the database has not changed since the program ended in order; this reads all of it."""
    return (
        mark is not None
        and mark.checksum is not None
        and not is_empty(database)
        and checksum_of(database) == mark.checksum
    )


def damage_of_files(database: Path, mark: Mark | None, *, is_as_left: bool) -> str:
    """Check the files: for one that is missing, a damaged log, and changes while no manager ran."""
    log = read_log(log_path(database))
    if is_empty(database):
        how = "is empty" if database.exists() else "is missing"
        if mark is not None and not mark.is_empty:
            return f"{how}, and {mark_path(database).name} says that it held data"
        return f"{how}, and there is a write-ahead log of it" if log is not None else ""
    if log is not None:
        return _damage_of_log(log, mark)
    if mark is None or mark.checksum is None or is_as_left:
        return ""
    is_by_program = change_count(database) not in (mark.changes, None)
    return "" if is_by_program else "is damaged: it is not what it was when the manager ended"


def _damage_of_log(log: Log, mark: Mark | None) -> str:
    if not log.salts:
        is_needed = mark is None or (mark.is_certain and mark.frames > 0)
        return "can't be read in full: the header of its write-ahead log is damaged" if is_needed else ""
    if log.is_outdated or (mark is not None and not mark.is_certain):
        return ""
    if mark is not None and mark.log == log.salts:
        missing = mark.frames - log.committed
        text = f"can't be read in full: of {mark.frames} pages in its write-ahead log, the last {missing}"
        return f"{text} are damaged or missing" if missing > 0 else ""
    if mark is None and log.is_followed:
        return f"can't be read in full: its write-ahead log is damaged after {log.committed} pages"
    return ""


def progress(db: sqlite3.Connection) -> tuple[int, int]:
    """Read the newest event, and the number of commits without events; 0 if there is no such table."""
    if not _has_table(db, "events"):
        return 0, 0
    last = db.execute("SELECT COALESCE(MAX(last_id), 0) FROM events").fetchone()[0]
    if not _has_table(db, "quiet_commits"):
        return last, 0
    return last, db.execute("SELECT number FROM quiet_commits").fetchone()[0]


def _has_table(db: sqlite3.Connection, name: str) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def lack(db: sqlite3.Connection, mark: Mark | None) -> str:
    """Compare the commits in a database with its mark."""
    if mark is None or mark.is_empty or not mark.is_certain:
        return ""
    events, quiet = progress(db)
    if events < mark.last_event_id or quiet < mark.quiet_commits:
        more = mark.last_event_id - events
        return (
            f"holds less than was committed: {max(more, 0)} of {mark.last_event_id} changes of tasks and "
            f"{max(mark.quiet_commits - quiet, 0)} other commits are missing"
        )
    return ""


def damage_inside(db: sqlite3.Connection, *, with_records: bool) -> str:
    """Check every page, and ``with_records`` every record, in one snapshot."""
    try:
        with snapshot(db):
            checks = _CHECKS if with_records else _CHECKS[:1]
            return next((problem for check in checks for problem in check(db)), "")
    except sqlite3.Error as error:
        return f"is damaged: {error}"


def damage_in_pieces(db: sqlite3.Connection) -> str:
    """Check everything in a database in use, in several snapshots: a long one keeps its log from ending."""
    try:
        for check in _CHECKS:
            with snapshot(db):
                if problem := next(check(db), ""):
                    return problem
    except sqlite3.Error as error:
        return f"is damaged: {error}"
    return ""


def _damaged_pages(db: sqlite3.Connection) -> Iterator[str]:
    problems = [row[0] for row in db.execute("PRAGMA integrity_check(3)") if row[0] != "ok"]
    if problems:
        yield f"is damaged: {'; '.join(problems)}"


def _lost_records(db: sqlite3.Connection) -> Iterator[str]:
    for what, sql in ORPHANS.items():
        if count := db.execute(sql).fetchone()[0]:
            yield f"is damaged: {count} {what}"


def _damaged_records(db: sqlite3.Connection, name: str) -> Iterator[str]:
    read, columns, source = RECORDS[name]
    for number, row in enumerate(db.execute(f"SELECT {columns} FROM {source}"), start=1):  # noqa: S608
        try:
            read(row)
        except UNREADABLE as error:
            yield f"is damaged: {name} {number} can't be read: {error}"


def _damaged_modules(db: sqlite3.Connection) -> Iterator[str]:
    for digest, data in db.execute("SELECT digest, bytes FROM modules"):
        if hashlib.sha256(data).hexdigest() != digest:
            yield f"is damaged: module {digest} has other bytes than its digest says"


def _wrong_counts(db: sqlite3.Connection) -> Iterator[str]:
    found = Counter[tuple[str, int]]()
    sql = (
        "SELECT COALESCE(workflow_id, job_id) AS of, state, COUNT(*) FROM tasks JOIN runs USING (seq) "
        "WHERE of IS NOT NULL GROUP BY of, state"
    )
    for group_id, state, count in db.execute(sql):
        found[group_id, state] = count
    for row in db.execute(f"SELECT {rows.GROUP_COLUMNS} FROM groups g"):  # noqa: S608
        if problem := wrong_count(rows.to_group(row), found):
            yield f"is damaged: {problem}"


def wrong_count(group: Group, found: Counter[tuple[str, int]]) -> str:
    """Compare a group with the number of its tasks in each state, by its id and the state."""
    if any(found[group.id, state] != count for state, count in enumerate(group.counts[:7])):
        return f"{group.kind} {group.id} does not count as many tasks as there are"
    return ""


def _wrong_blocks(db: sqlite3.Connection) -> Iterator[str]:
    states = ", ".join(f"SUM(state = {state}) AS s{state}" for state in range(7))
    sql = (
        f"SELECT COUNT(*) FROM (SELECT seq >> 8 AS block, {states} FROM runs GROUP BY block "  # noqa: S608
        "EXCEPT SELECT block, s0, s1, s2, s3, s4, s5, s6 FROM task_blocks)"
    )
    if count := db.execute(sql).fetchone()[0]:
        yield f"is damaged: {count} blocks of tasks are not counted as they are"


_CHECKS: list[Callable[[sqlite3.Connection], Iterator[str]]] = [
    _damaged_pages,
    _lost_records,
    *(partial(_damaged_records, name=name) for name in RECORDS),
    _damaged_modules,
    _wrong_counts,
    _wrong_blocks,
]
