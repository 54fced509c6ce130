"""Checks that a database of PostgreSQL holds what it should: what it says of itself, and each record."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator

from propeller.store import rows
from propeller.store.postgres.access import Db
from propeller.store.sqlite.soundness import ORPHANS, RECORDS, UNREADABLE, wrong_count

_ROWS_AT_ONCE = 200
_ORPHANS = ORPHANS | {
    "tasks have a module that is not there": (
        "SELECT COUNT(*) FROM tasks WHERE strpos(spec, '\"digest\":') > 0 "
        "AND json_of(spec) #>> '{module,digest}' NOT IN (SELECT digest FROM modules)"
    ),
    "pieces of logs are of no stream": (
        "SELECT COUNT(*) FROM log_pieces WHERE log_stream NOT IN (SELECT id FROM log_streams)"
    ),
}
_TOTALS = {
    "tasks are counted": (
        "SELECT (SELECT COUNT(*) FROM tasks), (SELECT count FROM totals WHERE kind = 'task' AND state = -1)"
    ),
    "workflows and jobs are counted": (
        "SELECT (SELECT COUNT(*) FROM groups), (SELECT SUM(count)::bigint FROM totals WHERE kind <> 'task')"
    ),
}


async def damage_inside(db: Db) -> str:
    """Look at every record in a snapshot; give the words that follow the database's name, ``""`` for none."""
    found = ""
    async for problem in _damaged(db):  # to its end: a cursor that is left open keeps its table from changes
        found = found or f"is damaged: {problem}"
    return found


async def _damaged(db: Db) -> AsyncIterator[str]:
    for what, sql in _ORPHANS.items():
        if count := await db.fetchval(sql):
            yield f"{count} {what}"
    for what, sql in _TOTALS.items():
        there, counted = await db.fetchrow(sql) or (0, 0)
        if there != counted:
            yield f"{counted} {what}, and there are {there}"
    for name, (read, columns, source) in RECORDS.items():
        number = 0
        async for row in db.cursor(f"SELECT {columns} FROM {source}", prefetch=_ROWS_AT_ONCE):
            number += 1
            try:
                read(tuple(row))
            except UNREADABLE as error:
                yield f"{name} {number} can't be read: {error}"
    async for digest, data in db.cursor("SELECT digest, bytes FROM modules", prefetch=1):
        if hashlib.sha256(data).hexdigest() != digest:
            yield f"module {digest} has other bytes than its digest says"
    found = Counter[tuple[str, int]]()
    sql = (
        "SELECT COALESCE(workflow_id, job_id), state, COUNT(*) FROM tasks JOIN runs USING (seq) "
        "WHERE COALESCE(workflow_id, job_id) IS NOT NULL GROUP BY 1, 2"
    )
    for group_id, state, count in await db.fetch(sql):
        found[group_id, state] = count
    async for row in db.cursor(f"SELECT {rows.GROUP_COLUMNS} FROM groups g", prefetch=_ROWS_AT_ONCE):
        if problem := wrong_count(rows.to_group(tuple(row)), found):
            yield problem
