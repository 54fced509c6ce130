"""Deletes records that ended long ago, a few milliseconds at a time.

A record is deleted with all that belongs to it: a workflow or job with its tasks, a task with its executions,
logs, samples and invocations, and a module with its last task. First the id of the record is written to
``going``: from then on no query shows the record. Then its parts are deleted, piece by piece. If the engine
asks for such an id, which may be used again, the rest is deleted at once (``is_going``, ``forget_going``).
The rest is also deleted at the next start, even if that manager keeps records for ever.

All deletions run in the writer's thread, between two turns of the engine. Then the engine holds no record
that has ended: one that it wants to start again is still there, or is not found.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence

from propeller.store import limits, unused
from propeller.store.port import Ended
from propeller.store.sqlite.queries import parts

_GROUPS = (
    "SELECT seq, id FROM groups WHERE live = 0 AND MAX(finished_at, created_at) < ? "
    "AND seq NOT IN kept_groups"
)
_TASKS = (
    "SELECT t.seq FROM tasks t JOIN runs r ON r.seq = t.seq WHERE r.state > 2 AND r.updated_at < ? "
    "AND t.workflow_id IS NULL AND t.job_id IS NULL AND t.seq NOT IN kept_runs"
)


#: Only in these blocks may be tasks that ended before a time: they were created earlier.
_OLD_TASKS = _TASKS.replace(
    "tasks t JOIN runs r ON r.seq = t.seq WHERE",
    "task_blocks b CROSS JOIN runs r ON r.seq BETWEEN b.block << 8 AND (b.block << 8 | 255) "
    "CROSS JOIN tasks t ON t.seq = r.seq WHERE b.first_at < ? AND b.s3 + b.s4 + b.s5 + b.s6 > 0 AND",
)


def find_ended(db: sqlite3.Connection, before: int) -> Ended:
    """Look for records that had ended before a time: groups that ended first, tasks that came first."""
    most = limits.FORGET_CANDIDATES_MAX
    sql = f"{_GROUPS} ORDER BY MAX(finished_at, created_at), seq LIMIT ?"
    groups = [row[0] for row in db.execute(sql, (before, most))]
    sql = f"{_OLD_TASKS} ORDER BY b.block, r.seq LIMIT ?"
    tasks = [row[0] for row in db.execute(sql, (before, before, most))]
    return Ended(groups[::-1], tasks[::-1], len(groups) == most or len(tasks) == most)


def forget(db: sqlite3.Connection, ended: Ended, before: int) -> bool:
    """Delete a piece, in the caller's transaction; say whether something may be left.

    Candidates that are dealt with are taken out of ``ended``.
    """
    until = time.perf_counter() + limits.FORGET_PIECE_S
    while time.perf_counter() < until:
        if _forget_of_going(db):
            continue
        if ended.groups:
            _let_go_group(db, ended.groups.pop(), before)
        elif ended.tasks:
            _let_go_tasks(db, ended.tasks[-limits.FORGET_AT_ONCE :], before)
            del ended.tasks[-limits.FORGET_AT_ONCE :]
        else:
            return False
    return True


def is_going(db: sqlite3.Connection, task_ids: Sequence[str], group_ids: Sequence[str]) -> bool:
    """Say whether one of these ids belongs to a record that is being deleted."""
    going = {row[0] for row in db.execute("SELECT id FROM going")}
    if not going:
        return False
    if not going.isdisjoint((*task_ids, *group_ids)):
        return True
    return any(
        row[0] in going
        for marks, values in parts(task_ids)
        for row in db.execute(
            f"SELECT COALESCE(workflow_id, job_id) FROM tasks WHERE id IN ({marks})",  # noqa: S608
            values,
        )
    )


def forget_going(db: sqlite3.Connection) -> None:
    """Finish all deletions that have begun, however long that takes."""
    while _forget_of_going(db):
        pass


def _let_go_group(db: sqlite3.Connection, seq: int, before: int) -> None:
    if db.execute(
        f"{_GROUPS} AND seq = ?", (before, seq)
    ).fetchone():  # unless it was started again meanwhile
        db.execute("INSERT INTO going SELECT id, kind FROM groups WHERE seq = ?", (seq,))
        db.execute("DELETE FROM groups WHERE seq = ?", (seq,))


def _let_go_tasks(db: sqlite3.Connection, seqs: Sequence[int], before: int) -> None:
    old = f"{_TASKS} AND t.seq IN ({_listed(seqs)})"
    db.execute(f"INSERT INTO going SELECT id, 'task' FROM tasks WHERE seq IN ({old})", (before,))  # noqa: S608


def _forget_of_going(db: sqlite3.Connection) -> bool:
    """Delete some tasks of those in ``going``, or at last an id there; say whether there was one.

    Some tasks go at once, so that the interpreter has little to do and is left to others.
    """
    going = db.execute("SELECT id, kind FROM going LIMIT 1").fetchone()
    if going is None:
        return False
    name, kind = going
    if kind == "task":
        names = f"SELECT id FROM going WHERE kind = 'task' ORDER BY id LIMIT {limits.FORGET_AT_ONCE}"  # noqa: S608
        found = db.execute(f"SELECT seq FROM tasks WHERE id IN ({names})").fetchall()  # noqa: S608
        done = f"DELETE FROM going WHERE kind = 'task' AND id IN ({names})"  # noqa: S608
    else:
        sql = f"SELECT seq FROM tasks WHERE {kind}_id = ? LIMIT {limits.FORGET_AT_ONCE}"  # noqa: S608
        found = db.execute(sql, (name,)).fetchall()
        done = "DELETE FROM going WHERE id = :name"
    seqs = [row[0] for row in found]
    if not seqs:
        db.execute(done, {"name": name})
    elif not _forget_logs(db, seqs):
        _forget_tasks(db, seqs)
    return True


def _forget_logs(db: sqlite3.Connection, seqs: Sequence[int]) -> bool:
    """Delete some logs of tasks, of which each may have 100,000 pieces; say whether there were any."""
    sql = f"SELECT id FROM log_streams WHERE owner IN ({_listed(seqs)}) LIMIT 1"  # noqa: S608
    stream = db.execute(sql).fetchone()
    if stream is None:
        return False
    sql = "DELETE FROM log_pieces WHERE id IN (SELECT id FROM log_pieces WHERE log_stream = ? LIMIT ?)"
    if db.execute(sql, (*stream, limits.FORGET_LOG_PIECES)).rowcount < limits.FORGET_LOG_PIECES:
        db.execute("DELETE FROM log_streams WHERE id = ?", stream)
    return True


def _forget_tasks(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Delete tasks; triggers delete their samples and invocations too, which are few enough."""
    listed = _listed(seqs)
    db.execute(
        "INSERT OR REPLACE INTO past_attempts "  # noqa: S608
        "SELECT t.id, r.attempt FROM tasks t JOIN runs r ON r.seq = t.seq "
        f"WHERE t.seq IN ({listed}) AND r.attempt > 0"
    )
    for table in ("tasks", "runs", "executions", "attempts"):
        db.execute(f"DELETE FROM {table} WHERE seq IN ({listed})")  # noqa: S608


