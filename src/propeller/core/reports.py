"""Reports of proplets: a run ended, or was handed back."""

import msgspec

from propeller.core import attempts, broadcast, causes, residents, retries
from propeller.core.effects import Refused, SendAck
from propeller.core.events import RunCompiles, RunEnded, RunHandedBack, RunUp
from propeller.core.model import Execution, Task
from propeller.core.names import attempt_of
from propeller.core.ran import Ran
from propeller.core.reasons import Compiles, HandedBack
from propeller.core.state import ClusterState
from propeller.core.states import COMPLETED, FAILED
from propeller.core.times import own_times


def ended(state: ClusterState, event: RunEnded, now: int) -> None:
    """Take in the end of an attempt, if it is the present one."""
    if event.attempt:
        state.turn.effects.append(SendAck(event.proplet_id, event.task_id, event.attempt))
    else:
        event = _by_its_attempt(state, event)
    proplet_id = event.proplet_id
    task = state.current(proplet_id, event.task_id, event.attempt, event.placed_at)
    if task is None:
        _refuse(state, event)
        return
    if task.spec.is_resident and not event.failure and not state.proplets[proplet_id].is_native:
        # A foreign proplet reports that a resident task has begun, in this form, and never that it ended.
        residents.run_up(state, RunUp(proplet_id, task.id, event.attempt, event.results), now)
        return
    state.cause = causes.by_report(proplet_id, is_of_broadcast=task.spec.broadcast)
    started_at, finished_at = own_times(task, event, now)
    ran = _ran(state, task, event)
    if not task.spec.is_resident:
        state.placement.learn(proplet_id, finished_at - started_at)
    if task.spec.broadcast:
        broadcast.execution_ended(state, task, _outcome(event, ran, started_at, finished_at), now)
        return
    if event.failure and task.spec.retry is not None:
        outcome = _outcome(event, ran, started_at, finished_at)
        if retries.attempt_failed(state, task, event.failure, now, outcome):
            return
    task.started_at, task.finished_at = started_at, finished_at
    task.results, task.ran = event.results, ran
    task.failure = event.failure
    attempts.end(state, task, FAILED if event.failure else COMPLETED, now)


def _ran(state: ClusterState, task: Task, event: RunEnded) -> Ran | None:
    """Give what ran, with what this manager itself knows of it.

    A proplet that does not say has run the module that it was sent, if a result came of it.
    """
    spec, said = task.spec, event.ran
    if said is None:
        if spec.module is None or event.failure:
            return None
        said = Ran(digest=spec.module.digest)
    signer = said.signer if spec.module is None else state.policy.trust.signer_of(spec)
    if signer == said.signer and spec.revision == said.revision:
        return said
    return msgspec.structs.replace(said, signer=signer, revision=spec.revision)


def _outcome(event: RunEnded, ran: Ran | None, started_at: int, finished_at: int) -> Execution:
    return Execution(
        proplet_id=event.proplet_id,
        attempt=event.attempt,
        state=FAILED if event.failure else COMPLETED,
        results=event.results,
        failure=event.failure,
        started_at=started_at,
        finished_at=finished_at,
        ran=ran,
    )


def compiles(state: ClusterState, event: RunCompiles, now: int) -> None:
    """Let who waits for a task see while its module is compiled first, unless there is more to see."""
    task = state.current(event.proplet_id, event.task_id, event.attempt, event.placed_at)
    if task is None or task.spec.broadcast or task.is_up:
        return
    if event.size_bytes and task.reason is None:
        task.reason = Compiles(round(event.size_bytes / 2**20))
    elif not event.size_bytes and isinstance(task.reason, Compiles):
        task.reason = None
    else:
        return
    state.cause = causes.ITS_PROPLET
    state.tell(task, now)


def _by_its_attempt(state: ClusterState, event: RunEnded) -> RunEnded:
    """Complete the report of a foreign proplet, which has the attempt in its task id.

    A report that names no proplet can only be from the proplet that holds the task. A report that is not from
    a foreign proplet stays as it is.
    """
    task_id, attempt = attempt_of(event.task_id)
    task = state.tasks.get(task_id)
    proplet_id = event.proplet_id or (task.proplet_id if task is not None else "")
    proplet = state.proplets.get(proplet_id)
    if proplet is None or proplet.is_native:
        return event
    return msgspec.structs.replace(event, proplet_id=proplet_id, task_id=task_id, attempt=attempt)


def _refuse(state: ClusterState, event: RunEnded) -> None:
    """Note for the log a report that nobody asked for; a report that is only late is not worth it."""
    task = state.tasks.get(event.task_id)
    if event.attempt and (task is None or event.attempt < task.attempt or task.state.has_ended):
        return
    sender = event.proplet_id or "a proplet that does not say which"
    why = "the task does not run there with that attempt" if task else "no such task runs"
    state.turn.effects.append(Refused(sender, event.task_id, why))


def handed_back(state: ClusterState, event: RunHandedBack, now: int) -> None:
    """Run a task again that its proplet handed back or lost, with an attempt that is new to the proplet."""
    state.turn.effects.append(SendAck(event.proplet_id, event.task_id, event.attempt))
    task = state.current(event.proplet_id, event.task_id, event.attempt, event.placed_at)
    if task is None:
        return
    proplet = state.proplets[event.proplet_id]
    state.cause = causes.by_report(event.proplet_id, is_of_broadcast=task.spec.broadcast)
    if event.newest and task.spec.broadcast:
        if not proplet.is_cordoned:  # otherwise it does not begin there again
            task.attempt = max(task.attempt, event.newest)
        broadcast.run_there_again(state, task, proplet, event.reason, now)
    elif event.is_lost and task.spec.broadcast:
        broadcast.lost_there(state, task, proplet, event.reason, now)
    elif event.is_lost:
        attempts.lose(state, task, event.reason, now, proplet_lives=True)
    elif task.spec.broadcast:
        broadcast.give_up(state, task, proplet.id, event.reason, now)
    else:
        proplet.window = proplet.slots
        attempts.run_again(state, task, HandedBack(event.attempt, event.reason), now)
        task.attempt = max(task.attempt, event.newest)
