"""Writes the records that a commit has changed, in the caller's transaction; ``rows`` knows the columns."""

import sqlite3

from propeller.core.effects import Changes
from propeller.store import limits, rows
from propeller.store.sqlite.counts import count_created, count_moves


def write_tasks(db: sqlite3.Connection, changes: Changes) -> None:
    """Write tasks, their runs and their executions."""
    many = db.executemany
    if changes.deleted:  # first, for an id may be deleted and created again in one turn
        gone = [(task.seq,) for task in changes.deleted]
        many("DELETE FROM tasks WHERE seq=?", gone)
        many("DELETE FROM runs WHERE seq=?", gone)
        many("DELETE FROM executions WHERE seq=?", gone)
        many("DELETE FROM attempts WHERE seq=?", gone)
    if changes.past_attempts:
        many("INSERT OR REPLACE INTO past_attempts VALUES (?,?)", changes.past_attempts.items())
    if changes.created:
        many("INSERT INTO tasks VALUES (?,?,?,?,?,?,?,?)", map(rows.task_row, changes.created))
        many(
            "INSERT INTO runs (state, attempt, losses, proplet_id, placed_at, started_at, finished_at, "
            "updated_at, results, results_encoding, error, error_kind, exit_code, reason, was_up, "
            "restarts, is_up, timing, ran, seq) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            map(rows.run_row, changes.created),
        )
        count_created(db, changes.created)
    if changes.updated:
        count_moves(db, changes.updated)
        many(
            "UPDATE runs SET state=?, attempt=?, losses=?, proplet_id=?, placed_at=?, started_at=?, "
            "finished_at=?, updated_at=?, results=?, results_encoding=?, error=?, error_kind=?, "
            "exit_code=?, reason=?, was_up=?, restarts=?, is_up=?, timing=?, ran=? WHERE seq=?",
            map(rows.run_row, changes.updated),
        )
    if changes.respecified:
        many("UPDATE tasks SET spec=? WHERE seq=?", map(rows.spec_row, changes.respecified))
    if changes.replaced:
        many("DELETE FROM executions WHERE seq=?", ((task.seq,) for task in changes.replaced))
    if changes.executions:
        many(
            "INSERT OR REPLACE INTO executions (seq, proplet_id, attempt, state, results, "
            "results_encoding, error, error_kind, exit_code, started_at, finished_at, ran) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (rows.execution_row(task, execution) for task, execution in changes.executions),
        )
    if changes.attempts:
        many(
            "INSERT OR REPLACE INTO attempts (seq, proplet_id, attempt, state, results, "
            "results_encoding, error, error_kind, exit_code, started_at, finished_at, ran) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (rows.execution_row(task, past) for task, past in changes.attempts),
        )
        many(
            "DELETE FROM attempts WHERE seq = ? AND attempt <= ?",
            (
                (task.seq, past.attempt - limits.ATTEMPTS_KEPT)
                for task, past in changes.attempts
                if past.attempt > limits.ATTEMPTS_KEPT
            ),
        )


def write_modules(db: sqlite3.Connection, changes: Changes) -> None:
    if changes.modules:
        db.executemany(
            "INSERT INTO modules VALUES (?, ?) ON CONFLICT DO NOTHING",
            ((module.digest, data) for module, data in changes.modules.items()),
        )


def write_groups(db: sqlite3.Connection, changes: Changes) -> None:
    db.executemany("DELETE FROM groups WHERE seq = ?", ((group.seq,) for group in changes.deleted_groups))
    if changes.groups:
        db.executemany(
            # No REPLACE: that would rewrite the indices of columns that never change.
            "INSERT INTO groups VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (seq) DO UPDATE SET "
            "state = excluded.state, live = excluded.live, counts = excluded.counts, "
            "started_at = excluded.started_at, finished_at = excluded.finished_at, "
            "timing = excluded.timing",
            map(rows.group_row, changes.groups),
        )


def write_proplets(db: sqlite3.Connection, changes: Changes) -> None:
    db.executemany(
        "DELETE FROM proplets WHERE id = ?", ((proplet.id,) for proplet in changes.deleted_proplets)
    )
    if changes.proplets:
        db.executemany(
            "INSERT OR REPLACE INTO proplets VALUES (?,?,?,?,?,?,?,?)",
            map(rows.proplet_row, changes.proplets),
        )
