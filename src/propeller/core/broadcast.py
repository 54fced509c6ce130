"""Broadcast tasks: on which proplets they are started, and what follows when one ends on one of them.

A task that ends by itself runs once on each proplet that is there when it starts. A resident task is wanted
everywhere: a proplet that comes later gets it too, and one that comes back gets it again.
"""

import msgspec

from propeller.core import attempts, executions, inputs
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Execution, Proplet, Task
from propeller.core.placement import needs_of, refused_by, takes_work
from propeller.core.reasons import LostEverywhere
from propeller.core.state import ClusterState
from propeller.core.states import FAILED, SCHEDULED


def place_waiting(state: ClusterState, now: int) -> None:
    """Start each waiting broadcast task for which there is a proplet now."""
    for task, proplets in state.placement.waiting_broadcasts():
        place(state, task, proplets, now)


def place(state: ClusterState, task: Task, proplets: list[Proplet], now: int) -> None:
    """Start a waiting task on all of these proplets, with or without room: each has a queue of its own."""
    given = attempts.to_run(state, task)
    if isinstance(given, Failure):
        attempts.fail(state, task, given, now)
        return
    state.placement.wait_no_more(task)
    attempts.begin(state, task, proplets[0] if len(proplets) == 1 else None, now)
    executions.forget(state, task)
    task.live_executions = len(proplets)
    for proplet in proplets:
        executions.begin(state, task, proplet, now)
    for proplet in proplets:
        _send(state, task, proplet, given)
    if task.spec.is_resident:
        state.everywhere[task.id] = task


def reach_returned(state: ClusterState, now: int) -> None:
    """Start resident broadcast tasks on each proplet that takes work again, or for the first time."""
    back = state.consequences.back
    while back:
        reach(state, back.popitem()[1], now)


def reach(state: ClusterState, proplet: Proplet, now: int) -> None:
    """Start on a proplet the resident broadcast tasks that run on others and are missing there."""
    for task in state.everywhere.values():
        before = task.executions.get(proplet.id)
        is_wanted = before is None or before.state is SCHEDULED
        if (
            is_wanted
            and takes_work(proplet)
            and not refused_by(proplet, needs_of(task.spec, state.policy.trust))
        ):
            task.live_executions += 1
            begin_anew(state, task, proplet, now)


def begin_anew(state: ClusterState, task: Task, proplet: Proplet, now: int) -> None:
    """Start a broadcast task that runs elsewhere on one more proplet, with the next attempt.

    It fails there at once if a result of a parent that it needs is gone.
    """
    task.attempt += 1
    executions.begin(state, task, proplet, now)
    task.proplet_id = proplet.id if len(task.executions) == 1 else ""
    state.tell(task, now)
    given = attempts.to_run(state, task)
    if isinstance(given, Failure):
        fail_there(state, task, proplet, given, now)
    else:
        _send(state, task, proplet, given)


def _send(state: ClusterState, task: Task, proplet: Proplet, given: inputs.Given) -> None:
    state.placement.placed(task, proplet, state.ticks)
    attempts.send_start(state, task, proplet, given)


def run_there_again(state: ClusterState, task: Task, proplet: Proplet, how: str, now: int) -> None:
    """Start an execution anew on its proplet, or give it up if the proplet is cordoned."""
    if proplet.is_cordoned:
        give_up(state, task, proplet.id, f"{how}; proplet {proplet.name} is cordoned", now)
    else:
        begin_anew(state, task, proplet, now)


def lost_there(state: ClusterState, task: Task, proplet: Proplet, how: str, now: int) -> None:
    """Start an execution anew that was lost on a living proplet, up to a limit; then fail it."""
    if task.was_up or task.losses < state.policy.losses_max:
        task.losses += 1
        state.turn.touched[task.id] = task  # also where it is given up there, and nothing else of it changes
        run_there_again(state, task, proplet, f"lost: {how}", now)
    else:
        error = f"lost: {how}; not run again after {task.losses + 1} losses"
        fail_there(state, task, proplet, Failure(error, ErrorKind.LOST), now)


def fail_there(state: ClusterState, task: Task, proplet: Proplet, failure: Failure, now: int) -> None:
    """Fail an execution that can't go on although its proplet lives: the task does not begin there again."""
    before = task.executions[proplet.id]
    finished_at = max(now, before.started_at)
    failed = msgspec.structs.replace(before, state=FAILED, failure=failure, finished_at=finished_at)
    execution_ended(state, task, failed, now)


def give_up(state: ClusterState, task: Task, proplet_id: str, how: str, now: int) -> None:
    """End an execution that is lost with its proplet; it moves to no other, since each has its own.

    That of a resident task waits until the proplet takes work again (``reach``), which one that does so now
    will never do: there it is ``lost_there``.
    """
    before = task.executions[proplet_id]
    lost = Execution(
        proplet_id=proplet_id,
        attempt=before.attempt,
        state=SCHEDULED if task.spec.is_resident else FAILED,
        failure=Failure(how, ErrorKind.LOST),
        started_at=before.started_at,
        finished_at=0 if task.spec.is_resident else max(now, before.started_at),
    )
    execution_ended(state, task, lost, now)


def execution_ended(state: ClusterState, task: Task, outcome: Execution, now: int) -> None:
    """Take in the end of one execution; with the last one the task ends, or waits for a proplet."""
    executions.put(state, task, outcome)
    state.placement.freed(task, outcome.proplet_id)
    task.live_executions -= 1
    if task.live_executions:
        return
    lost = [execution for execution in task.executions.values() if execution.state is SCHEDULED]
    task.losses += bool(lost)
    if lost and (task.was_up or task.losses <= state.policy.losses_max):
        attempts.run_again(state, task, LostEverywhere(lost[0].error), now)
        return
    for execution in lost:
        executions.end(state, task, execution, FAILED, now)
    attempts.end(state, task, executions.conclude(state, task), now)
