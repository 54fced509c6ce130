"""Lists of tasks: pages and totals that cost the same however many tasks lie before and behind them.

A list that is about states and times only is counted, and its page found, by blocks. Any other list looks
along an index: that of the fewest tasks. Its total stops at a bound, and then says so. All of a page is one
view of the data.
"""

from collections.abc import Sequence
from typing import Any

from propeller.core.model import GroupKind, Task
from propeller.core.states import FAILED
from propeller.store import limits, rows
from propeller.store.filters import among
from propeller.store.pages import Page, PageOfMany, cut
from propeller.store.port import TaskFilter
from propeller.store.postgres.access import Db, snapshot
from propeller.store.postgres.dialect import numbered
from propeller.store.postgres.queries import read_tasks
from propeller.store.postgres.sources import IS_SHOWN, OF_BLOCK, Chosen, Fits, Range, choose

Query = tuple[str, Sequence[Any]]

#: How many tasks there are in all, as a record has it, without those that are being deleted.
ALL_TASKS = (
    "SELECT count "
    "- (SELECT COUNT(*) FROM tasks WHERE workflow_id IN (SELECT id FROM going)) "
    "- (SELECT COUNT(*) FROM tasks WHERE job_id IN (SELECT id FROM going)) "
    "- (SELECT COUNT(*) FROM tasks WHERE id IN (SELECT id FROM going WHERE kind = 'task')) "
    "FROM totals WHERE kind = 'task'"
)
#: As ``Group.size`` has it, of the group that has this id and kind.
_SIZE = (
    "SELECT COALESCE(SUM(number::bigint), 0)::bigint FROM groups g, "
    "json_array_elements_text(g.counts::json) WITH ORDINALITY counts (number, place) "
    "WHERE g.id = ? AND g.kind = ? AND place <= 7"
)
#: The blocks with tasks that are being deleted.
_GOING_BLOCKS = " UNION ALL ".join(
    f"SELECT seq >> 8 FROM tasks WHERE {column} IN (SELECT id FROM going WHERE kind = '{kind}')"
    for column, kind in (("workflow_id", "workflow"), ("job_id", "job"), ("id", "task"))
)


async def read_task_page(
    db: Db, offset: int, limit: int, only: TaskFilter, *, newest_first: bool = False
) -> Page[Task]:
    direction = "DESC" if newest_first else "ASC"
    recorded = _recorded(only)
    if _is_in_blocks(only):
        assert recorded is not None
        return await _page(db, recorded, _in_blocks(offset, limit, only, direction), f"seq {direction}")
    async with snapshot(db):
        chosen = await choose(db, only)
        known = None if recorded is None else await _number(db, recorded)
        seqs, total, is_at_least = await _look(db, chosen, offset, limit, direction, recorded=known)
        rest = f"WHERE t.seq = ANY ($1) ORDER BY t.seq {direction}"
        tasks = await read_tasks(db, rest, seqs) if seqs else []
        return (PageOfMany if is_at_least else Page)(total, tasks)


async def _page(db: Db, counted: Query, page: Query, order: str) -> Page[Task]:
    """Read a page of tasks in one statement: its total, and the tasks whose ``seq`` a query gives."""
    sql = (
        f"SELECT p.*, total.size FROM (SELECT ({counted[0]}) AS size) total LEFT JOIN ("
        f"SELECT {rows.TASK_COLUMNS} FROM tasks t JOIN runs r ON r.seq = t.seq "
        f"WHERE t.seq = ANY (ARRAY({page[0]}))) p ON TRUE ORDER BY p.{order}"
    )
    found = await db.fetch(numbered(sql), *counted[1], *page[1])
    return Page(found[0]["size"], [rows.to_task(tuple(row)) for row in found if row[0] is not None])


# -- totals that are recorded --------------------------------------------------------------------------------


