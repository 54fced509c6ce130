"""Lists of tasks: pages and totals that cost the same however many tasks lie before and behind them.

Tasks are counted by state in blocks of 256 (``0028_blocks.sql``). A list that is about states and times only
is counted, and its page found, by blocks. Any other list looks along an index: that of the fewest tasks. Its
total stops at a bound, and then says so.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from propeller.core.model import GroupKind, Task
from propeller.store import limits
from propeller.store.filters import among
from propeller.store.pages import Page, PageOfMany, cut
from propeller.store.port import TaskFilter
from propeller.store.sqlite.queries import are_some_going, read_groups, read_tasks, snapshot

SEQ_MAX = 2**63 - 1
_OF_BLOCK = "s.seq BETWEEN b.block << 8 AND (b.block << 8 | 255)"
#: The blocks with tasks that are being deleted.
_GOING_BLOCKS = " UNION ALL ".join(
    f"SELECT seq >> 8 FROM tasks WHERE {column} IN (SELECT id FROM going WHERE kind = '{kind}')"  # noqa: S608
    for column, kind in (("workflow_id", "workflow"), ("job_id", "job"), ("id", "task"))
)
_IS_SHOWN = (
    "(SELECT COALESCE(workflow_id, job_id, id) FROM tasks WHERE seq = s.seq) NOT IN (SELECT id FROM going)"
)


class Source(NamedTuple):
    """Tasks ``s`` that an index leads to; several queries are merged."""

    #: The field of the filter that all of them fulfil, or the key of metadata; ``""`` for none.
    field: str
    tables: str
    where: str
    #: The values of ``where`` of each query.
    arms: Sequence[Sequence[Any]] = ((),)
    order: str = "s.seq {}"
    #: Further words for blocks.
    bounds: str = ""
    #: True if the index has them in another order, so that all have to be sorted.
    is_unsorted: bool = False

    def select(self, what: str = "s.seq", *, low: int = 0, high: int = SEQ_MAX, more: str = "") -> str:
        """Give the query of those in a range that fulfil more conditions, without an order."""
        seq = "+s.seq" if self.is_unsorted else "s.seq"
        inside = "" if (low, high) == (0, SEQ_MAX) else f" AND {seq} BETWEEN {low} AND {high}"
        if inside and self.bounds:
            inside += self.bounds.format(low >> 8, high >> 8)
        one = f"SELECT {what} FROM {self.tables} WHERE {self.where}{inside}{more}"  # noqa: S608
        return " UNION ALL ".join([one] * len(self.arms))

    def ordered(self, direction: str) -> str:
        return "1 " + direction if len(self.arms) > 1 else self.order.replace("{}", direction)

    def values(self, more: Sequence[Any] = ()) -> list[Any]:
        return [value for arm in self.arms for value in (*arm, *more)]


ALL = Source("", "runs s", "TRUE")


def of_state(state: int) -> Source:
    return Source(
        "state",
        f"task_blocks b CROSS JOIN runs s ON {_OF_BLOCK}",
        # The plus keeps SQLite from making an index of its own of all tasks.
        f"b.s{state} > 0 AND +s.state = {state}",
        order="b.block {}, s.seq {}",
        bounds=" AND b.block BETWEEN {} AND {}",
    )


def of_names(names: Sequence[str]) -> Source:
    return Source("name", "tasks s", "s.name = ?", [[name] for name in names])


def _sources(only: TaskFilter) -> Iterator[Source]:
    """Give the sources that a filter allows, but for its state."""
    for field in ("workflow_id", "job_id"):
        if group_id := getattr(only, field):
            yield Source(field, "tasks s", f"s.{field} = ?", [[group_id]])
    for key, value in only.metadata.items():
        if len(value) <= limits.INDEXED_CHARS_MAX:
            yield Source(f"metadata {key}", "task_metadata s", "s.key = ? AND s.value = ?", [[key, value]])
    if only.name:
        yield of_names([only.name])
    if only.namespaces is not None:
        where = "s.namespace = ?" if only.namespaces else "FALSE"
        yield Source("namespaces", "tasks s", where, [[one] for one in only.namespaces] or [[]])
    if only.created_by:
        yield Source("created_by", "tasks s", "s.created_by = ? AND s.created_by <> ''", [[only.created_by]])


def _of_prefix(prefix: str) -> Source:
    where = "s.id >= ? AND s.id <= ? || char(1114111)"
    return Source("id_prefix", "tasks s", where, [[prefix, prefix]], is_unsorted=True)


def _size(db: sqlite3.Connection, source: Source, most: int) -> int:
    sql = source.select("1")
    counted = f"SELECT COUNT(*) FROM (SELECT * FROM ({sql}) LIMIT {most})"  # noqa: S608
    return int(db.execute(counted, source.values()).fetchone()[0])


def ordered_source(db: sqlite3.Connection, only: TaskFilter, also: Sequence[Source] = ()) -> Source:
    """Choose the source of the fewest tasks among those that give them in the order of their creation."""
    found = [*_sources(only), *also]
    if only.state is None and len(found) <= 1:
        return found[0] if found else ALL
    if not found:
        return of_state(int(only.state or 0))
    most = limits.LOOKED_AT_MAX
    sizes = [(_size(db, source, most), source) for source in found]
    if only.state is not None:
        count = _count_in_blocks(db, TaskFilter(state=only.state))
        sizes.append((count if count < most else most + 1, of_state(int(only.state))))
    return min(sizes, key=lambda found: found[0])[1]


def _any_source(db: sqlite3.Connection, only: TaskFilter) -> Source:
    """Choose the source of the fewest tasks; many with the same begin of their ids are not sorted."""
    best = ordered_source(db, only)
    if not only.id_prefix:
        return best
    most = limits.LOOKED_AT_MAX if best.field else limits.SORTED_MAX
    size = _size(db, _of_prefix(only.id_prefix), most)
    return _of_prefix(only.id_prefix) if size < most else best


def conditions(db: sqlite3.Connection, only: TaskFilter, source: Source = ALL) -> tuple[str, list[Any]]:
    """Say what a task ``s`` of a source must be like besides; ``""`` for nothing."""
    of_task = "(SELECT {} FROM tasks WHERE seq = s.seq)"
    found: list[str] = []
    values: list[Any] = []
    for field in ("workflow_id", "job_id"):
        if getattr(only, field) and source.field != field:
            found.append(f"{of_task.format(field)} = ?")
            values.append(getattr(only, field))
    if only.id_prefix and source.field != "id_prefix":
        found.append(f"{of_task.format('id')} BETWEEN ? AND ? || char(1114111)")
        values += [only.id_prefix, only.id_prefix]
    if only.since:
        found.append(f"{of_task.format('created_at')} >= ?")
        values.append(only.since)
    if only.state is not None and source.field != "state":
        # Blocks without the state are passed over.
        found.append(f"(SELECT s{int(only.state)} FROM task_blocks WHERE block = s.seq >> 8) > 0")  # noqa: S608
        found.append(f"(SELECT state FROM runs WHERE seq = s.seq) = {int(only.state)}")  # noqa: S608
    for key, value in only.metadata.items():
        if source.field != f"metadata {key}":
            table = "task_metadata" if len(value) <= limits.INDEXED_CHARS_MAX else "metadata_of_specs"
            found.append(f"EXISTS (SELECT 1 FROM {table} WHERE key = ? AND value = ? AND seq = s.seq)")  # noqa: S608
            values += [key, value]
    if only.name and source.field != "name":
        found.append(of_task.format("name") + " = ?")
        values.append(only.name)
    if only.namespaces is not None and source.field != "namespaces":
        found.append(among(of_task.format("namespace"), only.namespaces))
        values += only.namespaces
    if only.created_by and source.field != "created_by":
        found.append(of_task.format("created_by") + " = ?")
        values.append(only.created_by)
    if are_some_going(db):
        found.append(_IS_SHOWN)
    return "".join(f" AND {one}" for one in found), values


# -- lists of states and times -------------------------------------------------------------------------------


def _is_in_blocks(only: TaskFilter) -> bool:
    return only == TaskFilter(state=only.state, since=only.since)


def _blocks(db: sqlite3.Connection, only: TaskFilter) -> tuple[str, list[Any]]:
    """Give a query of the blocks in which tasks are listed, with the number of these."""
    count = "s0 + s1 + s2 + s3 + s4 + s5 + s6" if only.state is None else f"s{int(only.state)}"
    where = f"{count} > 0"
    values: list[Any] = []
    partly: list[str] = []
    if only.since:
        where += f" AND last_at >= {only.since}"
        partly.append(f"first_at < {only.since}")
    if are_some_going(db):
        partly.append(f"block IN ({_GOING_BLOCKS})")
    if partly:  # these are counted anew
        more, values = conditions(db, only)
        looked = f"SELECT COUNT(*) FROM runs s WHERE {_OF_BLOCK}{more}"  # noqa: S608
        count = f"CASE WHEN {' OR '.join(partly)} THEN ({looked}) ELSE {count} END"
    return f"SELECT block, {count} AS count FROM task_blocks b WHERE {where}", values  # noqa: S608


def _count_in_blocks(db: sqlite3.Connection, only: TaskFilter) -> int:
    sql, values = _blocks(db, only)
    return int(db.execute(f"SELECT COALESCE(SUM(count), 0) FROM ({sql})", values).fetchone()[0])  # noqa: S608


def _begin(db: sqlite3.Connection, offset: int, only: TaskFilter, direction: str) -> tuple[int, int]:
    """Find the block in which a page begins, and how many of its tasks come before the page."""
    blocks, values = _blocks(db, only)
    before = f"SUM(count) OVER (ORDER BY block {direction}) - count AS before"
    sql = (
        f"SELECT block, before FROM (SELECT block, {before} FROM ({blocks})) WHERE before <= ? "  # noqa: S608
        f"ORDER BY before DESC, block {'DESC' if direction == 'ASC' else 'ASC'} LIMIT 1"
    )
    block, count = db.execute(sql, (*values, offset)).fetchone() or (0, 0)
    return block, offset - count


def _page_in_blocks(
    db: sqlite3.Connection, offset: int, limit: int, only: TaskFilter, direction: str
) -> list[int]:
    source = Source(
        "", f"task_blocks b CROSS JOIN runs s ON {_OF_BLOCK}", "TRUE", order="b.block {}, s.seq {}"
    )
    if only.state is not None:
        source = of_state(int(only.state))
    more, values = conditions(db, only, source)
    if only.since:
        more += f" AND b.last_at >= {only.since}"
    rest = offset
    if offset:
        block, rest = _begin(db, offset, only, direction)
        more += f" AND b.block {'>=' if direction == 'ASC' else '<='} {block}"
    sql = source.select(more=more)
    sql = f"{sql} ORDER BY {source.ordered(direction)} LIMIT ? OFFSET ?"
    return [row[0] for row in db.execute(sql, (*source.values(values), limit, rest))]


# -- all lists -----------------------------------------------------------------------------------------------


def read_task_page(
    db: sqlite3.Connection, offset: int, limit: int, only: TaskFilter, *, newest_first: bool = False
) -> Page[Task]:
    direction = "DESC" if newest_first else "ASC"
    with snapshot(db):
        total, is_at_least = count_tasks(db, only), False
        if _is_in_blocks(only):
            assert total is not None
            seqs = _page_in_blocks(db, offset, limit, only, direction) if offset < total else []
        else:
            seqs, total, is_at_least = _look(db, offset, limit, only, direction, recorded=total)
        listed = ",".join(map(str, seqs))
        tasks = read_tasks(db, f"WHERE t.seq IN ({listed}) ORDER BY t.seq {direction}", ())
        return (PageOfMany if is_at_least else Page)(total, tasks)


def _look(
    db: sqlite3.Connection, offset: int, limit: int, only: TaskFilter, direction: str, *, recorded: int | None
) -> tuple[list[int], int, bool]:
    """Find the tasks of a page by ``seq``, and how many there are if that is not recorded.

    The last of the three says whether there may be more.
    """
    source = _any_source(db, only)
    low, high = _range(db, only)
    more, values = conditions(db, only, source)
    passed = source.select("s.seq AS seq", low=low, high=high)
    first: list[int] = []
    if recorded is not None:
        total, has_more = recorded, False
    elif not more:
        counted = f"SELECT COUNT(*) FROM (SELECT * FROM ({passed}) LIMIT {limits.COUNTED_MAX})"  # noqa: S608
        total = db.execute(counted, source.values()).fetchone()[0]
        has_more = total == limits.COUNTED_MAX
    else:
        most = limits.LOOKED_AT_MAX
        sql = (
            f"SELECT s.seq, TRUE{more} FROM ("  # noqa: S608
            f"SELECT * FROM ({passed} ORDER BY {source.ordered(direction)} LIMIT {most})) s"
        )
        # The conditions stand before the source.
        looked = db.execute(sql, (*values, *source.values())).fetchall()
        first = sorted((seq for seq, fits in looked if fits), reverse=direction == "DESC")
        total, has_more = len(first), len(looked) == most
        if not has_more or offset + limit < total:
            return first[offset : offset + limit], total, has_more
        passed_seqs = [seq for seq, _ in looked]
        low, high = (low, min(passed_seqs) - 1) if direction == "DESC" else (max(passed_seqs) + 1, high)
    sql = source.select(low=low, high=high, more=more)
    sql = f"{sql} ORDER BY {source.ordered(direction)} LIMIT ? OFFSET ?"
    seqs = first[offset:]
    rest = (limit + 1 - len(seqs), max(offset - len(first), 0))
    seqs += [row[0] for row in db.execute(sql, (*source.values(values), *rest))]
    return cut(seqs, total, offset=offset, limit=limit, has_more=has_more)


def _range(db: sqlite3.Connection, only: TaskFilter) -> tuple[int, int]:
    """Bound the tasks that may be in a list, by the blocks in which some are of its state and time."""
    if only.state is None and not only.since:
        return 0, SEQ_MAX
    count = "1" if only.state is None else f"s{int(only.state)}"
    sql = f"SELECT MIN(block), MAX(block) FROM task_blocks WHERE {count} > 0 AND last_at >= ?"  # noqa: S608
    low, high = db.execute(sql, (only.since,)).fetchone()
    return (1, 0) if low is None else (low << 8, high << 8 | 255)


def count_tasks(db: sqlite3.Connection, only: TaskFilter) -> int | None:
    """Give the number of tasks if records have it; None if the tasks have to be counted."""
    if only == TaskFilter():
        hidden = (
            "(SELECT COUNT(*) FROM tasks WHERE workflow_id IN (SELECT id FROM going)) "
            "- (SELECT COUNT(*) FROM tasks WHERE job_id IN (SELECT id FROM going)) "
            "- (SELECT COUNT(*) FROM tasks WHERE id IN (SELECT id FROM going WHERE kind = 'task'))"
        )
        found = db.execute(f"SELECT count - {hidden} FROM totals WHERE kind = 'task'").fetchone()  # noqa: S608
        return int(found[0])
    if _is_in_blocks(only):
        return _count_in_blocks(db, only)
    group_id = only.workflow_id or only.job_id
    if only not in (TaskFilter(workflow_id=group_id), TaskFilter(job_id=group_id)):
        return None
    kind = GroupKind.WORKFLOW if only.workflow_id else GroupKind.JOB
    return sum(group.size for group in read_groups(db, "WHERE g.id = ? AND g.kind = ?", (group_id, kind)))
