"""Proplets out of service: cordoned ones get no new work, drained ones lose their tasks after a time."""

from propeller.core import attempts, causes, losses
from propeller.core.model import Proplet
from propeller.core.reasons import Moved
from propeller.core.state import ClusterState


def cordon(state: ClusterState, proplet: Proplet, *, is_cordoned: bool) -> None:
    """Give a proplet no new work, or give it work again; either ends a drain."""
    proplet.is_cordoned = is_cordoned
    proplet.drain_by = 0
    state.draining.pop(proplet.id, None)
    state.turn.proplets[proplet.id] = proplet
    if not is_cordoned:
        state.consequences.back[proplet.id] = proplet
    state.placement.offer_room(proplet.id)


def drain(state: ClusterState, proplet: Proplet, timeout_s: float | None, now: int) -> None:
    """Cordon a proplet; after the timeout its remaining tasks are moved to others."""
    cordon(state, proplet, is_cordoned=True)
    if timeout_s is not None:
        timeout_ns = int(timeout_s * 1e9)
        proplet.drain_by = now + timeout_ns
        state.draining[proplet.id] = proplet, state.ticks + timeout_ns


def manager_started(state: ClusterState, now: int) -> None:
    """Go on with the drains of the previous manager."""
    for proplet in state.proplets.values():
        if proplet.drain_by:
            state.draining[proplet.id] = proplet, state.ticks + max(proplet.drain_by - now, 0)


def time_passed(state: ClusterState, now: int) -> None:
    """Move the remaining tasks of drained proplets to others, once their time is over."""
    over = [proplet for proplet, until in state.draining.values() if state.ticks >= until]
    for proplet in over:
        cordon(state, proplet, is_cordoned=True)
        how = f"proplet {proplet.name} was drained"
        state.cause = causes.by_loss_of(proplet.id)
        for task in state.tasks_on(proplet):
            attempts.send_stop(state, task, proplet.id)
            losses.take_back(state, proplet, task, Moved(task.attempt, how), now)
