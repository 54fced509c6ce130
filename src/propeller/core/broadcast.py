"""One task on every proplet: how it is placed, and how its own state follows from all of its executions.

What ends by itself runs once on each proplet that there is when it starts. What stays, a daemon or a latent
task, is wanted everywhere: a proplet that comes later gets it too, and one that comes back gets it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from propeller.core.model import Execution, Proplet, Task
from propeller.core.placement import needs_of, refused_by, takes_work
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, SCHEDULED, TaskState

if TYPE_CHECKING:
    from propeller.core.cluster import Cluster

#: So many of the failed executions are named in the task's error.
_NAMED_MAX = 3


def place(cluster: Cluster, task: Task, proplets: list[Proplet], now: int) -> None:
    """Start a waiting task on all of these, whether they have room or not: each proplet queues for itself."""
    cluster.placement.wait_no_more(task)
    cluster.begin_attempt(task, proplets[0] if len(proplets) == 1 else None, now)
    cluster.forget_executions(task)
    task.executions = {
        proplet.id: Execution(proplet_id=proplet.id, attempt=task.attempt, started_at=now)
        for proplet in proplets
    }
    task.live_executions = len(proplets)
    for proplet in proplets:
        _start(cluster, task, proplet)
    if task.spec.is_resident:
        cluster.everywhere[task.id] = task


def reach(cluster: Cluster, proplet: Proplet, now: int) -> None:
    """Start what stays and runs on others on a proplet that takes work again, or for the first time."""
    for task in cluster.everywhere.values():
        before = task.executions.get(proplet.id)
        is_wanted = before is None or before.state is SCHEDULED
        if is_wanted and takes_work(proplet) and not refused_by(proplet, needs_of(task.spec)):
            task.live_executions += 1
            begin_anew(cluster, task, proplet, now)


def begin_anew(cluster: Cluster, task: Task, proplet: Proplet, now: int) -> None:
    """Start a task that runs on others on one proplet, with the next attempt."""
    task.attempt += 1
    task.executions[proplet.id] = Execution(proplet_id=proplet.id, attempt=task.attempt, started_at=now)
    task.proplet_id = proplet.id if len(task.executions) == 1 else ""
    _start(cluster, task, proplet)
    cluster.tell(task, now)


def lost_there(cluster: Cluster, task: Task, proplet: Proplet, why: str, now: int) -> None:
    """A proplet has lost its execution and lives on: it runs there again, but not for ever."""
    if task.was_up or task.losses < cluster.policy.losses_max:
        task.losses += 1
        begin_anew(cluster, task, proplet, now)
    else:
        give_up(cluster, task, proplet.id, f"lost: {why}; not run again after {task.losses + 1} losses", now)


def _start(cluster: Cluster, task: Task, proplet: Proplet) -> None:
    cluster.touched_executions[task.id, proplet.id] = (task, task.executions[proplet.id])
    cluster.placement.placed(task, proplet, cluster.ticks)
    cluster.send_start(task, proplet)


def execution_ended(cluster: Cluster, task: Task, outcome: Execution, now: int) -> None:
    """Take in how the task ended on one proplet; with the last one the task ends, or waits for a proplet."""
    task.executions[outcome.proplet_id] = outcome
    cluster.touched_executions[task.id, outcome.proplet_id] = (task, outcome)
    cluster.placement.freed(task, outcome.proplet_id)
    task.live_executions -= 1
    if task.live_executions:
        return
    lost = [execution for execution in task.executions.values() if execution.state is SCHEDULED]
    task.losses += bool(lost)
    if lost and (task.was_up or task.losses <= cluster.policy.losses_max):
        cluster.run_again(task, lost[0].error, now)
        return
    for execution in lost:
        _close(cluster, task, execution, FAILED, now)
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
        state=SCHEDULED if task.spec.is_resident else FAILED,
        error=reason,
        started_at=before.started_at,
        finished_at=0 if task.spec.is_resident else now,
    )
    execution_ended(cluster, task, lost, now)


def close(cluster: Cluster, task: Task, now: int) -> None:
    """End what still runs or would run again, the task having been stopped."""
    for execution in task.executions.values():
        if not execution.state.has_ended:
            _close(cluster, task, execution, INTERRUPTED, now)
    task.live_executions = 0


def _close(cluster: Cluster, task: Task, execution: Execution, state: TaskState, now: int) -> None:
    execution.state, execution.finished_at = state, now
    cluster.touched_executions[task.id, execution.proplet_id] = (task, execution)


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
