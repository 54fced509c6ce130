"""Checks the laws of workflows that tasks run: a task ends as its workflow did, once, and neither goes on alone.

It looks at what is committed, and makes ids and results by words of its own.
"""

from collections.abc import Iterable, Sequence

from propeller.core.causes import CauseKind
from propeller.core.effects import Changes, Transition
from propeller.core.model import Task
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, RUNNING, SCHEDULED, SKIPPED
from propeller.manager.engine import Input

from .store import SimulatedStore
from .world import LawBroken


class NestedChecker:
    def __init__(self, store: SimulatedStore):
        self._store = store
        #: All committed tasks by id, read back from their rows; and those of each workflow, by id.
        self._tasks: dict[str, Task] = {}
        self._members: dict[str, dict[str, Task]] = {}
        #: The workflows that tasks ran, ever.
        self._ever: set[str] = set()
        #: How many have come to an end with their tasks.
        self.runs = 0

    def committed(self, changes: Changes, _inputs: Sequence[Input], _wall: int) -> None:
        """Check a commit, now that the store has it."""
        for task in changes.deleted:
            self._tasks.pop(task.id, None)
            self._members.get(task.spec.workflow_id, {}).pop(task.id, None)
        for task in (*changes.created, *changes.updated, *changes.respecified):
            found = self._tasks[task.id] = self._store.task(task.seq)
            if found.spec.workflow_id:
                self._members.setdefault(found.spec.workflow_id, {})[task.id] = found
        self._check_created(changes)
        for move in changes.transitions:
            task = self._tasks.get(move.task_id)
            if task is not None and task.spec.workflow is not None:
                self._check_move(task, move)
        self._check_pairs()

    def _check_created(self, changes: Changes) -> None:
        new = {task.spec.workflow_id for task in changes.created}
        for group_id in sorted(new - {""}):
            if group_id not in self._store.groups:
                continue
            outer_id = self._store.group(group_id).definition.run_for
            if not outer_id:
                continue
            if group_id in self._ever:
                raise LawBroken("inner-once", f"workflow {group_id} begins again", outer_id)
            self._ever.add(group_id)
            outer = self._tasks.get(outer_id)
            if outer is None or group_id != f"{outer_id}.{outer.attempt}":
                raise LawBroken("inner-once", f"workflow {group_id} is no attempt of its task", outer_id)
            assert outer.spec.workflow is not None
            wanted = sorted(f"{spec.id}.{group_id}" for spec in outer.spec.workflow.specs)
            if sorted(self._members[group_id]) != wanted:
                raise LawBroken("inner-once", f"workflow {group_id} lacks tasks", outer_id)

    def _check_move(self, task: Task, move: Transition) -> None:
        """Check that a move which the workflow caused is as the workflow is now."""
        if move.whole_cause.kind is not CauseKind.WORKFLOW:
            if move.state is COMPLETED:
                raise LawBroken("inner-end", f"{task.id} completed, and no workflow did", task.id)
            return
        group_id = f"{task.id}.{move.attempt}"
        members = self._members.get(group_id, {}).values()
        states = {one.state for one in members}
        self.runs += 1
        is_right = {
            COMPLETED: states <= {COMPLETED, SKIPPED},
            FAILED: FAILED in states,
            SCHEDULED: FAILED in states,
            INTERRUPTED: (INTERRUPTED in states and FAILED not in states)
            or group_id not in self._store.groups,
        }.get(move.state, False)
        if not is_right or not all(state.has_ended for state in states):
            raise LawBroken("inner-end", f"{task.id} is {move.state.name}, and its workflow is not", task.id)
        if move.state is COMPLETED and move.results != _results(members, group_id):
            raise LawBroken("inner-results", f"{task.id} has {move.results}", task.id)

    def _check_pairs(self) -> None:
        """Check that a task which runs has a workflow that goes on, and the other way round."""
        for task in self._tasks.values():
            if task.spec.workflow is not None and task.state is RUNNING:
                if task.proplet_id:
                    raise LawBroken("inner-there", f"{task.id} runs a workflow, on a proplet", task.id)
                members = self._members.get(f"{task.id}.{task.attempt}", {}).values()
                if all(one.state.has_ended for one in members):
                    raise LawBroken("inner-there", f"{task.id} runs, and its workflow does not", task.id)
        for group_id in self._ever & self._store.groups.keys():
            if all(one.state.has_ended for one in self._members.get(group_id, {}).values()):
                continue
            outer_id = self._store.group(group_id).definition.run_for
            outer = self._tasks.get(outer_id)
            if outer is None or outer.state is not RUNNING or f"{outer_id}.{outer.attempt}" != group_id:
                raise LawBroken("inner-alone", f"workflow {group_id} goes on without its task", outer_id)

    def check_at_end(self, _wall: int) -> None:
        """Check that nothing waits for ever: a task that is ready to run a workflow has begun."""
        for task in self._tasks.values():
            group = self._store.groups.get(task.spec.workflow_id)
            has_bound = group is not None and self._store.group(task.spec.workflow_id).definition.max_parallel
            waits = task.timing is not None and task.timing.retry_at
            if task.spec.workflow is not None and task.state is SCHEDULED and not waits and not has_bound:
                raise LawBroken("inner-there", f"{task.id} is ready, and nothing begins", task.id)


def _results(members: Iterable[Task], group_id: str) -> dict[str, object]:
    passed_on = {parent for one in members if one.state is not SKIPPED for parent in one.spec.depends_on}
    return {
        one.id[: -len(group_id) - 1]: one.results
        for one in members
        if one.id not in passed_on and one.results is not None
    }
