"""Logs of guests in SQLite: written in batches; bounded for each stream, in attempts and in all.

A batch or a page costs work for its own pieces only: pieces are indexed by offset and by arrival, and sums
are kept (``0004_logs.sql``).
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from propeller.store import limits
from propeller.store.last_lines import LastLines
from propeller.store.port import LogFilter, LogPiece, LogTail, Page, StoredPiece

_OWNER = """
SELECT t.seq, r.attempt, COALESCE((SELECT attempt FROM past_attempts WHERE id = t.id), 0)
FROM tasks t JOIN runs r ON r.seq = t.seq WHERE t.id = ?
"""
_STREAM = """
SELECT id, bytes, is_full FROM log_streams WHERE owner = ? AND attempt = ? AND proplet_id = ? AND stream = ?
"""
_INSERT_PIECE = (
    "INSERT INTO log_pieces (log_stream, start, written_at, text, is_cut) VALUES (?,?,?,?,?) "
    "ON CONFLICT (log_stream, start) DO NOTHING"
)
_STREAMS_OF = """
SELECT id FROM log_streams WHERE owner = (SELECT seq FROM tasks WHERE id = :task)
AND attempt BETWEEN :first AND :last AND (:stream = '' OR stream = :stream)
"""
_CHOSEN = f"FROM log_pieces p WHERE p.log_stream IN ({_STREAMS_OF})"


class _Stream(NamedTuple):
    id: int
    bytes: int
    is_full: int


def write_logs(db: sqlite3.Connection, pieces: Iterable[LogPiece]) -> None:
    """Write pieces, in the caller's transaction; drop those of unknown owners and those beyond the bounds."""
    for piece in pieces:
        owner, attempt = _owner_and_attempt(db, piece)
        stream = _stream(db, owner, attempt, piece) if owner else None
        if stream is not None and not stream.is_full:
            _write(db, stream, piece)
    _make_room(db)


def _owner_and_attempt(db: sqlite3.Connection, piece: LogPiece) -> tuple[int, int]:
    """Find the ``seq`` of a piece's task, and the attempt; 0 and 0 if one of them does not exist."""
    found = db.execute(_OWNER, (piece.task_id,)).fetchone()
    if found is None:
        return 0, 0
    owner, last, past = found
    attempt = piece.attempt or last
    # Attempts up to the past one were those of a deleted task of the same id.
    return (owner, attempt) if past < attempt <= last else (0, 0)


def _stream(db: sqlite3.Connection, owner: int, attempt: int, piece: LogPiece) -> _Stream | None:
    """Find a piece's stream, or begin it; None if later attempts have replaced its attempt."""
    key = (owner, attempt, piece.proplet_id, piece.stream)
    found = db.execute(_STREAM, key).fetchone()
    if found is not None:
        return _Stream(*found)
    kept = {
        row[0] for row in db.execute("SELECT DISTINCT attempt FROM log_streams WHERE owner = ?", (owner,))
    }
    # In a broadcast, each proplet has its own attempt, and one that was never lost goes on with an old one.
    present = {row[0] for row in db.execute("SELECT attempt FROM executions WHERE seq = ?", (owner,))}
    old = sorted({*kept, attempt}, reverse=True)[limits.LOG_ATTEMPTS_KEPT :]
    too_old = [each for each in old if each not in present]
    if attempt in too_old:
        return None
    for each in too_old:
        db.execute("DELETE FROM log_streams WHERE owner = ? AND attempt = ?", (owner, each))
    sql = "INSERT INTO log_streams (owner, attempt, proplet_id, stream, bytes, is_full) VALUES (?,?,?,?,0,0)"
    return _Stream(db.execute(sql, key).lastrowid or 0, 0, 0)


def _write(db: sqlite3.Connection, stream: _Stream, piece: LogPiece) -> None:
    data = piece.text.encode(errors="replace")
    room = limits.LOG_STREAM_BYTES_KEPT - stream.bytes
    size = max(len(data), limits.LOG_PIECE_BYTES_MIN)
    is_full = size > room
    text = data[: max(room, 0)].decode(errors="ignore") if is_full else data.decode()
    row = (stream.id, piece.offset, piece.at, text, piece.is_cut or is_full)
    if db.execute(_INSERT_PIECE, row).rowcount:
        db.execute(
            "UPDATE log_streams SET bytes = bytes + ?, is_full = ? WHERE id = ?",
            (min(size, room), is_full, stream.id),
        )


def _make_room(db: sqlite3.Connection) -> None:
    """Delete the streams that began first, until the rest is within the bound."""
    excess = db.execute("SELECT bytes FROM log_total").fetchone()[0] - limits.LOG_BYTES_KEPT
    if excess <= 0:
        return
    gone: list[tuple[int]] = []
    for stream, size in db.execute("SELECT id, bytes + 256 FROM log_streams ORDER BY id"):
        gone.append((stream,))
        excess -= size
        if excess <= 0:
            break
    db.executemany("DELETE FROM log_streams WHERE id = ?", gone)


# -- reading -------------------------------------------------------------------------------------------------


def last_log_attempt(db: sqlite3.Connection, task_id: str, stream: str) -> int:
    """Find the last attempt that wrote to a stream, or to any; 0 if none did."""
    sql = (
        "SELECT MAX(attempt) FROM log_streams WHERE owner = (SELECT seq FROM tasks WHERE id = :task) "
        "AND (:stream = '' OR stream = :stream)"
    )
    return db.execute(sql, {"task": task_id, "stream": stream}).fetchone()[0] or 0


def read_logs(db: sqlite3.Connection, only: LogFilter, after: int, limit: int) -> Page[StoredPiece]:
    """Read a page of the pieces after an id, in the order of arrival."""
    values = _values(only) | {"after": after, "limit": limit}
    total = db.execute(f"SELECT COUNT(*) {_CHOSEN}", values).fetchone()[0]
    page = (
        "SELECT p.id, s.attempt, s.proplet_id, s.stream, p.start, p.text, p.is_cut, p.written_at "  # noqa: S608
        "FROM log_pieces p JOIN log_streams s ON s.id = p.log_stream "
        f"WHERE p.log_stream IN ({_STREAMS_OF}) AND p.id > :after ORDER BY p.id LIMIT :limit"
    )
    found = [
        (row[0], LogPiece(only.task_id, row[2], row[1], row[3], row[4], row[5], bool(row[6]), row[7]))
        for row in db.execute(page, values)
    ]
    return Page(total, found)


def tail_of_logs(db: sqlite3.Connection, only: LogFilter, lines: int) -> LogTail:
    """Find the begin of the last lines; an unfinished line counts."""
    search = LastLines(lines)
    for number, text in db.execute(f"SELECT p.id, p.text {_CHOSEN} ORDER BY p.id DESC", _values(only)):
        if tail := search.take(number, text):
            return tail
    return LogTail(0, 0)


def _values(only: LogFilter) -> dict[str, str | int]:
    return {
        "task": only.task_id,
        "stream": only.stream,
        "first": only.first_attempt,
        "last": only.last_attempt,
    }
