"""Counts of tasks, which are written once for a commit: they are what a look at every task would give."""

import contextlib
import random
import sqlite3

from propeller.core.effects import Changes
from propeller.core.states import TaskState
from propeller.store.sqlite.opening import migrate
from propeller.store.sqlite.records import write_tasks
from tests.builders import a_task

_STATES = ", ".join(f"SUM(state = {state})" for state in range(7))
_COUNTED = (
    f"SELECT seq >> 8, {_STATES} FROM tasks JOIN runs USING (seq) GROUP BY seq >> 8 ORDER BY 1",
    "SELECT COUNT(*) FROM tasks",
)
_RECORDED = (
    "SELECT block, s0, s1, s2, s3, s4, s5, s6 FROM task_blocks ORDER BY block",
    "SELECT count FROM totals WHERE kind = 'task'",
)


def _answers(db, queries):
    return [db.execute(query).fetchall() for query in queries]


def test_blocks_count_what_commits_create_move_and_delete():
    rng = random.Random(8)
    alive = {}
    last = 0
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        for _ in range(60):
            created = []
            for _ in range(rng.choice((0, 1, 40))):
                last += rng.choice((1, 1, 1, 200))
                created.append(
                    a_task(last, created_at=rng.randrange(1, 99), state=rng.choice(list(TaskState)))
                )
            moved = rng.sample(sorted(alive), min(len(alive), rng.choice((0, 1, 30))))
            gone = rng.sample(
                sorted(alive.keys() - moved), min(len(alive) - len(moved), rng.choice((0, 0, 25)))
            )
            for seq in moved:
                alive[seq].state = rng.choice(list(TaskState))
            changes = Changes(
                created=created,
                updated=[alive[seq] for seq in moved],
                deleted=[alive.pop(seq) for seq in gone],
            )
            alive |= {task.seq: task for task in created}
            write_tasks(db, changes)
            assert _answers(db, _RECORDED) == _answers(db, _COUNTED)
        first_and_last = "SELECT MIN(first_at) >= 1, MAX(last_at) < 99 FROM task_blocks"
        assert _answers(db, [first_and_last]) == [[(1, 1)]]
        assert len(alive) > 50


def _steps_of(db, work):
    """Count the steps of SQLite's machine that a piece of work takes."""
    steps = 0

    def step():
        nonlocal steps
        steps += 1

    db.set_progress_handler(step, 1)
    work()
    db.set_progress_handler(None, 1)
    return steps


def test_a_task_costs_what_its_rows_cost():
    tasks = [a_task(seq) for seq in range(1, 1_025)]
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        # Triggers for each row made these more than 280 and 230.
        assert _steps_of(db, lambda: write_tasks(db, Changes(created=tasks))) < 180 * len(tasks)
        for task in tasks:
            task.state = TaskState.RUNNING
        assert _steps_of(db, lambda: write_tasks(db, Changes(updated=tasks))) < 130 * len(tasks)
