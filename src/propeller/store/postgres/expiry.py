"""Deletes records that ended long ago, a few milliseconds at a time, in the caller's transaction.

A record is deleted with all that belongs to it: a workflow or job with its tasks, a task with its executions,
logs, samples and invocations, and a module with its last task. First the id of the record is written to
``going``: from then on no query shows the record. Then its parts are deleted, piece by piece. If the engine
asks for such an id, which may be used again, the rest is deleted at once (``is_going``, ``forget_going``).
The rest is also deleted at the next start, even if that manager keeps records for ever.

All deletions run on the writer's connection, between two turns of the engine. Then the engine holds no record
that has ended: one that it wants to start again is still there, or is not found.
"""

import time
from collections.abc import Sequence

from propeller.store import limits
from propeller.store.port import Ended
from propeller.store.postgres import texts
from propeller.store.postgres.access import Db
from propeller.store.postgres.sources import OF_BLOCK

#: How many candidates, or tasks, one statement takes on.
_AT_ONCE = 25
_PAST_ATTEMPTS_AT_ONCE = 500
_ENDED_GROUPS = (
    "SELECT seq, id, kind FROM groups WHERE live = 0 AND GREATEST(finished_at, created_at) < $1 "
    "AND seq NOT IN (SELECT seq FROM kept_groups)"
)
_ENDED_TASKS = (
    "SELECT t.seq, t.id FROM tasks t JOIN runs r ON r.seq = t.seq WHERE r.state > 2 AND r.updated_at < $1 "
    "AND t.workflow_id IS NULL AND t.job_id IS NULL AND t.seq NOT IN (SELECT seq FROM kept_runs)"
)
#: Only in these blocks may be tasks that ended before a time: they were created earlier.
_OLD_TASKS = f"""
SELECT s.seq FROM task_blocks b CROSS JOIN LATERAL (
  SELECT r.seq FROM runs r WHERE r.seq {OF_BLOCK} AND r.state > 2 AND r.updated_at < $1 OFFSET 0
) s CROSS JOIN LATERAL (
  SELECT FROM tasks t WHERE t.seq = s.seq AND t.workflow_id IS NULL AND t.job_id IS NULL
    AND t.seq NOT IN (SELECT seq FROM kept_runs) OFFSET 0
) single WHERE b.first_at < $1 AND b.s3 + b.s4 + b.s5 + b.s6 > 0 ORDER BY b.block, s.seq LIMIT $2
"""
#: Each is looked at again, for it may have been started again meanwhile.
_LET_GROUPS_GO = f"""
WITH ended AS ({_ENDED_GROUPS} AND seq = ANY ($2)),
gone AS (DELETE FROM groups WHERE seq IN (SELECT seq FROM ended))
INSERT INTO going (id, kind) SELECT id, kind FROM ended
"""
_LET_TASKS_GO = f"""
WITH ended AS ({_ENDED_TASKS} AND t.seq = ANY ($2))
INSERT INTO going (id, kind) SELECT id, 'task' FROM ended
"""
_TASKS_OF_GOING = """
SELECT t.seq FROM going g CROSS JOIN LATERAL (
  (SELECT seq FROM tasks WHERE g.kind = 'workflow' AND workflow_id = g.id LIMIT $1) UNION ALL
  (SELECT seq FROM tasks WHERE g.kind = 'job' AND job_id = g.id LIMIT $1) UNION ALL
  SELECT seq FROM tasks WHERE g.kind = 'task' AND id = g.id
) t LIMIT $1
"""
#: A task may have 100,000 pieces of logs.
_FORGET_LOGS = """
DELETE FROM log_pieces WHERE id = ANY (ARRAY(
  SELECT p.id FROM log_streams s JOIN log_pieces p ON p.log_stream = s.id WHERE s.owner = ANY ($1) LIMIT $2
))
"""
#: Triggers delete the rest of what belongs to a task, which is little.
_FORGET_TASKS = """
WITH past AS (
  INSERT INTO past_attempts (id, attempt)
  SELECT t.id, r.attempt FROM tasks t JOIN runs r ON r.seq = t.seq
    WHERE t.seq = ANY ($1) AND r.attempt > 0 ORDER BY t.seq
  ON CONFLICT (id) DO UPDATE SET attempt = excluded.attempt, number = excluded.number
), of_runs AS (DELETE FROM runs WHERE seq = ANY ($1)
), of_executions AS (DELETE FROM executions WHERE seq = ANY ($1)
), of_attempts AS (DELETE FROM attempts WHERE seq = ANY ($1)
)
DELETE FROM tasks WHERE seq = ANY ($1)
"""


