"""Reads all tasks of a workflow or job by columns, as JSON that PostgreSQL writes itself.

A workflow may have 50,000 tasks, and its graph is drawn again and again. A record of each would take seconds
of the interpreter, which the engine needs. So no value of a task is seen here: PostgreSQL makes a few long
texts, in one statement and so of one view of the data.
"""

from functools import cache

from propeller.core.model import GroupKind, JobMode
from propeller.store import limits
from propeller.store.port import Graph
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db

#: The columns of tasks. What is JSON already, such as a name, is not read and written once more.
_COLUMNS = {
    "ids": "to_json(id)",
    "names": "name",
    "states": "state",
    "attempts": "attempt",
    "proplets": "COALESCE(proplet, -1)",
    "created": "created_at / 1000000",
    "placed": "placed_at / 1000000",
    "started": "started_at / 1000000",
    "finished": "finished_at / 1000000",
    "up": "is_up",
    "conditions": "COALESCE(condition, '\"\"')",
    "sub_workflows": "to_json(COALESCE(sub_workflow, ''))",
}
_RUN = (
    "'[' || concat_ws(',', p.place, a.attempt, a.state, COALESCE(w.place, -1), "
    "a.started_at / 1000000, a.finished_at / 1000000) || ']'"
)


def _array(values: str) -> str:
    """Make a JSON array, in UTF-8."""
    return f"convert_to('[' || COALESCE(string_agg(({values})::text, ','), '') || ']', 'UTF8')"


#: The id of a workflow that a task runs is that of ``copies.id_of_inner``.
_PLACES = """
SELECT t.seq, row_number() OVER (ORDER BY t.seq) - 1 AS place, t.id, json_of(t.spec) -> 'name' AS name,
  CASE WHEN strpos(t.spec, '"run_if":') > 0 THEN json_of(t.spec) -> 'run_if' END AS condition,
  CASE WHEN strpos(t.spec, '"depends_on":') > 0 THEN json_of(t.spec) -> 'depends_on' END AS depends_on,
  CASE WHEN r.placed_at > 0 AND strpos(t.spec, '"workflow":') > 0
    AND json_of(t.spec) -> 'workflow' IS NOT NULL THEN t.id || '.' || r.attempt END AS sub_workflow,
  r.proplet_id, r.state, r.attempt, t.created_at, r.placed_at, r.started_at, r.finished_at, r.is_up
FROM tasks t JOIN runs r ON r.seq = t.seq WHERE t.{kind}_id = $1
"""
_PROPLETS = """
SELECT row_number() OVER (ORDER BY id) - 1 AS place, id FROM (
  SELECT proplet_id AS id FROM places
  UNION SELECT e.proplet_id FROM places p JOIN executions e ON e.seq = p.seq
  UNION SELECT a.proplet_id FROM places p JOIN attempts a ON a.seq = p.seq
) named WHERE id <> ''
"""
_TASKS = (
    f"SELECT {', '.join(map(_array, _COLUMNS.values()))} FROM ("
    "SELECT p.*, w.place AS proplet FROM places p LEFT JOIN proplets w ON w.id = p.proplet_id "
    "ORDER BY p.place) sorted"
)
_EDGES = (
    f"SELECT {_array('pair')} FROM (SELECT before.place || ',' || p.place AS pair "
    "FROM places p CROSS JOIN LATERAL json_array_elements_text(p.depends_on) WITH ORDINALITY d (id, number) "
    "JOIN places before ON before.id = d.id ORDER BY p.place, d.number) sorted"
)
_EXECUTIONS = (
    f"SELECT {_array('run')} FROM (SELECT {_RUN} AS run FROM places p JOIN executions a ON a.seq = p.seq "
    "LEFT JOIN proplets w ON w.id = a.proplet_id ORDER BY p.place, a.proplet_id) sorted"
)
_PAST_ATTEMPTS = (
    f"SELECT {_array('run')} FROM (SELECT {_RUN} AS run FROM ("
    "SELECT a.*, p.place, rank() OVER (PARTITION BY a.seq ORDER BY a.attempt DESC) AS age "
    "FROM places p JOIN attempts a ON a.seq = p.seq) a JOIN places p ON p.seq = a.seq "
    f"LEFT JOIN proplets w ON w.id = a.proplet_id WHERE a.age <= {limits.ATTEMPTS_IN_GRAPH} "
    "ORDER BY p.place, a.attempt, a.proplet_id) sorted"
)


@cache
def _graph(kind: GroupKind) -> str:
    return (
        f"WITH places AS MATERIALIZED ({_PLACES.format(kind=kind)}), "
        f"proplets AS MATERIALIZED ({_PROPLETS}), columns AS ({_TASKS}) "
        "SELECT (SELECT COALESCE(MAX(last_id), 0) FROM events), g.mode, "
        f"(SELECT {_array('to_json(id)')} FROM (SELECT id FROM proplets ORDER BY place) sorted), "
        f"({_EDGES}), ({_PAST_ATTEMPTS}), ({_EXECUTIONS}), columns.* "
        "FROM groups g CROSS JOIN columns WHERE g.id = $1 AND g.kind = $2"
    )


async def read_graph(db: Db, kind: GroupKind, group_id: str) -> Graph | None:
    """Read the graph of a workflow or job; None if there is none of this id."""
    async with db.transaction():
        await db.execute("SET LOCAL enable_hashjoin = on")  # all tasks of a group are joined with each other
        row = await db.fetchrow(_graph(kind), group_id, str(kind))
    if row is None:
        return None
    event_id, mode, *columns = row
    proplets, edges, past_attempts, executions, *of_tasks = map(texts.decode_json, columns)
    return Graph(
        event_id=event_id,
        mode=None if mode is None else JobMode(mode),
        tasks=dict(zip(_COLUMNS, of_tasks, strict=True)),
        proplets=proplets,
        edges=edges,
        past_attempts=past_attempts,
        executions=executions,
    )
