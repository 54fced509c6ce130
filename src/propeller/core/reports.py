"""What proplets report of runs: that one ended, or was handed back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from propeller.core import broadcast, residents
from propeller.core.effects import Refused, SendAck
from propeller.core.events import RunEnded, RunHandedBack, RunUp
from propeller.core.model import Execution
from propeller.core.names import attempt_of
from propeller.core.states import COMPLETED, FAILED
from propeller.core.times import own_times

if TYPE_CHECKING:
    from propeller.core.cluster import Cluster


def ended(cluster: Cluster, event: RunEnded, now: int) -> None:
    """Take in the end of an attempt, if it is the present one."""
    if event.attempt:
        cluster.effects.append(SendAck(event.proplet_id, event.task_id, event.attempt))
    else:
        event = _by_its_attempt(cluster, event)
    proplet_id = event.proplet_id
    task = cluster.current(proplet_id, event.task_id, event.attempt, event.placed_at)
    if task is None:
        _refuse(cluster, event)
        return
    if task.spec.is_resident and not event.error and not cluster.proplets[proplet_id].is_ours:
        # It says so when it has begun, and of the end it says nothing.
        residents.run_up(cluster, RunUp(proplet_id, task.id, event.attempt, event.results), now)
        return
    started_at, finished_at = own_times(task, event, now)
    if not task.spec.is_resident:
        cluster.placement.learn(proplet_id, finished_at - started_at)
    state = FAILED if event.error else COMPLETED
    if task.spec.broadcast:
        outcome = Execution(
            proplet_id=proplet_id,
            attempt=event.attempt,
            state=state,
            results=event.results,
            error=event.error,
            started_at=started_at,
            finished_at=finished_at,
        )
        broadcast.execution_ended(cluster, task, outcome, now)
        return
    task.started_at, task.finished_at = started_at, finished_at
    task.results = event.results
    task.error = event.error
    cluster.end(task, state, now)


def _by_its_attempt(cluster: Cluster, event: RunEnded) -> RunEnded:
    """Complete the report of a foreign proplet, whose attempt stands in the id, if it is from one.

    Where it does not say who it is, it can only be the proplet that holds the task.
    """
    task_id, attempt = attempt_of(event.task_id)
    task = cluster.tasks.get(task_id)
    proplet_id = event.proplet_id or (task.proplet_id if task is not None else "")
    proplet = cluster.proplets.get(proplet_id)
    if proplet is None or proplet.is_ours:
        return event
    return msgspec.structs.replace(event, proplet_id=proplet_id, task_id=task_id, attempt=attempt)


def _refuse(cluster: Cluster, event: RunEnded) -> None:
    """Leave a word about a report that can't be a late one: nobody was asked for it."""
    task = cluster.tasks.get(event.task_id)
    if event.attempt and (task is None or event.attempt < task.attempt or task.state.has_ended):
        return
    sender = event.proplet_id or "a proplet that does not say which"
    why = "the task does not run there with that attempt" if task else "no such task runs"
    cluster.effects.append(Refused(sender, event.task_id, why))


def handed_back(cluster: Cluster, event: RunHandedBack, now: int) -> None:
    """Run a task again that its proplet does not run, or has lost, with a number that is new to it."""
    cluster.effects.append(SendAck(event.proplet_id, event.task_id, event.attempt))
    task = cluster.current(event.proplet_id, event.task_id, event.attempt, event.placed_at)
    if task is None:
        return
    proplet = cluster.proplets[event.proplet_id]
    if event.newest and task.spec.broadcast:
        task.attempt = max(task.attempt, event.newest)
        broadcast.begin_anew(cluster, task, proplet, now)
    elif event.is_lost and task.spec.broadcast:
        broadcast.lost_there(cluster, task, proplet, event.reason, now)
    elif event.is_lost:
        cluster.lose(task, event.reason, now)
    elif task.spec.broadcast:
        broadcast.give_up(cluster, task, proplet.id, event.reason, now)
    else:
        proplet.window = proplet.slots
        cluster.run_again(task, f"attempt {event.attempt} was handed back: {event.reason}", now)
        task.attempt = max(task.attempt, event.newest)
