"""Counts tasks in all and in their blocks, and enters their metadata: once for a commit.

A trigger for each row would keep these too, but costs as much as the row itself. What is deleted is counted
by triggers: that is rarer, and no answer waits for it.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from propeller.core.model import Task
from propeller.store import limits

_STATES = tuple(f"s{state}" for state in range(7))
_COME = (
    f"INSERT INTO task_blocks (block, first_at, last_at, {', '.join(_STATES)}) VALUES (?,?,?,?,?,?,?,?,?,?) "  # noqa: S608
    "ON CONFLICT (block) DO UPDATE SET first_at = MIN(first_at, excluded.first_at), "
    "last_at = MAX(last_at, excluded.last_at), "
    + ", ".join(f"{state} = {state} + excluded.{state}" for state in _STATES)
)
_MOVE = f"UPDATE task_blocks SET {', '.join(f'{state} = {state} + ?' for state in _STATES)} WHERE block = ?"  # noqa: S608
#: Takes the ``seq`` of tasks as JSON, so that its text is the same for any number of them, and prepared once.
_STATES_OF = "SELECT r.seq, r.state FROM json_each(?) given CROSS JOIN runs r ON r.seq = given.value"
_METADATA = (
    "INSERT OR IGNORE INTO task_metadata (key, value, seq) SELECT key, value, seq FROM metadata_of_specs "  # noqa: S608
    f"WHERE length(value) <= {limits.INDEXED_CHARS_MAX}"
)
_ALL = "UPDATE totals SET count = count + ? WHERE kind = 'task' AND state = -1"


def count_created(db: sqlite3.Connection, tasks: Sequence[Task]) -> None:
    """Count tasks that are new, and enter their metadata; call it when they are written."""
    db.execute(_ALL, (len(tasks),))
    db.executemany(_COME, _blocks(tasks))
    described = [(task.seq,) for task in tasks if task.spec.metadata]  # those of most have none
    if described:
        db.executemany(f"{_METADATA} AND seq = ?", described)


def _blocks(tasks: Iterable[Task]) -> Iterable[list[int]]:
    """Make the row of each block, of these tasks alone."""
    blocks: dict[int, list[int]] = {}
    for task in tasks:
        block, at = task.seq >> 8, task.created_at
        row = blocks.get(block)
        if row is None:
            row = blocks[block] = [block, at, at, *(0 for _ in _STATES)]
        elif at < row[1]:
            row[1] = at
        elif at > row[2]:
            row[2] = at
        row[3 + task.state] += 1
    return blocks.values()


def count_moves(db: sqlite3.Connection, tasks: Sequence[Task]) -> None:
    """Count tasks in the states to which they go; call it before they are written."""
    seqs = f"[{','.join([str(task.seq) for task in tasks])}]"
    before = dict(db.execute(_STATES_OF, (seqs,)).fetchall())
    blocks: dict[int, list[int]] = {}
    for task in tasks:
        state = before.get(task.seq, task.state)
        if state != task.state:
            block = task.seq >> 8
            row = blocks.get(block)
            if row is None:
                row = blocks[block] = [*(0 for _ in _STATES), block]
            row[state] -= 1
            row[task.state] += 1
    db.executemany(_MOVE, blocks.values())


def count_all(db: sqlite3.Connection) -> None:
    """Count all tasks of a database that has no counts yet, and enter the metadata of all."""
    db.execute(_ALL, db.execute("SELECT COUNT(*) FROM tasks").fetchone())
    sums = ", ".join(f"SUM(state = {number})" for number in range(len(_STATES)))
    db.execute(
        "INSERT INTO task_blocks "  # noqa: S608
        f"SELECT seq >> 8, MIN(created_at), MAX(created_at), {sums} "
        "FROM tasks JOIN runs USING (seq) GROUP BY seq >> 8"
    )
    db.execute(_METADATA)
