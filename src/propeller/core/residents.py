"""Resident tasks, which stay on their proplet until they are stopped: daemons, servers, latent tasks."""

from propeller.core import causes
from propeller.core.events import RunUp
from propeller.core.groups import UP
from propeller.core.reasons import Restarted
from propeller.core.state import ClusterState


def run_up(state: ClusterState, event: RunUp, now: int) -> None:
    """Take in that a resident task is up, or has crashed; once it was up, its children may go on."""
    task = state.current(event.proplet_id, event.task_id, event.attempt, event.placed_at)
    if task is None:
        return
    state.cause = causes.by_report(event.proplet_id, is_of_broadcast=task.spec.broadcast)
    is_new = event.is_up and not task.was_up
    is_first_up = event.is_up and not task.is_up
    if task.spec.broadcast and not is_first_up and event.restarts <= task.restarts:
        return  # each of its proplets reports by itself, again and again
    reason = Restarted(event.restarts, event.error) if event.restarts else None
    results = event.results if event.is_up and event.results is not None else task.results
    # A broadcast task counts as up once it was up on one proplet.
    is_up = event.is_up or (task.spec.broadcast and task.is_up)
    news = (is_up, event.restarts, results, reason)
    if news == (task.is_up, task.restarts, task.results, task.reason):
        return
    task.is_up, task.restarts, task.results, task.reason = news
    if is_first_up:
        task.losses = 0
        if task.timing is not None:
            task.timing.tries = 0
    if is_new:
        task.was_up = True
        for proplet_id in state.holders(task):
            state.placement.stays(task, proplet_id)
        state.give_up_place(task)
        group_id = task.spec.group_id
        if group_id:
            group = state.turn.groups[group_id] = state.groups[group_id]
            group.counts[UP] += 1
            state.run_moved(group)
        state.settled(task)
    state.tell(task, now)
