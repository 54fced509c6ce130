"""A durable store in memory: it keeps encoded rows, so that nothing live is shared with it."""

from collections.abc import Sequence
from typing import Any

from propeller.core.effects import Changes, Transition
from propeller.core.idempotency import Remembered
from propeller.core.model import Group, Task
from propeller.store import rows
from propeller.store.port import Found, Loaded, Records

from .namespaces import Namespaces
from .world import LawBroken


def _is_awaited(timing: str) -> bool:
    return '"next_run":' in timing or '"waiting":' in timing


class SimulatedStore:
    """Reads and writes as ``store.sqlite`` does: whole groups, at load only what is live."""

    def __init__(self):
        self.specs: dict[int, rows.Row] = {}
        self.runs: dict[int, rows.Row] = {}
        self.ids: dict[str, int] = {}
        self.members: dict[str, dict[int, None]] = {}
        self.groups: dict[str, rows.Row] = {}
        self.proplets: dict[str, rows.Row] = {}
        self.executions: dict[int, dict[str, rows.Row]] = {}
        self.attempts: dict[int, dict[tuple[int, str], rows.Row]] = {}
        self.past_attempts: dict[str, int] = {}
        self.modules: set[str] = set()
        self.events: list[rows.Row] = []
        self.keys: dict[str, Remembered] = {}
        self._seen: dict[int, Task] = {}

    def commit(self, changes: Changes) -> None:
        """Write it all; nothing can come in between."""
        self._seen_no_more(changes)
        for task in changes.deleted:
            self._delete(task)
        for task in changes.created:
            row = rows.task_row(task)
            if row[0] in self.specs or row[1] in self.ids:
                raise LawBroken("store", f"task {task.id} (seq {task.seq}) was created twice", task.id)
            self.specs[task.seq] = row
            self.runs[task.seq] = rows.run_row(task)
            self.ids[task.id] = task.seq
            if task.spec.group_id:
                self.members.setdefault(task.spec.group_id, {})[task.seq] = None
        for task in changes.updated:
            if task.seq not in self.runs:
                raise LawBroken("store", f"task {task.id} was updated and is not there", task.id)
            self.runs[task.seq] = rows.run_row(task)
        for task in changes.respecified:
            self.specs[task.seq] = (
                *self.specs[task.seq][:5],
                rows.spec_row(task)[0],
                *self.specs[task.seq][6:],
            )
        self.past_attempts.update(changes.past_attempts)
        for task in changes.replaced:
            self.executions.pop(task.seq, None)
        for task, execution in changes.executions:
            self.executions.setdefault(task.seq, {})[execution.proplet_id] = rows.execution_row(
                task, execution
            )
        for task, past in changes.attempts:
            self.attempts.setdefault(task.seq, {})[past.attempt, past.proplet_id] = rows.execution_row(
                task, past
            )
        self.modules.update(module.digest for module in changes.modules)
        if changes.deleted_groups:
            gone = {group.seq for group in changes.deleted_groups}
            self.groups = {key: row for key, row in self.groups.items() if row[0] not in gone}
        for group in changes.groups:
            self.groups[group.id] = rows.group_row(group)
        for proplet in changes.deleted_proplets:
            self.proplets.pop(proplet.id, None)
        for proplet in changes.proplets:
            self.proplets[proplet.id] = rows.proplet_row(proplet)
        for one in changes.remembered:
            self.keys[one.key.text] = one
        if changes.transitions:
            if changes.first_event_id != self.last_event_id + 1:
                raise LawBroken("store", f"event {changes.first_event_id} follows {self.last_event_id}")
            self.events.append(rows.event_row(changes.first_event_id, changes.transitions, 0))
        Namespaces(self.specs, self.ids, self.groups).check(changes)

    def _delete(self, task: Task) -> None:
        if task.seq not in self.runs:
            raise LawBroken("store", f"task {task.id} was deleted and is not there", task.id)
        del self.specs[task.seq], self.runs[task.seq], self.ids[task.id]
        self.executions.pop(task.seq, None)
        self.attempts.pop(task.seq, None)
        if task.spec.group_id:
            del self.members[task.spec.group_id][task.seq]

    def backup(self) -> dict[str, Any]:
        """Copy all of it, as a user does who wants to be safe."""
        return _copied(vars(self))

    def restore(self, backup: dict[str, Any]) -> None:
        """Become what it was when the copy was made."""
        vars(self).update(_copied(backup))
        self._seen = {}

    def cut_off(self, changes: Changes) -> None:
        """Be left with what the log has of a commit that a crash cut off: recovery cuts its torn end."""

    def crashed(self) -> None:
        """Lose nothing: what was committed is durable."""

    # -- reading -------------------------------------------------------------------------------------------

    @property
    def last_event_id(self) -> int:
        return self.events[-1][0] if self.events else 0

    def load(self) -> Loaded:
        groups = [self.group(key) for key, row in self.groups.items() if row[6] > 0 or _is_awaited(row[13])]
        groups.sort(key=lambda group: group.seq)
        tasks = [
            self.task(seq)
            for seq, run in self.runs.items()
            if (run[0] < 3 or _is_awaited(run[-3])) and not self._is_grouped(seq)
        ]
        tasks.sort(key=lambda task: task.seq)
        proplets = [rows.to_proplet(row) for row in self.proplets.values()]
        proplets.sort(key=lambda proplet: (proplet.created_at, proplet.id))
        return Loaded(
            live=Records(groups, [*tasks, *self._tasks_of(groups)]),
            proplets=proplets,
            last_task_seq=max(self.specs, default=0),
            last_group_seq=max((row[0] for row in self.groups.values()), default=0),
            last_event_id=self.last_event_id,
        )

    def find(self, task_ids: Sequence[str], group_ids: Sequence[str], keys: Sequence[str] = ()) -> Found:
        named = [self.task(self.ids[task_id]) for task_id in task_ids if task_id in self.ids]
        wanted = dict.fromkeys([*group_ids, *(task.spec.group_id for task in named)])
        groups = [self.group(group_id) for group_id in wanted if group_id in self.groups]
        single = [task for task in named if not task.spec.group_id]
        past = {name: self.past_attempts[name] for name in task_ids if name in self.past_attempts}
        remembered = {key: self.keys[key] for key in keys if key in self.keys}
        return Found(groups, [*single, *self._tasks_of(groups)], past, remembered)

    def task(self, seq: int) -> Task:
        spec, run = self.specs[seq], self.runs[seq]
        task = rows.to_task((seq, spec[4], spec[5], *run[:-1]))
        kept = self.executions.get(seq)
        if kept:
            found = [rows.to_execution(row[1:]) for _, row in sorted(kept.items())]
            task.executions = {execution.proplet_id: execution for execution in found}
        return task

    def group(self, group_id: str) -> Group:
        seq, id_, kind, name, mode, _, _, counts, created_at, *others = self.groups[group_id]
        return rows.to_group((id_, kind, seq, created_at, name, mode, counts, *others))

    def transitions(self) -> list[tuple[int, Transition]]:
        return rows.to_events(row[1:] for row in self.events)

    def _is_grouped(self, seq: int) -> bool:
        return bool(self.specs[seq][2] or self.specs[seq][3])

    def _tasks_of(self, groups: Sequence[Group]) -> list[Task]:
        return [self.task(seq) for group in groups for seq in sorted(self.members.get(group.id, ()))]

    # -- for who judges ------------------------------------------------------------------------------------

    def seen(self, seq: int) -> Task:
        """Give a task as its rows have it; who judges may not change it, and so gets the same one again."""
        task = self._seen.get(seq)
        if task is None:
            task = self._seen[seq] = self.task(seq)
        return task

    def _seen_no_more(self, changes: Changes) -> None:
        """Forget what was read of the tasks whose rows a commit writes."""
        for task in (*changes.created, *changes.updated, *changes.respecified, *changes.deleted):
            self._seen.pop(task.seq, None)
        for task in changes.replaced:
            self._seen.pop(task.seq, None)
        for task, _ in changes.executions:
            self._seen.pop(task.seq, None)


def _copied(tables: dict[str, Any]) -> dict[str, Any]:
    """Copy tables down to their rows, which never change."""
    return {
        name: {key: row.copy() if isinstance(row, dict) else row for key, row in table.items()}
        if isinstance(table, dict)
        else table.copy()
        for name, table in tables.items()
    }
