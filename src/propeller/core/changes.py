"""The records that the present turn has changed; at its end they become ``effects.Changes``."""

import msgspec

from propeller.core.effects import Changes, Effect, Transition
from propeller.core.model import Execution, Group, Proplet, Task


class Turn(msgspec.Struct, eq=False):
    """The records that one turn created, changed and deleted, each by its id, and the turn's effects."""

    created: dict[str, Task] = {}
    #: Tasks whose spec changed.
    respecified: dict[str, Task] = {}
    #: Tasks in which anything else changed.
    touched: dict[str, Task] = {}
    deleted: dict[str, Task] = {}
    #: By task and proplet.
    executions: dict[tuple[str, str], tuple[Task, Execution]] = {}
    #: Broadcast tasks whose executions are all new.
    replaced: dict[str, Task] = {}
    #: Attempts that are over and may be followed by another one.
    attempts: list[tuple[Task, Execution]] = []
    #: Last attempts of deleted tasks, from the store or from this turn.
    past_attempts: dict[str, int] = {}
    #: The part of ``past_attempts`` that is from this turn.
    forgotten_attempts: dict[str, int] = {}
    groups: dict[str, Group] = {}
    deleted_groups: dict[str, Group] = {}
    proplets: dict[str, Proplet] = {}
    deleted_proplets: dict[str, Proplet] = {}
    transitions: list[Transition] = []
    effects: list[Effect] = []

    def set_execution(self, task: Task, execution: Execution) -> None:
        self.executions[task.id, execution.proplet_id] = (task, execution)

    def drop_executions(self, task: Task) -> None:
        """Forget the changes of a task's executions, which are gone."""
        for proplet_id in task.executions:
            self.executions.pop((task.id, proplet_id), None)

    def delete_task(self, task: Task) -> None:
        """Note that a task is deleted, and forget its other changes."""
        for changed in (self.touched, self.respecified, self.replaced):
            changed.pop(task.id, None)
        self.drop_executions(task)
        if self.attempts:
            self.attempts = [past for past in self.attempts if past[0] is not task]
        if self.created.pop(task.id, None) is None:
            self.deleted[task.id] = task

    def delete_group(self, group: Group) -> None:
        self.groups.pop(group.id, None)
        self.deleted_groups[group.id] = group

    def delete_proplet(self, proplet: Proplet) -> None:
        self.proplets.pop(proplet.id, None)
        self.deleted_proplets[proplet.id] = proplet

    def changes(self, first_event_id: int) -> Changes:
        """Give the changes to commit; the first transition has this event id."""
        return Changes(
            created=list(self.created.values()),
            respecified=[task for key, task in self.respecified.items() if key not in self.created],
            updated=[task for key, task in self.touched.items() if key not in self.created],
            deleted=list(self.deleted.values()),
            executions=list(self.executions.values()),
            replaced=list(self.replaced.values()),
            attempts=self.attempts,
            past_attempts=self.forgotten_attempts,
            groups=list(self.groups.values()),
            deleted_groups=list(self.deleted_groups.values()),
            proplets=list(self.proplets.values()),
            deleted_proplets=list(self.deleted_proplets.values()),
            transitions=self.transitions,
            first_event_id=first_event_id,
        )
