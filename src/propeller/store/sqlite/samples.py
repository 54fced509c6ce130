"""Samples of tasks and proplets in SQLite: written in batches; bounded for each owner, in age and in all.

A batch costs work for its own samples only. An owner's samples are numbered, so those beyond its bound have
the lowest numbers. Those that are too old are the first of the table.
"""

import sqlite3
from collections.abc import Iterable

from propeller.store import limits
from propeller.store.port import Page, Sample, SampleOf

_TABLES = {SampleOf.TASK: "task_samples", SampleOf.PROPLET: "proplet_samples"}
_OWNERS = {
    SampleOf.TASK: "SELECT seq FROM tasks WHERE id = ?",
    SampleOf.PROPLET: "SELECT id FROM proplets WHERE id = ?",
}


def write_samples(db: sqlite3.Connection, samples: Iterable[Sample], now: int) -> None:
    """Write samples, in the caller's transaction; those without an owner are dropped."""
    written: set[SampleOf] = set()
    for sample in samples:
        owner = db.execute(_OWNERS[sample.of], (sample.owner_id,)).fetchone()
        if owner is not None:
            _write(db, _TABLES[sample.of], owner[0], sample.text, now)
            written.add(sample.of)
    for of in written:
        _expire(db, _TABLES[of], now)


def _write(db: sqlite3.Connection, table: str, owner: int | str, text: str, now: int) -> None:
    last = db.execute(f"SELECT MAX(number) FROM {table} WHERE owner = ?", (owner,)).fetchone()[0]  # noqa: S608
    number = (last or 0) + 1
    sql = f"INSERT INTO {table} (owner, number, written_at, sample) VALUES (?,?,?,?)"  # noqa: S608
    db.execute(sql, (owner, number, now, text))
    if number > limits.SAMPLES_OF_ONE:
        db.execute(
            f"DELETE FROM {table} WHERE owner = ? AND number <= ?",  # noqa: S608
            (owner, number - limits.SAMPLES_OF_ONE),
        )


def _expire(db: sqlite3.Connection, table: str, now: int) -> None:
    last = db.execute(f"SELECT MAX(id) FROM {table}").fetchone()[0]  # noqa: S608
    until = last - limits.SAMPLES_OF_ALL
    oldest = f"SELECT id, written_at FROM {table} ORDER BY id LIMIT {limits.SAMPLES_EXPIRED_MAX}"  # noqa: S608
    for number, written_at in db.execute(oldest):
        if written_at > now - limits.SAMPLES_KEPT_NS:
            break
        until = max(until, number)
    db.execute(f"DELETE FROM {table} WHERE id <= ?", (until,))  # noqa: S608


def read_samples(db: sqlite3.Connection, of: SampleOf, owner_id: str, offset: int, limit: int) -> Page[str]:
    """Read a page of the samples of one owner, the newest first."""
    table = _TABLES[of]
    mine = f"FROM {table} WHERE owner = ({_OWNERS[of]})"
    total = db.execute(f"SELECT COUNT(*) {mine}", (owner_id,)).fetchone()[0]
    page = f"SELECT sample {mine} ORDER BY number DESC LIMIT ? OFFSET ?"
    return Page(total, [row[0] for row in db.execute(page, (owner_id, limit, offset))])
