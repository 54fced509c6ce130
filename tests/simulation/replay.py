"""The law of replay: what was committed, loaded anew, is the state that the manager has in memory."""

from collections.abc import Callable
from operator import attrgetter

from propeller.core import invariants
from propeller.core.effects import Changes
from propeller.core.model import Execution, Group, Task
from propeller.core.state import ClusterState
from propeller.store import rows

from .store import SimulatedStore
from .turns import changed
from .world import LawBroken

#: After so many commits everything is compared, whatever they were about.
EVERY = 30
#: All that a restart has to find as it was; relations and executions are compared by name.
_BY_NAME = ("before", "parents", "children", "executions")
_fields_of = attrgetter(*(name for name in Task.__struct_fields__ if name not in _BY_NAME))
_fields_of_group = attrgetter(*(name for name in Group.__struct_fields__ if name not in ("tasks", "places")))
_fields_of_execution = attrgetter(*Execution.__struct_fields__)


class Replay:
    """Compares after each turn what that has changed, and now and then everything, by loading it all."""

    def __init__(self, store: SimulatedStore):
        self._store = store
        self._commits = 0

    def turn_ended(self, state: ClusterState, changes: Changes | None, *, is_first: bool = False) -> None:
        """Check a state between two turns; ``changes`` is what the turn has committed, if it has."""
        self._commits += changes is not None
        if is_first or (changes is not None and self._commits % EVERY == 0):
            self.check_all(state)
        else:
            _check_invariants(invariants.check_touched, state, changes)
            if changes is not None:
                self._check_rows(state, changes)

    def check_all(self, state: ClusterState) -> None:
        """Check all invariants, and that a restart would find all of it as it is."""
        _check_invariants(invariants.check, state)
        loaded = self._store.load()
        fresh = ClusterState(state.policy)
        fresh.adopt_proplets(loaded.proplets)
        fresh.adopt(*loaded.live)
        _same("tasks", state.tasks, fresh.tasks, _task)
        _same("groups", state.groups, fresh.groups, _group)
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
            text = f"event {state.last_event_id} is the last, stored: {loaded.last_event_id}"
            raise LawBroken("replay", text)

    def _check_rows(self, state: ClusterState, changes: Changes) -> None:
        """Check that what this commit changed is in the store as it is in memory."""
        store = self._store
        for task in {task.seq: task for task in changed(changes)}.values():
            task_id = task.spec.id
            if state.tasks.get(task_id) is not task:
                continue  # it has ended, or was deleted
            seq = store.ids.get(task_id)
            if seq is None:
                raise LawBroken("replay", f"tasks: {task.id} would be lost by a restart", task.id)
            executions = {key: rows.execution_row(task, one) for key, one in task.executions.items()}
            if store.runs[seq] != rows.run_row(task) or store.executions.get(seq, {}) != executions:
                text = f"tasks: {task.id} is {rows.run_row(task)}, stored: {store.runs[seq]}"
                raise LawBroken("replay", text, task.id)
            if store.specs[seq][5] != rows.spec_row(task)[0]:
                raise LawBroken("replay", f"tasks: {task.id} is another task in the store", task.id)
        for group in changes.groups:
            if state.groups.get(group.id) is group and store.groups.get(group.id) != rows.group_row(group):
                raise LawBroken("replay", f"groups: {group.id} is not in the store as it is", group.id)
        if state.last_event_id != store.last_event_id:
            text = f"event {state.last_event_id} is the last, stored: {store.last_event_id}"
            raise LawBroken("replay", text)


def _check_invariants(check: Callable[..., None], *what: object) -> None:
    try:
        check(*what)
    except AssertionError as error:
        raise LawBroken("invariants", str(error)) from error


def _same(what: str, live: dict, stored: dict, view) -> None:
    for key, value in live.items():
        other = stored.get(key)
        if other is None:
            raise LawBroken("replay", f"{what}: {key} would be lost by a restart", key)
        if view(other) != view(value):
            text = f"{what}: {key} is {view(value)}, loaded: {view(other)}"
            raise LawBroken("replay", text, key)
    for key in stored:
        if key not in live:
            raise LawBroken("replay", f"{what}: {key} is in the store and would come back", key)


def _task(task: Task) -> tuple[object, ...]:
    before = task.before.spec.id if task.before else ""
    parents = [parent.spec.id for parent in task.parents]
    children = sorted([child.spec.id for child in task.children])
    executions = {key: _fields_of_execution(one) for key, one in task.executions.items()}
    return _fields_of(task), before, parents, children, executions


def _group(group: Group) -> tuple[object, ...]:
    return _fields_of_group(group), list(group.tasks)
