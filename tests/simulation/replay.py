"""The law of replay: what was committed, loaded anew, is the state that the manager has in memory."""

from propeller.core import invariants
from propeller.core.model import Group, Task
from propeller.core.state import ClusterState
from propeller.store import rows

from .store import SimulatedStore
from .world import LawBroken


def check_replay(state: ClusterState, store: SimulatedStore, *, thorough: bool) -> None:
    """Check the invariants of a state between two turns and, where something changed, its replay."""
    try:
        invariants.check(state)
    except AssertionError as error:
        raise LawBroken("invariants", str(error)) from error
    if not thorough:
        return
    loaded = store.load()
    fresh = ClusterState(state.policy)
    fresh.adopt_proplets(loaded.proplets)
    fresh.adopt(*loaded.live)
    _same("tasks", {key: _task(task) for key, task in state.tasks.items()}, fresh.tasks, _task)
    _same("groups", {key: _group(group) for key, group in state.groups.items()}, fresh.groups, _group)
    for key, proplet in state.proplets.items():
        other = fresh.proplets.get(key)
        if other is None or rows.proplet_row(proplet) != rows.proplet_row(other):
            raise LawBroken("replay", f"proplet {key} is not in the store as it is")
        if sorted(proplet.placed) != sorted(other.placed):
            raise LawBroken(
                "replay", f"proplet {key} holds {sorted(proplet.placed)}, loaded: {sorted(other.placed)}"
            )
        if proplet.residents != other.residents:
            raise LawBroken("replay", f"on {key} stay {proplet.residents}, loaded: {other.residents}")
    if len(state.proplets) != len(fresh.proplets):
        raise LawBroken("replay", "the store has a proplet that the manager has not")
    waiting = {task.id for task in state.placement.waiting()}
    if waiting != {task.id for task in fresh.placement.waiting()}:
        raise LawBroken("replay", "after a restart other tasks would wait")
    if state.last_event_id != loaded.last_event_id:
        raise LawBroken("replay", f"event {state.last_event_id} is the last, stored: {loaded.last_event_id}")


def _same(what: str, live: dict, stored: dict, view) -> None:
    for key, value in live.items():
        if key not in stored:
            raise LawBroken("replay", f"{what}: {key} would be lost by a restart", key)
        if view(stored[key]) != value:
            raise LawBroken("replay", f"{what}: {key} is {value}, loaded: {view(stored[key])}", key)
    for key in stored:
        if key not in live:
            raise LawBroken("replay", f"{what}: {key} is in the store and would come back", key)


def _task(task: Task) -> tuple[object, ...]:
    before = task.before.id if task.before else ""
    parents = [parent.id for parent in task.parents]
    children = sorted(child.id for child in task.children)
    executions = [rows.execution_row(task, one) for _, one in sorted(task.executions.items())]
    return rows.run_row(task), executions, task.spec, task.created_at, before, parents, children, task.unmet


def _group(group: Group) -> tuple[object, ...]:
    return rows.group_row(group), list(group.tasks)