async def find_ended(db: Db, before: int) -> Ended:
    """Look for records that had ended before a time: groups that ended first, tasks that came first."""
    most = limits.FORGET_CANDIDATES_MAX
    sql = f"{_ENDED_GROUPS} ORDER BY GREATEST(finished_at, created_at), seq LIMIT $2"
    groups = [row[0] for row in await db.fetch(sql, before, most)]
    tasks = [row[0] for row in await db.fetch(_OLD_TASKS, before, most)]
    return Ended(groups[::-1], tasks[::-1], len(groups) == most or len(tasks) == most)


class Forgetting:
    """One piece; it leaves ``Ended`` as it is, because the transaction may have to be repeated."""

    def __init__(self, ended: Ended, before: int) -> None:
        self._before = before
        #: Candidates that are still to be dealt with.
        self.groups = ended.groups[:]
        self.tasks = ended.tasks[:]
        self.has_deleted = False

    async def run(self, db: Db) -> bool:
        """Delete for some milliseconds; say whether something may be left."""
        until = time.perf_counter() + limits.FORGET_PIECE_S
        while time.perf_counter() < until:
            if await self._forget_of_going(db):
                continue
            if not self.groups and not self.tasks:
                return False
            await self._let_go(db)
        return True

    async def run_to_end(self, db: Db) -> None:
        """Finish all deletions that have begun, however long that takes."""
        while await self._forget_of_going(db):
            pass

    async def _let_go(self, db: Db) -> None:
        candidates, sql = (self.groups, _LET_GROUPS_GO) if self.groups else (self.tasks, _LET_TASKS_GO)
        some = candidates[-_AT_ONCE:]
        del candidates[-_AT_ONCE:]
        self.has_deleted |= await db.execute(sql, self._before, some) != "INSERT 0 0"

    async def _forget_of_going(self, db: Db) -> bool:
        """Delete a part of the records in ``going``, or at last their ids there; say if there were any."""
        seqs = [row[0] for row in await db.fetch(_TASKS_OF_GOING, _AT_ONCE)]
        if not seqs:
            done = await db.execute("DELETE FROM going") != "DELETE 0"
            self.has_deleted |= done
            return done
        self.has_deleted = True
        most = limits.FORGET_LOG_PIECES
        if await db.execute(_FORGET_LOGS, seqs, most) != f"DELETE {most}":
            await db.execute(_FORGET_TASKS, seqs)
        return True


async def is_going(db: Db, task_ids: Sequence[str], group_ids: Sequence[str]) -> bool:
    """Say whether one of these ids belongs to a record that is being deleted."""
    sql = (
        "SELECT EXISTS (SELECT FROM going WHERE id = ANY ($1) OR id = ANY ($2) OR id IN ("
        "SELECT COALESCE(workflow_id, job_id) FROM tasks WHERE id = ANY ($1)))"
    )
    return bool(await db.fetchval(sql, texts.array(task_ids), texts.array(group_ids)))


async def prune_past_attempts(db: Db) -> None:
    """Delete the oldest of those beyond the bound, some at a time."""
    await db.execute(
        "DELETE FROM past_attempts "
        "WHERE number IN (SELECT number FROM past_attempts ORDER BY number LIMIT $1) "
        "AND number < (SELECT number FROM past_attempts ORDER BY number DESC LIMIT 1 OFFSET $2)",
        _PAST_ATTEMPTS_AT_ONCE,
        limits.PAST_ATTEMPTS_KEPT,
    )