async def count_tasks(db: Db, only: TaskFilter) -> int | None:
    """Give the number of tasks if records have it; None if the tasks have to be counted."""
    recorded = _recorded(only)
    return None if recorded is None else await _number(db, recorded)


async def _number(db: Db, query: Query) -> int:
    return int(await db.fetchval(numbered(query[0]), *query[1]))


def _recorded(only: TaskFilter) -> Query | None:
    """Say where the number of tasks is recorded; None if it is not."""
    if only == TaskFilter():
        return ALL_TASKS, []
    if _is_in_blocks(only):
        blocks, values = _blocks(only)
        return f"SELECT COALESCE(SUM(count), 0)::bigint FROM ({blocks}) blocks", values
    group_id = only.workflow_id or only.job_id
    if only not in (TaskFilter(workflow_id=group_id), TaskFilter(job_id=group_id)):
        return None
    return _SIZE, [group_id, str(GroupKind.WORKFLOW if only.workflow_id else GroupKind.JOB)]


# -- lists of states and times -------------------------------------------------------------------------------


def _is_in_blocks(only: TaskFilter) -> bool:
    return only == TaskFilter(state=only.state, since=only.since)


def _of_block(only: TaskFilter) -> Query:
    """Give the query of the tasks of a block ``b`` that are listed."""
    state = "" if only.state is None else f" AND r.state = {only.state:d}"
    since, values = (" AND t.created_at >= ?", [only.since]) if only.since else ("", [])
    sql = (
        f"SELECT r.seq FROM runs r JOIN tasks t ON t.seq = r.seq WHERE r.seq {OF_BLOCK}"
        f"{state}{since} AND {IS_SHOWN}"
    )
    return sql, values


def _blocks(only: TaskFilter) -> Query:
    """Give the query of the blocks in which tasks are listed, with the number of these."""
    count = "s0 + s1 + s2 + s3 + s4 + s5 + s6" if only.state is None else f"s{only.state:d}"
    sql, values = _of_block(only)
    # Some are counted anew.
    partly = f"EXISTS (SELECT FROM going) AND block IN ({_GOING_BLOCKS})"
    before, after = [], []
    where = f"{count} > 0"
    if only.since:
        partly = f"first_at < ? OR ({partly})"
        where += " AND last_at >= ?"
        before, after = [only.since], [only.since]
    counted = f"CASE WHEN {partly} THEN (SELECT COUNT(*) FROM ({sql}) looked) ELSE {count} END"
    return f"SELECT block, {counted} AS count FROM task_blocks b WHERE {where}", [*before, *values, *after]


def _in_blocks(offset: int, limit: int, only: TaskFilter, direction: str) -> Query:
    """Give the query of a page."""
    sql, values = _of_block(only)
    where, of_where = ("b.last_at >= ?", [only.since]) if only.since else ("TRUE", [])
    if only.state is not None:
        where += f" AND b.s{only.state:d} > 0"
    page = (
        f"SELECT s.seq FROM {{}}task_blocks b CROSS JOIN LATERAL ({sql} OFFSET 0) s WHERE {where}{{}} "
        f"ORDER BY b.block {direction}, s.seq {direction} LIMIT ? OFFSET {{}}"
    )
    if not offset:
        return page.format("", "", "0"), [*values, *of_where, limit]
    blocks, of_blocks = _blocks(only)
    # The block in which the page begins, and how many of its tasks come before the page.
    first = (
        f"WITH first AS MATERIALIZED (SELECT block, ?::bigint - before AS rest FROM (SELECT block, "
        f"SUM(count) OVER (ORDER BY block {direction}) - count AS before FROM ({blocks}) blocks) placed "
        f"WHERE before <= ? ORDER BY before DESC, block {'DESC' if direction == 'ASC' else 'ASC'} LIMIT 1) "
    )
    further = f" AND b.block {'>=' if direction == 'ASC' else '<='} (SELECT block FROM first)"
    return (
        first + page.format("", further, "(SELECT rest FROM first)"),
        [offset, *of_blocks, offset, *values, *of_where, limit],
    )


