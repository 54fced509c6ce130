"""Leases of foreign proplets: repeat a start that may have been lost, and end a lease without a result.

A start is repeated a few times while nothing shows that the proplet heard it; a foreign proplet ignores the
repetition of what it runs. A task without a result at the end of its lease counts as lost. Only the time in
which the proplet could have been heard counts.
"""

from propeller.core import attempts, causes, inputs, losses
from propeller.core.events import RunSeen
from propeller.core.failures import Failure
from propeller.core.foreign import Lease
from propeller.core.state import ClusterState

#: How often a start is repeated; each wait is three times as long as the one before.
REPEATS_MAX = 3


def manager_started(state: ClusterState, now: int) -> None:
    """Go on with the leases from before the manager's start."""
    for proplet in state.proplets.values():
        if not proplet.is_native:
            for task in state.tasks_on(proplet):
                state.lease(proplet, task, gone_ns=max(now - task.placed_on(proplet.id), 0))


def heard_of(state: ClusterState, event: RunSeen) -> None:
    """Note that a foreign proplet sent something about a task: so it has the start, which is not repeated."""
    lease = state.leases.get(event.proplet_id, event.task_id)
    if lease is not None and lease.repeats < REPEATS_MAX:
        lease.repeats = REPEATS_MAX
        state.leases.put_off(lease, lease.ends)


def time_passed(state: ClusterState, now: int) -> None:
    """Repeat the starts, and end the leases, that are due.

    A start may be repeated as soon as the proplet can hear it; a lease ends once silence means something.
    """
    if state.remote.is_deaf:
        return
    too_early = []
    while (lease := state.leases.pop_due(state.remote.clock(state.ticks))) is not None:
        if state.current(lease.proplet.id, lease.task.id, lease.attempt) is not lease.task:
            state.leases.drop(lease)
        elif not lease.is_over:
            _repeat(state, lease)
        elif state.remote.may_judge(state.ticks):
            end(state, lease, now)
        else:
            too_early.append(lease)
    for lease in too_early:
        state.leases.put_off(lease, lease.ends)


def _repeat(state: ClusterState, lease: Lease) -> None:
    if lease.repeats < REPEATS_MAX:
        lease.repeats += 1
        lease.repeat_after_ns *= 3
        given = inputs.given(lease.task)
        if not isinstance(given, Failure):  # else it runs there already, or the lease ends
            attempts.send_start(state, lease.task, lease.proplet, given)
    is_last = lease.repeats >= REPEATS_MAX
    again_at = state.remote.clock(state.ticks) + lease.repeat_after_ns
    state.leases.put_off(lease, lease.ends if is_last else again_at)


def end(state: ClusterState, lease: Lease, now: int) -> None:
    """Count a task as lost whose lease is over, unless its proplet has nothing to say about it.

    A foreign proplet never says anything about a latent task, and about a task that is up only that it ended.
    """
    state.leases.drop(lease)
    proplet, task = lease.proplet, lease.task
    if task.is_up or task.spec.latent:
        return
    attempts.send_stop(state, task, proplet.id)
    state.cause = causes.by_loss_of(proplet.id)
    lease_s = state.policy.foreign_lease_s
    why = f"proplet {proplet.name}, which acknowledges nothing, sent no result within {lease_s:g} s"
    losses.lose_there(state, proplet, task, why, now)
