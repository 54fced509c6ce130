"""One task on every proplet: how it is placed, and how its own state follows from all of its executions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from propeller.core.model import Execution, Proplet, Task
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, RUNNING

if TYPE_CHECKING:
    from propeller.core.cluster import Cluster

#: So many of the failed executions are named in the task's error.
_NAMED_MAX = 3


def place(cluster: Cluster, task: Task, proplets: list[Proplet], now: int) -> None:
    """Start a waiting task on all of these, whether they have room or not: each proplet queues for itself."""
    cluster.placement.wait_no_more(task)
    cluster.begin_attempt(task, proplets[0] if len(proplets) == 1 else None, now)
    task.executions = {
        proplet.id: Execution(proplet_id=proplet.id, attempt=task.attempt, started_at=now)
        for proplet in proplets
    }
    task.live_executions = len(proplets)
    cluster.replaced[task.id] = task
    for proplet in proplets:
        cluster.touched_executions[task.id, proplet.id] = (task, task.executions[proplet.id])
        cluster.placement.placed(task, proplet, now)
        cluster.send_start(task, proplet)


def execution_ended(cluster: Cluster, task: Task, outcome: Execution, now: int) -> None:
    """Take in how the task ended on one proplet; with the last one the task ends."""
    task.executions[outcome.proplet_id] = outcome
    cluster.touched_executions[task.id, outcome.proplet_id] = (task, outcome)
    cluster.placement.freed(task, outcome.proplet_id)
    task.live_executions -= 1
    if task.live_executions:
        return
    failed = [execution for execution in task.executions.values() if execution.state is FAILED]
    task.results = _results(task)
    task.error = _error(cluster, task, failed)
    task.started_at = min(execution.started_at for execution in task.executions.values())
    task.finished_at = max(execution.finished_at for execution in task.executions.values())
    cluster.end(task, FAILED if failed else COMPLETED, now)


def give_up(cluster: Cluster, task: Task, proplet_id: str, reason: str, now: int) -> None:
    """The proplet is gone, and its execution with it: another proplet has its own."""
    before = task.executions[proplet_id]
    lost = Execution(
        proplet_id=proplet_id,
        attempt=before.attempt,
        state=FAILED,
        error=reason,
        started_at=before.started_at,
        finished_at=now,
    )
    execution_ended(cluster, task, lost, now)


def close(cluster: Cluster, task: Task, now: int) -> None:
    """End what still runs, the task having been stopped."""
    for execution in task.executions.values():
        if execution.state is RUNNING:
            execution.state, execution.finished_at = INTERRUPTED, now
            cluster.touched_executions[task.id, execution.proplet_id] = (task, execution)
    task.live_executions = 0


def _results(task: Task) -> object:
    """Give the results as the contract has them where one proplet ran the task, else by proplet."""
    executions = list(task.executions.values())
    if len(executions) == 1:
        return executions[0].results
    return {
        execution.proplet_id: execution.results for execution in executions if execution.state is COMPLETED
    }


def _error(cluster: Cluster, task: Task, failed: list[Execution]) -> str:
    if not failed:
        return ""
    if len(task.executions) == 1:
        return failed[0].error
    named = [f"{_name(cluster, execution)}: {execution.error}" for execution in failed[:_NAMED_MAX]]
    more = f"; and {len(failed) - _NAMED_MAX} more" if len(failed) > _NAMED_MAX else ""
    return f"failed on {len(failed)} of {len(task.executions)} proplets: {'; '.join(named)}{more}"


def _name(cluster: Cluster, execution: Execution) -> str:
    proplet = cluster.proplets.get(execution.proplet_id)
    return proplet.name if proplet is not None else execution.proplet_id