# -- all other lists -----------------------------------------------------------------------------------------


async def _look(
    db: Db, chosen: Chosen, offset: int, limit: int, direction: str, *, recorded: int | None
) -> tuple[list[int], int, bool]:
    """Find the tasks of a page by ``seq``, and how many there are if that is not recorded.

    The last of the three says whether there may be more.
    """
    first: list[int] = []
    within = chosen.within
    if recorded is not None:
        total, has_more = recorded, False
    elif chosen.fits is None:
        sql, values = chosen.source.select(within, what="")
        sql = f"SELECT COUNT(*) FROM ({sql} LIMIT {limits.COUNTED_MAX}) counted"
        total = await _number(db, (sql, values))
        has_more = total == limits.COUNTED_MAX
    else:
        first, last = await _first(db, chosen, chosen.fits, direction)
        total, has_more = len(first), last is not None
        if last is None or offset + limit < total:
            return first[offset : offset + limit], total, has_more
        within = Range(within.low, last - 1) if direction == "DESC" else Range(last + 1, within.high)
    sql, values = chosen.source.select(within, chosen.fits)
    sql += f" ORDER BY {chosen.source.order(direction)} LIMIT ? OFFSET ?"
    seqs = first[offset:]
    rest = (limit + 1 - len(seqs), max(offset - len(first), 0))
    seqs += [row[0] for row in await db.fetch(numbered(sql), *values, *rest)]
    return cut(seqs, total, offset=offset, limit=limit, has_more=has_more)


async def _first(db: Db, chosen: Chosen, fits: Fits, direction: str) -> tuple[list[int], int | None]:
    """Look at the first tasks of a source; give those that fit, and the last one if there may be more."""
    most = limits.LOOKED_AT_MAX
    passed, values = chosen.source.select(chosen.within)
    sql = (
        f"SELECT COUNT(*), COALESCE(ARRAY_AGG(s.seq) FILTER (WHERE fits.yes), '{{}}'), "
        f"{'MIN' if direction == 'DESC' else 'MAX'}(s.seq) FROM ("
        f"{passed} ORDER BY {chosen.source.order(direction)} LIMIT {most}) s "
        f"LEFT JOIN LATERAL (SELECT TRUE AS yes FROM ({fits.sql}) one) fits ON TRUE"
    )
    row = await db.fetchrow(numbered(sql), *values, *fits.values)
    assert row is not None
    count, fitting, last = row
    return sorted(fitting, reverse=direction == "DESC"), last if count == most else None


# -- failures ------------------------------------------------------------------------------------------------


async def read_failures(
    db: Db, since: int, limit: int, namespaces: tuple[str, ...] | None = None
) -> Page[Task]:
    """Read the tasks that have failed since a time, the one that failed last at the front."""
    order = "ORDER BY r.finished_at DESC, r.seq DESC"
    failed = f"FROM runs r WHERE r.state = {FAILED:d} AND r.finished_at >= ?"
    values: list[Any] = [since]
    if namespaces is not None:
        last = f"SELECT r.seq, r.finished_at {failed} {order} LIMIT {limits.FAILURES_COUNTED_MAX}"
        of_task = "(SELECT namespace FROM tasks t WHERE t.seq = r.seq)"
        failed = f"FROM ({last}) r WHERE {among(of_task, namespaces)}"
        values += namespaces
    failed += (
        " AND (NOT EXISTS (SELECT FROM going) OR "
        f"EXISTS (SELECT FROM tasks t WHERE t.seq = r.seq AND {IS_SHOWN}))"
    )
    counted = f"SELECT COUNT(*) FROM (SELECT {failed} LIMIT {limits.FAILURES_COUNTED_MAX}) counted"
    page = f"SELECT r.seq {failed} {order} LIMIT ?"
    return await _page(db, (counted, values), (page, [*values, limit]), "finished_at DESC, p.seq DESC")
