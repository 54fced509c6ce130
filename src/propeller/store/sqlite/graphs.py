"""Reads all tasks of a workflow or job by columns, as JSON that SQLite writes itself.

A workflow may have 50,000 tasks, and its graph is drawn again and again. A record of each would take seconds
of the interpreter, which the engine needs. So no value of a task is seen here: SQLite makes a few long texts,
in one snapshot, and meanwhile leaves the interpreter to others.
"""

import sqlite3
from typing import Any

from propeller.core.copies import id_of_inner
from propeller.core.model import GroupKind
from propeller.store import limits
from propeller.store.port import Graph
from propeller.store.sqlite.queries import read_groups, snapshot

#: The tasks in order, and the proplets of all attempts. These are tables of the connection's own, because
#: SQLite finds no index for a part of a query that is joined with itself.
_TABLES = """
CREATE TEMP TABLE IF NOT EXISTS places (seq INTEGER PRIMARY KEY, place INTEGER NOT NULL);
CREATE TEMP TABLE IF NOT EXISTS graph_proplets (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
"""
_PLACES = "INSERT INTO places SELECT seq, row_number() OVER (ORDER BY seq) - 1 FROM tasks WHERE {kind}_id = ?"
_PROPLETS = (
    "INSERT INTO graph_proplets SELECT row_number() OVER (ORDER BY proplet_id) - 1, proplet_id FROM ("
    "SELECT proplet_id FROM places CROSS JOIN runs USING (seq) "
    "UNION SELECT proplet_id FROM places CROSS JOIN executions USING (seq) "
    "UNION SELECT proplet_id FROM places CROSS JOIN attempts USING (seq)) WHERE proplet_id <> ''"
)
#: The columns of tasks. What is JSON already, such as a name, is not read and written once more.
_COLUMNS = {
    "ids": "t.id",
    "names": "t.spec -> 'name'",
    "states": "r.state",
    "attempts": "r.attempt",
    "proplets": "COALESCE(w.place, -1)",
    "created": "t.created_at / 1000000",
    "placed": "r.placed_at / 1000000",
    "started": "r.started_at / 1000000",
    "finished": "r.finished_at / 1000000",
    "up": "r.is_up",
    "conditions": "json(COALESCE(t.spec -> 'run_if', '\"\"'))",
    "sub_workflows": (
        "CASE WHEN r.placed_at > 0 AND t.spec -> 'workflow' IS NOT NULL "
        "THEN id_of_inner(t.id, r.attempt) ELSE '' END"
    ),
}
_TASKS = (
    f"SELECT {', '.join(f'CAST(json_group_array({value}) AS BLOB)' for value in _COLUMNS.values())} "  # noqa: S608
    "FROM places p CROSS JOIN tasks t USING (seq) CROSS JOIN runs r USING (seq) "
    "LEFT JOIN graph_proplets w ON w.id = r.proplet_id"
)
_EDGES = (
    "SELECT CAST('[' || COALESCE(group_concat(before.place || ',' || p.place), '') || ']' AS BLOB) "
    "FROM places p CROSS JOIN tasks t USING (seq) CROSS JOIN json_each(t.spec, '$.depends_on') d "
    "CROSS JOIN tasks parent ON parent.id = d.value CROSS JOIN places before ON before.seq = parent.seq"
)
_RUNS = (
    "SELECT CAST(json_group_array(json_array(p.place, a.attempt, a.state, COALESCE(w.place, -1), "
    "a.started_at / 1000000, a.finished_at / 1000000)) AS BLOB) FROM places p CROSS JOIN "
)
_PROPLET_OF_RUN = " LEFT JOIN graph_proplets w ON w.id = a.proplet_id"
_EXECUTIONS = f"{_RUNS} executions a ON a.seq = p.seq {_PROPLET_OF_RUN}"
_NEWEST = (
    f"SELECT attempt FROM attempts WHERE seq = p.seq ORDER BY attempt DESC LIMIT {limits.ATTEMPTS_IN_GRAPH}"  # noqa: S608
)
_PAST_ATTEMPTS = (
    f"{_RUNS} attempts a ON a.seq = p.seq AND a.attempt >= (SELECT MIN(attempt) FROM ({_NEWEST})) "  # noqa: S608
    f"{_PROPLET_OF_RUN}"
)


def read_graph(db: sqlite3.Connection, kind: GroupKind, group_id: str) -> Graph | None:
    """Read the graph of a workflow or job; None if there is none of this id."""
    db.create_function("id_of_inner", 2, id_of_inner, deterministic=True)
    db.executescript(_TABLES)
    with snapshot(db):
        groups = read_groups(db, "WHERE g.id = ? AND g.kind = ?", (group_id, kind))
        if not groups:
            return None
        try:
            return _read(db, kind, group_id, groups[0].mode)
        finally:
            db.execute("DELETE FROM places")
            db.execute("DELETE FROM graph_proplets")


def _read(db: sqlite3.Connection, kind: GroupKind, group_id: str, mode: Any) -> Graph:
    db.execute(_PLACES.format(kind=kind), (group_id,))
    db.execute(_PROPLETS)

    def one(sql: str) -> Any:
        return db.execute(sql).fetchone()[0]

    return Graph(
        event_id=one("SELECT COALESCE(MAX(last_id), 0) FROM events"),
        mode=mode,
        tasks=dict(zip(_COLUMNS, db.execute(_TASKS).fetchone(), strict=True)),
        proplets=one("SELECT CAST(json_group_array(id) AS BLOB) FROM graph_proplets"),
        edges=one(_EDGES),
        past_attempts=one(_PAST_ATTEMPTS),
        executions=one(_EXECUTIONS),
    )
