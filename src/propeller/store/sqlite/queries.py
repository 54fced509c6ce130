"""The queries that read records, apart from threads and files."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from propeller.core.model import Execution, Group, GroupKind, Task
from propeller.store import filters, limits, rows
from propeller.store.filters import Dialect
from propeller.store.port import Belonging, Cursor, GroupFilter, GroupPage, Loaded, Record, Records
from propeller.store.sqlite.named import groups_with


def _called(record_id: str, name: str, text: str) -> tuple[str, list[Any]]:
    # SQLite itself knows only the case of ASCII, and is faster.
    fold, folded = ("lower", text.lower()) if text.isascii() else ("casefold", text.casefold())
    return f"(instr({fold}({record_id}), ?) = 1 OR instr({fold}({name}), ?) > 0)", [folded, folded]


def _metadata_table(_key: str, value: str) -> str:
    return "task_metadata" if len(value) <= limits.INDEXED_CHARS_MAX else "metadata_of_specs"


DIALECT = Dialect(
    task_name="t.name",
    by_live="INDEXED BY runs_live",
    metadata_table=_metadata_table,
    called=_called,
)
#: What a manager starts from: what has not ended, and what runs again by itself.
_LIVE_GROUPS = "SELECT seq FROM groups WHERE live > 0 UNION SELECT seq FROM awaited_groups"
_LIVE_RUNS = "SELECT seq FROM runs WHERE state < 3 UNION SELECT seq FROM awaited_runs"

#: The runs before a group: of its kind and name, the newest first, without those that only have a schedule.
_EARLIER = (
    "SELECT g.id, CAST((SELECT json_group_array(json(run)) FROM ("
    "SELECT CASE WHEN e.live = 0 AND e.started_at > 0 AND e.finished_at > 0 THEN json_object('id', e.id, "
    "'state', e.state, 'duration', round((e.finished_at - e.started_at) / 1e9, 3)) "
    "ELSE json_object('id', e.id, 'state', e.state) END AS run FROM groups e INDEXED BY groups_by_name "
    "WHERE e.kind = g.kind AND e.namespace = g.namespace AND e.name = g.name AND e.name <> '' "
    "AND e.created_at <= g.created_at "
    "AND (e.created_at < g.created_at OR e.seq < g.seq) "
    "AND (e.definition = '' OR json_extract(e.definition, '$.schedule') IS NULL) "
    "ORDER BY e.created_at DESC, e.seq DESC LIMIT ?)) AS BLOB) "
    "FROM json_each(?) listed CROSS JOIN groups g ON g.seq = listed.value"
)


def last_event_id(db: sqlite3.Connection) -> int:
    return _largest(db, "last_id", "events")


def load(db: sqlite3.Connection) -> Loaded:
    groups = read_groups(db, f"WHERE g.seq IN ({_LIVE_GROUPS}) ORDER BY g.seq", ())
    tasks = read_tasks(
        db,
        f"WHERE t.seq IN ({_LIVE_RUNS}) AND t.workflow_id IS NULL AND t.job_id IS NULL ORDER BY t.seq",
        (),
    )
    tasks += _read_all_tasks(db, groups)
    _fill_in_executions(db, tasks)
    proplets = [
        rows.to_proplet(row)
        for row in db.execute(f"SELECT {rows.PROPLET_COLUMNS} FROM proplets ORDER BY created_at, id")  # noqa: S608
    ]
    return Loaded(
        live=Records(groups, tasks),
        proplets=proplets,
        last_task_seq=_largest(db, "seq", "tasks"),
        last_group_seq=_largest(db, "seq", "groups"),
        last_event_id=last_event_id(db),
    )


def _largest(db: sqlite3.Connection, column: str, table: str) -> int:
    return int(db.execute(f"SELECT COALESCE(MAX({column}), 0) FROM {table}").fetchone()[0])  # noqa: S608


def find(db: sqlite3.Connection, task_ids: Sequence[str], group_ids: Sequence[str]) -> Records:
    named: list[Task] = []
    for marks, values in parts(task_ids):
        named += read_tasks(db, f"WHERE t.id IN ({marks})", values)
    wanted = dict.fromkeys([*group_ids, *(task.spec.group_id for task in named)])
    groups: list[Group] = []
    for marks, values in parts([group_id for group_id in wanted if group_id]):
        groups += read_groups(db, f"WHERE g.id IN ({marks})", values)
    tasks = [task for task in named if not task.spec.group_id]
    tasks += _read_all_tasks(db, groups)
    _fill_in_executions(db, tasks)
    past: dict[str, int] = {}
    for marks, values in parts(task_ids):
        past.update(db.execute(f"SELECT id, attempt FROM past_attempts WHERE id IN ({marks})", values))  # noqa: S608
    return Records(groups, tasks, past)


def _fill_in_executions(db: sqlite3.Connection, tasks: Iterable[Task]) -> None:
    for task in tasks:
        if task.spec.broadcast:
            task.executions = {one.proplet_id: one for one in read_executions(db, "seq = ?", task.seq)}


def read_executions(db: sqlite3.Connection, where: str, value: str | int) -> list[Execution]:
    sql = f"SELECT {rows.EXECUTION_COLUMNS} FROM executions WHERE {where} ORDER BY proplet_id"  # noqa: S608
    return [rows.to_execution(row) for row in db.execute(sql, (value,))]


def read_attempts(db: sqlite3.Connection, task_id: str) -> list[Execution]:
    where = "seq = (SELECT seq FROM tasks WHERE id = ?) ORDER BY attempt, proplet_id"
    sql = f"SELECT {rows.EXECUTION_COLUMNS} FROM attempts WHERE {where}"  # noqa: S608
    return [rows.to_execution(row) for row in db.execute(sql, (task_id,))]


def read_tasks(db: sqlite3.Connection, rest: str, values: Sequence[Any]) -> list[Task]:
    sql = f"SELECT {rows.TASK_COLUMNS} FROM {_tasks(db)} t JOIN runs r ON r.seq = t.seq {rest}"  # noqa: S608
    return [rows.to_task(row) for row in db.execute(sql, values)]


def _tasks(db: sqlite3.Connection) -> str:
    """Name the table of tasks, without those that are being deleted (``expiry``)."""
    if not are_some_going(db):
        return "tasks"
    return "(SELECT * FROM tasks WHERE COALESCE(workflow_id, job_id, id) NOT IN (SELECT id FROM going))"


def missing(db: sqlite3.Connection, records: Iterable[Record]) -> set[Record]:
    """Find which records are not there, or are being deleted."""
    with snapshot(db):
        task = f"SELECT 1 FROM {_tasks(db)} WHERE id = ?"  # noqa: S608
        group = "SELECT 1 FROM groups WHERE id = ? AND kind = ?"
        return {
            record
            for record in records
            if (
                db.execute(task, (record.id,))
                if record.kind == "task"
                else db.execute(group, (record.id, record.kind))
            ).fetchone()
            is None
        }


def read_belonging(db: sqlite3.Connection, record: Record) -> Belonging | None:
    """Find where a record belongs."""
    columns = ", ".join(Belonging._fields)
    with snapshot(db):
        if record.kind == "task":
            found = db.execute(f"SELECT {columns} FROM {_tasks(db)} WHERE id = ?", (record.id,))  # noqa: S608
        else:
            sql = f"SELECT {columns} FROM groups WHERE id = ? AND kind = ?"  # noqa: S608
            found = db.execute(sql, (record.id, record.kind))
        row = found.fetchone()
    return Belonging(*row) if row else None


def are_some_going(db: sqlite3.Connection) -> bool:
    """Say whether records are being deleted, which are no longer shown (``expiry``)."""
    return db.execute("SELECT 1 FROM going LIMIT 1").fetchone() is not None


def read_groups(db: sqlite3.Connection, rest: str, values: Sequence[Any]) -> list[Group]:
    sql = f"SELECT {rows.GROUP_COLUMNS} FROM groups g {rest}"  # noqa: S608
    return [rows.to_group(row) for row in db.execute(sql, values)]


def read_tasks_of_group(db: sqlite3.Connection, group: Group, after: int, limit: int) -> list[Task]:
    rest = f"WHERE t.{group.kind}_id = ? AND t.seq > ? ORDER BY t.seq LIMIT ?"
    return read_tasks(db, rest, (group.id, after, limit))


def _read_all_tasks(db: sqlite3.Connection, groups: Iterable[Group]) -> list[Task]:
    return [task for group in groups for task in read_tasks_of_group(db, group, 0, -1)]


def read_group(db: sqlite3.Connection, kind: GroupKind, group_id: str, tasks_max: int) -> Records | None:
    with snapshot(db):
        groups = read_groups(db, "WHERE g.id = ? AND g.kind = ?", (group_id, kind))
        return Records(groups, _read_tasks_that_fit(db, groups, tasks_max)) if groups else None


def _read_tasks_that_fit(db: sqlite3.Connection, groups: Iterable[Group], tasks_max: int) -> list[Task]:
    """Read all tasks of each group, or none of them if they no longer fit."""
    found: list[Task] = []
    for group in groups:
        if group.size <= tasks_max - len(found):
            found += read_tasks_of_group(db, group, 0, group.size)
    return found


def read_group_page(
    db: sqlite3.Connection,
    kind: GroupKind,
    offset: int,
    limit: int,
    only: GroupFilter,
    *,
    tasks_max: int,
    after: Cursor | None = None,
    earlier: int = 0,
) -> GroupPage:
    where = "WHERE kind = ?"
    values: list[Any] = [str(kind)]
    if only.state is not None:
        where += f" AND state = {int(only.state)}"
    # A record counts those of a state; the rest has to be counted.
    counted = f"SELECT COALESCE(SUM(count), 0) FROM totals {where}"  # noqa: S608
    if only != GroupFilter(state=only.state):
        found = filters.of_groups(DIALECT, only)
        where += f" AND {found.text}" + (
            " AND g.name <> ''" if only.name else ""
        )  # so that an index leads there
        values += found.values
        counted = f"SELECT COUNT(*) FROM groups g {where}"  # noqa: S608
    with snapshot(db):
        if only.text and (wanted := groups_with(db, kind, only.text)) is not None:
            where += f" AND g.seq IN ({wanted[0]})"
            values += wanted[1]
            counted = f"SELECT COUNT(*) FROM groups g {where}"  # noqa: S608
        total = db.execute(counted, values).fetchone()[0]
        if after is not None:
            # Said so that an index leads to the place.
            where += " AND g.created_at <= ? AND NOT (g.created_at = ? AND g.id <= ?)"
            values += [after.created_at, after.created_at, after.id]
        page = f"{where} ORDER BY g.created_at DESC, g.id LIMIT {limit + 1} OFFSET {offset}"
        groups = read_groups(db, page, values)
        has_more = len(groups) > limit > 0
        del groups[limit:]
        cursor = Cursor(groups[-1].created_at, groups[-1].id) if has_more else None
        runs = _read_earlier(db, groups, earlier) if earlier else {}
        return GroupPage(total, Records(groups, _read_tasks_that_fit(db, groups, tasks_max)), cursor, runs)


def _read_earlier(db: sqlite3.Connection, groups: Iterable[Group], count: int) -> dict[str, bytes]:
    """Read the runs before each of these groups, as JSON that SQLite writes: there may be 50,000."""
    seqs = msgspec.json.encode([group.seq for group in groups]).decode()
    return dict(db.execute(_EARLIER, (count, seqs)))


@contextlib.contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """Let all queries of the block see the same commit."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def parts(values: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Split values into parts that one query can take, each with its question marks."""
    for start in range(0, len(values), limits.IDS_PER_QUERY):
        part = values[start : start + limits.IDS_PER_QUERY]
        yield ",".join("?" * len(part)), part
