"""The queries that read workflows and jobs with their tasks: each is one view of the data."""

from collections.abc import Sequence
from typing import Any

from propeller.core.model import Group, GroupKind, Task
from propeller.store import filters, rows
from propeller.store.port import Cursor, GroupFilter, GroupPage, Records
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db, snapshot
from propeller.store.postgres.dialect import DIALECT, numbered
from propeller.store.postgres.queries import read_groups, read_tasks

#: The runs before a group ``g``: of its kind and name, the newest first, without those that only have a
#: schedule.
_EARLIER = """
LEFT JOIN LATERAL (
  SELECT '[' || string_agg(run::text, ',' ORDER BY created_at DESC, seq DESC) || ']' AS runs FROM (
    SELECT e.created_at, e.seq, CASE WHEN e.live = 0 AND e.started_at > 0 AND e.finished_at > 0
      THEN json_build_object('id', e.id, 'state', e.state,
        'duration', round((e.finished_at - e.started_at)::numeric / 1000000000, 3))
      ELSE json_build_object('id', e.id, 'state', e.state) END AS run
    FROM groups e
    WHERE e.kind = g.kind AND left(e.name, 500) = left(g.name, 500) AND e.name = g.name AND e.name <> ''
      AND e.namespace = g.namespace
      AND e.created_at <= g.created_at AND (e.created_at < g.created_at OR e.seq < g.seq)
      AND (e.definition = '' OR json_of(e.definition) -> 'schedule' IS NULL)
    ORDER BY e.created_at DESC, e.seq DESC LIMIT ?
  ) each
) earlier ON TRUE
"""


async def read_group(db: Db, kind: GroupKind, group_id: str, tasks_max: int) -> Records | None:
    async with snapshot(db):
        groups = await read_groups(db, "WHERE g.id = $1 AND g.kind = $2", group_id, str(kind))
        return Records(groups, await _read_tasks_that_fit(db, kind, groups, tasks_max)) if groups else None


async def _read_tasks_that_fit(
    db: Db, kind: GroupKind, groups: Sequence[Group], tasks_max: int
) -> list[Task]:
    """Read all tasks of each group, or none of them if they no longer fit."""
    room = tasks_max
    fitting: list[str] = []
    for group in groups:
        if 0 < group.size <= room:
            room -= group.size
            fitting.append(group.id)
    if not fitting:
        return []
    rest = f"WHERE t.{kind}_id = ANY ($1) ORDER BY array_position($1, t.{kind}_id), t.seq"
    return await read_tasks(db, rest, texts.array(fitting))


async def read_group_page(
    db: Db,
    kind: GroupKind,
    offset: int,
    limit: int,
    only: GroupFilter,
    *,
    tasks_max: int,
    after: Cursor | None = None,
    earlier: int = 0,
) -> GroupPage:
    async with snapshot(db):
        total, groups, runs = await _read_groups(db, kind, offset, limit, only, after=after, earlier=earlier)
        has_more = len(groups) > limit > 0
        del groups[limit:]
        cursor = Cursor(groups[-1].created_at, groups[-1].id) if has_more else None
        earlier_runs = {group.id: runs[group.id] for group in groups} if earlier else {}
        tasks = await _read_tasks_that_fit(db, kind, groups, tasks_max)
        return GroupPage(total, Records(groups, tasks), cursor, earlier_runs)


async def _read_groups(
    db: Db,
    kind: GroupKind,
    offset: int,
    limit: int,
    only: GroupFilter,
    *,
    after: Cursor | None,
    earlier: int,
) -> tuple[int, list[Group], dict[str, bytes]]:
    """Read how many groups there are, those of a page and one more, and the runs before each of them."""
    where = "WHERE kind = ?"
    values: list[Any] = [str(kind)]
    if only.state is not None:
        where += f" AND state = {int(only.state)}"
    # A record counts those of a state; the rest has to be counted.
    counted = f"SELECT COALESCE(SUM(count), 0)::bigint FROM totals {where}"
    if only != GroupFilter(state=only.state):
        found = filters.of_groups(DIALECT, only)
        where += f" AND {found.text}"
        values += found.values
        counted = f"SELECT COUNT(*) FROM groups g {where}"
    counted_values = list(values)
    if after is not None:
        # Said so that an index leads to the place.
        where += " AND g.created_at <= ? AND NOT (g.created_at = ? AND g.id <= ?)"
        values += [after.created_at, after.created_at, after.id]
    order = "ORDER BY g.created_at DESC, g.id"
    lateral, runs = (_EARLIER, "COALESCE(earlier.runs, '[]')") if earlier else ("", "''")
    sql = (
        f"SELECT {rows.GROUP_COLUMNS}, {runs} AS runs, total.size FROM (SELECT ({counted}) AS size) total "
        f"LEFT JOIN (SELECT * FROM groups g {where} {order} LIMIT ? OFFSET ?) g ON TRUE {lateral} {order}"
    )
    values = [*counted_values, *values, limit + 1, offset, *([earlier] if earlier else [])]
    read = await db.fetch(numbered(sql), *values)
    groups = [tuple(row) for row in read if row[0] is not None]
    return (
        read[0]["size"],
        [rows.to_group(row) for row in groups],
        {row[0]: row[-2].encode() for row in groups},
    )
