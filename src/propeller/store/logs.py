"""What guests printed, in SQLite: written in batches, bounded for each attempt and in all."""

import sqlite3
from collections.abc import Iterable

from propeller.store.port import LogPage, LogPiece

#: Of one attempt's stream; a proplet sends no more, unless it is not ours.
BYTES_MAX = 1024 * 1024
#: Of a task, counted from its newest.
ATTEMPTS_KEPT = 3
#: Of all tasks; the oldest go first.
PIECES_KEPT = 1_000_000
_EXPIRED_MAX = 2_000

_OWNER = "SELECT seq FROM tasks WHERE id = ?"


def write_logs(db: sqlite3.Connection, pieces: Iterable[LogPiece]) -> None:
    """Write pieces, in the caller's transaction; those of no task, and those that are there, are dropped."""
    touched: dict[int, int] = {}
    for piece in pieces:
        owner = db.execute(_OWNER, (piece.task_id,)).fetchone()
        if owner is None or piece.position >= BYTES_MAX:
            continue
        db.execute(
            "INSERT OR IGNORE INTO task_logs "
            "(owner, attempt, stream, position, proplet_id, at, is_cut, text) VALUES (?,?,?,?,?,?,?,?)",
            (owner[0], *piece[1:]),
        )
        touched[owner[0]] = max(touched.get(owner[0], 0), piece.attempt)
    for seq, attempt in touched.items():
        db.execute("DELETE FROM task_logs WHERE owner = ? AND attempt <= ?", (seq, attempt - ATTEMPTS_KEPT))
    last = db.execute("SELECT MAX(id) FROM task_logs").fetchone()[0] or 0
    db.execute(
        "DELETE FROM task_logs WHERE id IN (SELECT id FROM task_logs WHERE id <= ? ORDER BY id LIMIT ?)",
        (last - PIECES_KEPT, _EXPIRED_MAX),
    )


def read_logs(
    db: sqlite3.Connection, task_id: str, attempt: int | None, stream: str, *, after: int, limit: int
) -> LogPage:
    """Read pieces after a number, in the order of arrival; ``attempt`` None is the last that has any."""
    where = f"owner = ({_OWNER})"
    values: list[object] = [task_id]
    if attempt is None:
        newest = f"SELECT MAX(attempt) FROM task_logs WHERE {where}"  # noqa: S608
        attempt = db.execute(newest, values).fetchone()[0] or 0
    where += " AND attempt = ?"
    values.append(attempt)
    if stream:
        where += " AND stream = ?"
        values.append(stream)
    total = db.execute(f"SELECT COUNT(*) FROM task_logs WHERE {where}", values).fetchone()[0]  # noqa: S608
    page = (
        "SELECT id, attempt, stream, position, proplet_id, at, is_cut, text FROM task_logs "  # noqa: S608
        f"WHERE {where} AND id > ? ORDER BY id LIMIT ?"
    )
    found = db.execute(page, (*values, after, limit))
    return LogPage(
        total,
        [
            (number, LogPiece(task_id, attempt, stream, position, proplet_id, at, bool(is_cut), text))
            for number, attempt, stream, position, proplet_id, at, is_cut, text in found
        ],
    )
