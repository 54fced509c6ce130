"""What became of invocations, in SQLite: written in batches, the newest of each task are kept."""

import sqlite3
from collections.abc import Iterable

from propeller.store.port import Invocation, InvocationPage

#: Of one task.
KEPT_OF_ONE = 1_000

_OWNER = "SELECT seq FROM tasks WHERE id = ?"


def write_invocations(db: sqlite3.Connection, invocations: Iterable[Invocation]) -> None:
    """Write invocations, in the caller's transaction; those of no task are dropped."""
    owners = set()
    for invocation in invocations:
        owner = db.execute(_OWNER, (invocation.task_id,)).fetchone()
        if owner is not None:
            owners.add(owner)
            db.execute("INSERT INTO invocations (owner, invocation) VALUES (?,?)", (*owner, invocation.text))
    for owner in owners:
        db.execute(
            "DELETE FROM invocations WHERE owner = ?1 AND number <= (SELECT number FROM invocations "
            "WHERE owner = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
            (*owner, KEPT_OF_ONE),
        )


def read_invocations(db: sqlite3.Connection, task_id: str, offset: int, limit: int) -> InvocationPage:
    """Read a page of the invocations of a task, the newest first."""
    mine = f"FROM invocations WHERE owner = ({_OWNER})"
    total = db.execute(f"SELECT COUNT(*) {mine}", (task_id,)).fetchone()[0]
    page = f"SELECT invocation {mine} ORDER BY number DESC LIMIT ? OFFSET ?"
    return InvocationPage(total, [row[0] for row in db.execute(page, (task_id, limit, offset))])
