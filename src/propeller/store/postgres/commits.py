"""Writes the changes of one turn of the engine: as one statement, so in one round trip.

The statement has a part for each kind of change. First comes the fence: it counts the commit and renews the
lease, in the row that says who leads. All other parts write only if it found that row. They see the database
as it was before the statement, and run in no certain order. So what is deleted goes first, in a statement of
its own, if a turn deletes at all: an id may be deleted and used again in one turn.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from propeller.core.effects import Changes
from propeller.core.idempotency import REMEMBERED_NS
from propeller.store import limits, rows
from propeller.store.deletions import notices
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db

#: The channel that tells of each commit with changes of state: the id of the last one.
EVENTS = "propeller_events"
#: The channel that tells of deletions, after the events of the same commit: texts of ``store.deletions``.
DELETIONS = "propeller_deletions"

_RUN = (
    "state integer, attempt bigint, losses bigint, proplet_id text, placed_at bigint, started_at bigint, "
    "finished_at bigint, updated_at bigint, results text, results_encoding text, error text, "
    "error_kind text, exit_code bigint, reason text, was_up integer, restarts bigint, is_up integer, "
    "timing text, ran text, seq bigint"
)
_TASK = (
    "seq bigint, id text, workflow_id text, job_id text, created_at bigint, spec text, namespace text, "
    "created_by text"
)
_EXECUTION = (
    "seq bigint, proplet_id text, attempt bigint, state integer, results text, results_encoding text, "
    "error text, error_kind text, exit_code bigint, started_at bigint, finished_at bigint, ran text"
)
_GROUP = (
    "seq bigint, id text, kind text, name text, mode text, state integer, live bigint, counts text, "
    "created_at bigint, fail_fast integer, started_at bigint, finished_at bigint, definition text, "
    "timing text, namespace text, created_by text"
)
_PROPLET = (
    "id text, name text, is_local integer, boot bigint, is_cordoned integer, drain_by bigint, metadata text, "
    "created_at bigint"
)
_EVENT = "last_id bigint, first_id bigint, transitions text, task_seq bigint"
_KEY = "key text, fingerprint bytea, created_at bigint, task_ids text"


class _Columns(NamedTuple):
    names: list[str]
    types: list[str]

    @classmethod
    def of(cls, text: str) -> "_Columns":
        pairs = [one.split() for one in text.split(", ")]
        return cls([name for name, _ in pairs], [kind for _, kind in pairs])

    def updates(self, source: str, *, without: Sequence[str]) -> str:
        return ", ".join(f"{name} = {source}.{name}" for name in self.names if name not in without)


_RUNS, _TASKS, _EXECUTIONS = _Columns.of(_RUN), _Columns.of(_TASK), _Columns.of(_EXECUTION)
_GROUPS, _PROPLETS, _KEYS = _Columns.of(_GROUP), _Columns.of(_PROPLET), _Columns.of(_KEY)
_EVENTS = _Columns.of(_EVENT)


class Fence(NamedTuple):
    """Who may write."""

    token: int
    holder: str
    #: How many commits there were before.
    commits: int
    #: How long the lease is then, s.
    lease_s: float


class _Statement:
    """One statement, of parts that each write one table."""

    def __init__(self, fence: str, values: Sequence[Any]) -> None:
        self._parts = [f"fence AS ({fence})"]
        self._values: list[Any] = list(values)
        self.is_empty = True

    def _hold(self, value: Any) -> str:
        self._values.append(value)
        return f"${len(self._values)}"

    def add(self, sql: str, *values: Any) -> None:
        """Add a part; ``{0}``, ``{1}`` … stand for the values."""
        held = [self._hold(value) for value in values]
        self._parts.append(f"p{len(self._parts)} AS ({sql.format(*held)})")
        self.is_empty = False

    def table(self, columns: _Columns, held_rows: Iterable[rows.Row]) -> str:
        """Hold rows; give the words that stand for them as ``u``, for a part that says ``FROM fence, …``."""
        held = [
            f"{self._hold(texts.array(values) if kind == 'text' else values)}::{kind}[]"
            for kind, values in zip(columns.types, zip(*held_rows, strict=True), strict=True)
        ]
        return f"unnest({', '.join(held)}) AS u({', '.join(columns.names)})"

    def insert(self, table: str, columns: _Columns, values: Iterable[rows.Row], rest: str = "") -> None:
        names = ", ".join(columns.names)
        source = self.table(columns, values)
        chosen = ", ".join(f"u.{name}" for name in columns.names)
        self.add(f"INSERT INTO {table} ({names}) SELECT {chosen} FROM fence, {source} {rest}")

    def put(self, table: str, columns: _Columns, key: Sequence[str], values: Iterable[rows.Row]) -> None:
        """Insert rows, in the place of those that have the same key."""
        names = ", ".join(key)
        updates = columns.updates("excluded", without=key)
        self.insert(table, columns, values, f"ON CONFLICT ({names}) DO UPDATE SET {updates}")

    async def run(self, db: Db, notice: int = 0) -> bool:
        """Run it, and tell of the event ``notice`` if there is one; say whether the fence found its row."""
        told = f"pg_notify('{EVENTS}', {self._hold(str(notice))})" if notice else "1"
        return bool(await db.fetch(f"WITH {', '.join(self._parts)} SELECT {told} FROM fence", *self._values))


async def write(db: Db, fence: Fence, changes: Changes, events: Sequence[rows.Row]) -> bool:
    """Write changes, all or none, with their rows of the event log; say whether the fence let them pass."""
    first = (
        "UPDATE leader SET commits = commits + 1, expires_at = clock_timestamp() + $4 * interval '1 second' "
    )
    # The one that gave the lead back has its token still, and must not renew the lease by a commit under way:
    # the row names no holder then. Nor must one whose token a replica that took over has given again.
    counts = f"{first} WHERE token = $1 AND holder = $2 AND commits = $3 RETURNING token"
    values = (fence.token, fence.holder, fence.commits, fence.lease_s)
    deletions = _Statement(counts, values)
    _delete(deletions, changes)
    if deletions.is_empty:
        return await _rest(_Statement(counts, values), changes, events, db)
    async with db.transaction():
        if not await deletions.run(db):
            return False
        await _rest(_Statement("SELECT 1", ()), changes, events, db)
        sql = "SELECT pg_notify($1, notice) FROM unnest($2::text[]) notice"
        await db.execute(sql, DELETIONS, list(notices(changes)))
    return True


def _delete(to: _Statement, changes: Changes) -> None:
    gone = [task.seq for task in changes.deleted]
    if gone:
        for table in ("tasks", "runs", "attempts"):
            to.add(f"DELETE FROM {table} USING fence WHERE seq = ANY({{0}}::bigint[])", gone)
    replaced = [*gone, *(task.seq for task in changes.replaced)]
    if replaced:
        to.add("DELETE FROM executions USING fence WHERE seq = ANY({0}::bigint[])", replaced)
    groups = [group.seq for group in changes.deleted_groups]
    if groups:
        to.add("DELETE FROM groups USING fence WHERE seq = ANY({0}::bigint[])", groups)
    proplets = [proplet.id for proplet in changes.deleted_proplets]
    if proplets:
        to.add("DELETE FROM proplets USING fence WHERE id = ANY({0}::text[])", texts.array(proplets))


async def _rest(to: _Statement, changes: Changes, events: Sequence[rows.Row], db: Db) -> bool:
    _write_tasks(to, changes)
    _write_attempts(to, changes)
    if changes.modules:
        data = [(module.digest, data) for module, data in changes.modules.items()]
        to.insert("modules", _Columns.of("digest text, bytes bytea"), data, "ON CONFLICT DO NOTHING")
    if changes.groups:
        # The rest never changes.
        changing = ("state", "live", "counts", "started_at", "finished_at", "timing")
        updates = ", ".join(f"{name} = excluded.{name}" for name in changing)
        table = list({group.seq: rows.group_row(group) for group in changes.groups}.values())
        to.insert("groups", _GROUPS, table, f"ON CONFLICT (seq) DO UPDATE SET {updates}")
    if changes.proplets:
        proplets = {proplet.id: rows.proplet_row(proplet) for proplet in changes.proplets}
        to.put("proplets", _PROPLETS, ["id"], proplets.values())
    if changes.remembered:
        _write_keys(to, changes)
    if not events:
        return await to.run(db)
    to.insert("events", _EVENTS, events)
    return await to.run(db, events[-1][0])


def _write_tasks(to: _Statement, changes: Changes) -> None:
    if changes.created:
        to.insert("tasks", _TASKS, map(rows.task_row, changes.created))
        to.insert("runs", _RUNS, map(rows.run_row, changes.created))
    if changes.updated:
        updates = _RUNS.updates("u", without=["seq"])
        source = to.table(_RUNS, map(rows.run_row, changes.updated))
        to.add(f"UPDATE runs r SET {updates} FROM fence, {source} WHERE r.seq = u.seq")
    if changes.respecified:
        source = to.table(_Columns.of("spec text, seq bigint"), map(rows.spec_row, changes.respecified))
        to.add(f"UPDATE tasks t SET spec = u.spec FROM fence, {source} WHERE t.seq = u.seq")


def _write_attempts(to: _Statement, changes: Changes) -> None:
    if changes.past_attempts:
        columns = _Columns.of("id text, attempt bigint")
        again = "ON CONFLICT (id) DO UPDATE SET attempt = excluded.attempt, number = excluded.number"
        to.insert("past_attempts", columns, changes.past_attempts.items(), again)
    if changes.executions:
        table = {
            (task.seq, one.proplet_id): rows.execution_row(task, one) for task, one in changes.executions
        }
        to.put("executions", _EXECUTIONS, ["seq", "proplet_id"], table.values())
    if changes.attempts:
        key = ["seq", "attempt", "proplet_id"]
        past = {
            (task.seq, one.attempt, one.proplet_id): rows.execution_row(task, one)
            for task, one in changes.attempts
        }
        to.put("attempts", _EXECUTIONS, key, past.values())
        old = [
            (task.seq, one.attempt - limits.ATTEMPTS_KEPT)
            for task, one in changes.attempts
            if one.attempt > limits.ATTEMPTS_KEPT
        ]
        if old:
            source = to.table(_Columns.of("seq bigint, attempt bigint"), old)
            to.add(
                f"DELETE FROM attempts a USING fence, {source} WHERE a.seq = u.seq AND a.attempt <= u.attempt"
            )


def _write_keys(to: _Statement, changes: Changes) -> None:
    """Write what was done under keys, each in the place of what was long ago, and delete some old ones."""
    table = {one.key.text: rows.remembered_row(one) for one in changes.remembered}
    updates = _KEYS.updates("excluded", without=["key"])
    again = f"ON CONFLICT (key) DO UPDATE SET {updates}, status = NULL, location = NULL, answer = NULL"
    to.insert("idempotency_keys", _KEYS, table.values(), again)
    to.add(
        "DELETE FROM idempotency_keys USING fence WHERE key IN ("
        "SELECT key FROM idempotency_keys WHERE created_at <= {0}::bigint ORDER BY created_at "
        "LIMIT {1}::bigint) AND key <> ALL({2}::text[])",
        changes.remembered[-1].at - REMEMBERED_NS,
        limits.KEYS_PIECE,
        texts.array(table),
    )
