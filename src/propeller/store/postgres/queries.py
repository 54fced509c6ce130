"""The queries that read records for the engine and by their ids; lists are in ``lists``."""

from collections.abc import Iterable, Sequence
from typing import Any

from propeller.core.model import Execution, Group, GroupKind, Task
from propeller.store import rows
from propeller.store.port import Belonging, Loaded, Record, Records
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db

#: How many rows are turned into records before others get their turn.
_AT_ONCE = 500
#: Each has an execution on every proplet.
_BROADCASTS_AT_ONCE = 20
#: The table of tasks, without those that are being deleted, which are no longer shown (``expiry``).
SHOWN_TASKS = (
    "(SELECT * FROM tasks s WHERE NOT EXISTS "
    "(SELECT FROM going WHERE going.id = COALESCE(s.workflow_id, s.job_id, s.id)))"
)
_TASKS = f"SELECT {rows.TASK_COLUMNS} FROM {SHOWN_TASKS} t JOIN runs r ON r.seq = t.seq"
#: What a manager starts from: what has not ended, and what runs again by itself.
_LIVE_GROUPS = "SELECT seq FROM groups WHERE live > 0 UNION SELECT seq FROM awaited_groups"
_LIVE_RUNS = "SELECT seq FROM runs WHERE state < 3 UNION SELECT seq FROM awaited_runs"
_EXECUTIONS = f"SELECT seq, {rows.EXECUTION_COLUMNS} FROM executions WHERE seq"
_SEQ_OF = "(SELECT seq FROM tasks WHERE id = $1)"


async def last_event_id(db: Db) -> int:
    return await _largest(db, "last_id", "events")


async def load(db: Db) -> Loaded:
    """Read what a manager starts from."""
    groups = await read_groups(db, f"WHERE g.seq IN ({_LIVE_GROUPS}) ORDER BY g.seq")
    tasks: list[Task] = []
    live = [row[0] for row in await db.fetch(_LIVE_RUNS)]
    single = "WHERE t.seq = ANY ($1) AND t.workflow_id IS NULL AND t.job_id IS NULL"
    for start in range(0, len(live), _AT_ONCE):
        tasks += await read_tasks(db, single, live[start : start + _AT_ONCE])
    tasks += await _read_all_tasks(db, groups)
    await _fill_in_executions(db, tasks)
    found = await db.fetch(f"SELECT {rows.PROPLET_COLUMNS} FROM proplets ORDER BY created_at, id")
    return Loaded(
        live=Records(groups, tasks),
        proplets=[rows.to_proplet(tuple(row)) for row in found],
        last_task_seq=await _largest(db, "seq", "tasks"),
        last_group_seq=await _largest(db, "seq", "groups"),
        last_event_id=await last_event_id(db),
    )


async def _largest(db: Db, column: str, table: str) -> int:
    return int(await db.fetchval(f"SELECT COALESCE(MAX({column}), 0) FROM {table}"))


async def find(db: Db, task_ids: Sequence[str], group_ids: Sequence[str]) -> Records:
    """Read these records, each with its whole group."""
    named = await read_tasks(db, "WHERE t.id = ANY($1)", texts.array(task_ids)) if task_ids else []
    wanted = dict.fromkeys(one for one in (*group_ids, *(task.spec.group_id for task in named)) if one)
    groups = await read_groups(db, "WHERE g.id = ANY($1)", texts.array(wanted)) if wanted else []
    tasks = [task for task in named if not task.spec.group_id]
    tasks += await _read_all_tasks(db, groups)
    await _fill_in_executions(db, tasks)
    past: dict[str, int] = {}
    if task_ids:
        sql = "SELECT id, attempt FROM past_attempts WHERE id = ANY($1)"
        past = {row[0]: row[1] for row in await db.fetch(sql, texts.array(task_ids))}
    return Records(groups, tasks, past)


async def read_tasks(db: Db, rest: str, *values: Any) -> list[Task]:
    """Read tasks, of which ``rest`` says which (``t``, ``r`` are the tables) and in what order."""
    return [rows.to_task(tuple(row)) for row in await db.fetch(f"{_TASKS} {rest}", *values)]


