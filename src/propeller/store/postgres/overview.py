"""Looks at the whole: how many records there are, and at what pace they go."""

from collections.abc import Sequence

from propeller.core.model import GroupKind
from propeller.core.states import TaskState
from propeller.store.port import PaceStep, Totals
from propeller.store.postgres.access import Db
from propeller.store.postgres.lists import ALL_TASKS

_PACE_COLUMNS = ", ".join(PaceStep._fields)


async def read_totals(db: Db) -> Totals:
    groups: dict[GroupKind, dict[TaskState, int]] = {kind: {} for kind in GroupKind}
    sql = f"SELECT kind, state, count, ({ALL_TASKS}) FROM totals WHERE kind <> 'task'"
    tasks = 0
    for kind, state, count, all_tasks in await db.fetch(sql):
        groups[GroupKind(kind)][TaskState(state)] = count
        tasks = all_tasks
    return Totals(tasks, groups)


async def write_pace(db: Db, steps: Sequence[PaceStep], kept: int) -> None:
    """Add steps, in the caller's transaction, and delete the oldest beyond the bound."""
    marks = ", ".join(f"${number}" for number in range(1, len(PaceStep._fields) + 1))
    await db.executemany(f"INSERT INTO pace ({_PACE_COLUMNS}) VALUES ({marks})", steps)
    # Ids may have gaps, so they do not say how many steps there are.
    await db.execute(
        "DELETE FROM pace WHERE id <= (SELECT id FROM pace ORDER BY id DESC LIMIT 1 OFFSET $1)", kept
    )


async def read_pace(db: Db) -> list[PaceStep]:
    return [PaceStep(*row) for row in await db.fetch(f"SELECT {_PACE_COLUMNS} FROM pace ORDER BY id")]
