"""Invocations in SQLite: written in batches as they begin and end; the newest of each task are kept."""

import sqlite3
from collections.abc import Iterable

from propeller.store import limits
from propeller.store.port import Invocation, Page

_OWNER = "SELECT seq FROM tasks WHERE id = ?"


def write_invocations(db: sqlite3.Connection, invocations: Iterable[Invocation]) -> None:
    """Write invocations, in the caller's transaction; those of unknown tasks are dropped."""
    owners = set()
    for one in invocations:
        if _close(db, one):
            continue
        owner = db.execute(_OWNER, (one.task_id,)).fetchone()
        if owner is not None:
            owners.add(owner)
            db.execute(
                "INSERT INTO invocations (owner, id, invocation, is_open) VALUES (?,?,?,?)",
                (*owner, one.id, one.text, one.is_open),
            )
    for owner in owners:
        db.execute(
            "DELETE FROM invocations WHERE owner = ?1 AND number <= (SELECT number FROM invocations "
            "WHERE owner = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
            (*owner, limits.INVOCATIONS_OF_ONE),
        )


def _close(db: sqlite3.Connection, one: Invocation) -> bool:
    """Write the outcome of an invocation that is under way; say whether there is one."""
    if one.is_open:
        return False
    sql = "UPDATE invocations SET invocation = ?, is_open = 0 WHERE id = ? AND is_open = 1"
    return db.execute(sql, (one.text, one.id)).rowcount > 0


def close_invocations(db: sqlite3.Connection, error: str) -> None:
    """End all invocations that are under way with this error, in the caller's transaction."""
    sql = (
        "UPDATE invocations SET invocation = json_set(invocation, '$.error', ?), is_open = 0 "
        "WHERE is_open = 1"
    )
    db.execute(sql, (error,))


def read_invocations(db: sqlite3.Connection, task_id: str, offset: int, limit: int) -> Page[str]:
    """Read a page of the invocations of a task, the newest first."""
    mine = f"FROM invocations WHERE owner = ({_OWNER})"
    total = db.execute(f"SELECT COUNT(*) {mine}", (task_id,)).fetchone()[0]
    page = f"SELECT invocation {mine} ORDER BY number DESC LIMIT ? OFFSET ?"
    return Page(total, [row[0] for row in db.execute(page, (task_id, limit, offset))])