def _listed(seqs: Sequence[int]) -> str:
    return ",".join(map(str, seqs))


# -- modules ------------------------------------------------------------------------------------------------


#: The digests of the modules of some tasks, of those in workflows that they run, and maybe other texts.
_NAMED = """
SELECT spec ->> '$.module.digest' FROM tasks WHERE seq > :low AND seq <= :high
UNION SELECT inside.value FROM tasks, json_tree(spec, '$.workflow') inside
WHERE seq > :low AND seq <= :high AND instr(spec, '"workflow":') > 0 AND inside.key = 'digest'
"""


class ModuleSearch:
    """Looks for the modules that no task uses, from the newest task on, until each is found to be used.

    The pieces run in a reader's thread, so that others can read between them.
    """

    def __init__(self) -> None:
        #: The modules that no task has used so far; None before the first piece.
        self.unused: set[str] | None = None
        self._high = 0

    def piece(self, db: sqlite3.Connection) -> bool:
        """Look at some tasks; say whether more have to be looked at."""
        if self.unused is None:
            self.unused = {row[0] for row in db.execute("SELECT digest FROM modules")}
            self._high = db.execute("SELECT COALESCE(MAX(seq), 0) FROM tasks").fetchone()[0]
        low = max(self._high - limits.MODULES_LOOKED_AT, 0)
        named = db.execute(_NAMED, {"low": low, "high": self._high})
        self.unused.difference_update(row[0] for row in named)
        self._high = low
        return bool(low and self.unused)


class UnusedModules(unused.UnusedModules):
    """The modules that tasks may no longer use; its methods run in the writer's thread."""

    def __init__(self, writer: sqlite3.Connection) -> None:
        super().__init__()
        self._writer = writer

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Note whether the block deletes something."""
        before = self._writer.total_changes
        yield
        self.may_be_some |= self._writer.total_changes > before

    def forget(self, digest: str) -> None:
        """Delete a module that a search found, unless a task got it meanwhile."""
        if self.may_go(digest):
            self._writer.execute("DELETE FROM modules WHERE digest = ?", (digest,))