async def read_groups(db: Db, rest: str, *values: Any) -> list[Group]:
    """Read groups, of which ``rest`` says which (``g`` is the table) and in what order."""
    sql = f"SELECT {rows.GROUP_COLUMNS} FROM groups g {rest}"
    return [rows.to_group(tuple(row)) for row in await db.fetch(sql, *values)]


async def read_tasks_of_group(db: Db, group: Group, after: int, limit: int) -> list[Task]:
    rest = f"WHERE t.{group.kind}_id = $1 AND t.seq > $2 ORDER BY t.seq LIMIT $3"
    return await read_tasks(db, rest, group.id, after, limit)


async def _read_all_tasks(db: Db, groups: Iterable[Group]) -> list[Task]:
    """Read all tasks of groups; each is small enough to be read at once with others, or is read in pieces."""
    found: list[Task] = []
    for kind in GroupKind:
        small: list[str] = []
        room = _AT_ONCE
        for group in groups:
            if group.kind is not kind:
                continue
            if group.size > _AT_ONCE:
                found += await _read_many(db, group)
                continue
            if group.size > room:
                found += await _read_together(db, kind, small)
                small, room = [], _AT_ONCE
            small.append(group.id)
            room -= group.size
        found += await _read_together(db, kind, small)
    return found


async def _read_together(db: Db, kind: GroupKind, ids: Sequence[str]) -> list[Task]:
    return (
        await read_tasks(db, f"WHERE t.{kind}_id = ANY ($1) ORDER BY t.seq", texts.array(ids)) if ids else []
    )


async def _read_many(db: Db, group: Group) -> list[Task]:
    found: list[Task] = []
    part = await read_tasks_of_group(db, group, 0, _AT_ONCE)
    while part:
        found += part
        part = await read_tasks_of_group(db, group, part[-1].seq, _AT_ONCE)
    return found


async def _fill_in_executions(db: Db, tasks: Iterable[Task]) -> None:
    broadcasts = {task.seq: task for task in tasks if task.spec.broadcast}
    seqs = list(broadcasts)
    for start in range(0, len(seqs), _BROADCASTS_AT_ONCE):
        part = seqs[start : start + _BROADCASTS_AT_ONCE]
        for seq, *row in await db.fetch(f"{_EXECUTIONS} = ANY($1) ORDER BY seq, proplet_id", part):
            one = rows.to_execution(tuple(row))
            broadcasts[seq].executions[one.proplet_id] = one


async def read_executions(db: Db, task_id: str) -> list[Execution]:
    found = await db.fetch(f"{_EXECUTIONS} = {_SEQ_OF} ORDER BY proplet_id", task_id)
    return [rows.to_execution(tuple(row)[1:]) for row in found]


async def read_attempts(db: Db, task_id: str) -> list[Execution]:
    sql = f"SELECT {rows.EXECUTION_COLUMNS} FROM attempts WHERE seq = {_SEQ_OF} ORDER BY attempt, proplet_id"
    return [rows.to_execution(tuple(row)) for row in await db.fetch(sql, task_id)]


async def missing(db: Db, records: Sequence[Record]) -> set[Record]:
    """Find which records are not there, or are being deleted."""
    tasks = f"SELECT 'task' AS kind, id FROM {SHOWN_TASKS} t WHERE id = ANY($1)"
    groups = "SELECT kind, id FROM groups WHERE id = ANY($2)"
    names = [
        texts.array(one.id for one in records if (one.kind == "task") is is_task) for is_task in (True, False)
    ]
    there = {tuple(row) for row in await db.fetch(f"{tasks} UNION ALL {groups}", *names)}
    return {record for record in records if tuple(record) not in there}


async def read_belonging(db: Db, record: Record) -> Belonging | None:
    """Find where a record belongs."""
    columns = ", ".join(Belonging._fields)
    if record.kind == "task":
        found = await db.fetchrow(f"SELECT {columns} FROM {SHOWN_TASKS} t WHERE id = $1", record.id)
    else:
        sql = f"SELECT {columns} FROM groups WHERE id = $1 AND kind = $2"
        found = await db.fetchrow(sql, record.id, record.kind)
    return Belonging(*found) if found else None
