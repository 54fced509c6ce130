"""Losses: take a task off a proplet that can't go on with it.

The task runs again elsewhere. Of a broadcast, only the execution on that proplet ends.
"""

from propeller.core import attempts, broadcast
from propeller.core.failures import ErrorKind
from propeller.core.model import Proplet, Task
from propeller.core.reasons import AttemptLost, Moved
from propeller.core.state import ClusterState


def lose(
    state: ClusterState, proplet: Proplet, task: Task, how: str, now: int, *, kind: ErrorKind = ErrorKind.LOST
) -> None:
    """Take in that a proplet has lost a task; this counts as a loss."""
    if task.spec.broadcast:
        broadcast.give_up(state, task, proplet.id, f"lost: {how}", now)
    else:
        attempts.lose(state, task, how, now, kind=kind)


def lose_there(
    state: ClusterState, proplet: Proplet, task: Task, how: str, now: int, *, kind: ErrorKind = ErrorKind.LOST
) -> None:
    """Take in that a proplet has lost a task and may live: a resident broadcast begins there anew."""
    if task.spec.broadcast and task.spec.is_resident and proplet.is_alive:
        broadcast.lost_there(state, task, proplet, how, now)
    else:
        lose(state, proplet, task, how, now, kind=kind)


def take_back(
    state: ClusterState, proplet: Proplet, task: Task, reason: AttemptLost | Moved, now: int
) -> None:
    """Take a task off a proplet; this does not count as a loss."""
    if task.spec.broadcast:
        broadcast.give_up(state, task, proplet.id, reason.how, now)
    else:
        attempts.run_again(state, task, reason, now)
