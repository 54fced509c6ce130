"""Tasks to which an index leads, in the order of their creation, and which of them a list looks along.

Tasks are counted by state in blocks of 256, as in SQLite, so that those of a state are found in steps of
blocks.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from propeller.core.states import TaskState
from propeller.store import filters, limits
from propeller.store.filters import has_prefix
from propeller.store.port import Sought, TaskFilter
from propeller.store.postgres.access import Db
from propeller.store.postgres.dialect import DIALECT, numbered

SEQ_MAX = 2**63 - 1
#: How many characters of a name are in the index of names.
_INDEXED_CHARS = 500
OF_BLOCK = "BETWEEN b.block << 8 AND (b.block << 8 | 255)"
#: Tasks that are being deleted, as their workflow or job is, are no longer shown (``expiry``). Mostly there
#: are none, which is asked once.
IS_SHOWN = (
    "(NOT EXISTS (SELECT FROM going) "
    "OR COALESCE(t.workflow_id, t.job_id, t.id) NOT IN (SELECT id FROM going))"
)


class Range(NamedTuple):
    """Tasks from one ``seq`` up to another."""

    low: int = 0
    high: int = SEQ_MAX


EVERYWHERE = Range()


class Source(NamedTuple):
    """Tasks ``s`` that an index leads to."""

    #: The field of the filter that all of them fulfil, or the key of metadata; ``""`` for none.
    field: str
    tables: str
    where: str = "TRUE"
    values: Sequence[Any] = ()
    #: Those of the question marks in ``tables``.
    of_tables: Sequence[Any] = ()
    #: True if they are found by blocks ``b``.
    by_block: bool = False
    #: True if the index has them in another order, so that all have to be sorted.
    is_unsorted: bool = False

    def select(
        self, within: Range = EVERYWHERE, fits: "Fits | None" = None, what: str = "s.seq"
    ) -> tuple[str, list[Any]]:
        """Give the query of those in a range, and maybe of those that fit, without an order."""
        joined, values = "", [*self.of_tables]
        if fits is not None:
            joined = f"CROSS JOIN LATERAL ({fits.sql}) fits"
            values += fits.values
        sql = f"SELECT {what} FROM {self.tables} {joined} WHERE {self.where}"
        values += self.values
        if within != EVERYWHERE:
            # With the plus it is no reason to look along another index.
            sql += f" AND {'+' if self.is_unsorted else ''}s.seq BETWEEN ? AND ?"
            values += within
            if self.by_block:
                sql += " AND b.block BETWEEN ? AND ?"
                values += [within.low >> 8, within.high >> 8]
        return sql, values

    def order(self, direction: str) -> str:
        return f"b.block {direction}, s.seq {direction}" if self.by_block else f"s.seq {direction}"


class Fits(NamedTuple):
    """A query that has a row if the task ``s`` fits; it is kept apart, so that no other is looked at."""

    sql: str
    values: Sequence[Any]


ALL = Source("", "runs s")


def _of_state(state: TaskState) -> Source:
    runs = f"(SELECT r.seq FROM runs r WHERE r.seq {OF_BLOCK} AND r.state = {state:d} OFFSET 0) s"
    return Source("state", f"task_blocks b CROSS JOIN LATERAL {runs}", f"b.s{state:d} > 0", by_block=True)


def _of_prefix(prefix: str) -> Source:
    where, values = has_prefix("s.id", prefix)
    return Source("id_prefix", "tasks s", where, values, is_unsorted=True)


def _sources(only: TaskFilter) -> Iterator[Source]:
    """Give the sources that a filter allows, but for its state and the begin of the id."""
    for field in ("workflow_id", "job_id"):
        if group_id := getattr(only, field):
            yield Source(field, "tasks s", f"s.{field} = ?", [group_id])
    for key, value in only.metadata.items():
        if DIALECT.metadata_table(key, value) == "task_metadata":
            yield Source(f"metadata {key}", "task_metadata s", "s.key = ? AND s.value = ?", [key, value])
    if only.name:
        where, values = f"s.indexed_name = left(?, {_INDEXED_CHARS})", [only.name]
        if len(only.name) >= _INDEXED_CHARS // 2:  # which may be twice as many as they are kept (``texts``)
            where, values = f"{where} AND json_of(s.spec) ->> 'name' = ?", [only.name, only.name]
        yield Source("name", "tasks s", where, values)
    if only.namespaces is not None:
        yield _of_namespaces(only.namespaces)
    if only.created_by:
        of_creator = "s.created_by = ? AND s.created_by <> ''"
        yield Source("created_by", "tasks s", of_creator, [only.created_by])


def _of_namespaces(namespaces: Sequence[str]) -> Source:
    """Give the tasks of some namespaces; those of several are merged, each in its order."""
    if len(namespaces) == 1:
        return Source("namespaces", "tasks s", "s.namespace = ?", namespaces)
    one = "SELECT seq FROM tasks WHERE namespace = ?"
    merged = " UNION ALL ".join([one] * len(namespaces)) or "SELECT seq FROM tasks WHERE FALSE"
    return Source("namespaces", f"({merged}) s", of_tables=namespaces)


class Chosen(NamedTuple):
    source: Source
    #: All tasks of the list are in it.
    within: Range
    #: What tasks of the source in the range must be like to be in the list; None if all are.
    fits: Fits | None


async def choose(db: Db, only: TaskFilter) -> Chosen:
    """Choose the source of the fewest tasks; many with the same begin of their ids are not sorted."""
    found = list(_sources(only))
    has_choice = len(found) > 1 or only.state is not None or bool(only.id_prefix)
    sizes = [_size(source, limits.LOOKED_AT_MAX) for source in found] if has_choice else []
    if only.id_prefix:
        found.append(_of_prefix(only.id_prefix))
        sizes.append(_size(found[-1], limits.SORTED_MAX))
    count = "b.s0 + b.s1 + b.s2 + b.s3 + b.s4 + b.s5 + b.s6" if only.state is None else f"b.s{only.state:d}"
    sized = "".join(f", ({sql})" for sql, _ in sizes)
    sql = (
        f"SELECT EXISTS (SELECT FROM going), MIN(b.block), MAX(b.block), COALESCE(SUM({count}), 0)::bigint"
        f"{sized} FROM task_blocks b WHERE {count} > 0 AND b.last_at >= ?"
    )
    row = await db.fetchrow(numbered(sql), *(value for _, values in sizes for value in values), only.since)
    assert row is not None
    some_going, low, high, in_blocks, *counts = row
    source = _best(only, list(zip(found, counts, strict=True)), in_blocks) if has_choice else (*found, ALL)[0]
    within = Range(1, 0) if low is None else Range(low << 8, high << 8 | 255)
    fits = _fits(only, source, some_going=some_going)
    return Chosen(source, within if only.state is not None or only.since else EVERYWHERE, fits)


def _fits(only: TaskFilter, source: Source, *, some_going: bool) -> Fits | None:
    """Say what tasks of a source must be like besides."""
    rest = only
    if source.field.startswith("metadata "):
        key = source.field.removeprefix("metadata ")
        rest = only._replace(metadata={one: only.metadata[one] for one in only.metadata if one != key})
    elif source.field:
        rest = only._replace(**{source.field: TaskFilter._field_defaults[source.field]})
    if rest == TaskFilter() and not some_going:
        return None
    if rest == TaskFilter(state=rest.state) and not some_going:
        return Fits(f"SELECT FROM runs r WHERE r.seq = s.seq AND r.state = {rest.state:d} OFFSET 0", ())
    found = filters.of_search(DIALECT, Sought(rest), *([IS_SHOWN] if some_going else []))
    run = "" if rest.state is None else "JOIN runs r ON r.seq = t.seq "
    return Fits(f"SELECT FROM tasks t {run}WHERE t.seq = s.seq AND {found.text} OFFSET 0", found.values)


def _size(source: Source, most: int) -> tuple[str, list[Any]]:
    sql, values = source.select()
    return f"SELECT COUNT(*) FROM ({sql} LIMIT {most}) counted", values


def _best(only: TaskFilter, sizes: list[tuple[Source, int]], in_state: int) -> Source:
    most = limits.LOOKED_AT_MAX
    found = [(size, source) for source, size in sizes if source.field != "id_prefix"]
    if only.state is not None:
        found.append((in_state if in_state < most else most + 1, _of_state(only.state)))
    best = min(found, key=lambda one: one[0])[1] if found else ALL
    for source, size in sizes:
        if source.field == "id_prefix" and size < (most if best.field else limits.SORTED_MAX):
            return source
    return best
