"""Namespaces in the simulation: where users create things, and the law that what follows from them stays there."""

import zlib

from msgspec.structs import replace

from propeller.core.effects import Changes
from propeller.core.events import CreateTasks, Event
from propeller.store import rows

from .world import LawBroken

_NAMES = ("", "team", "lab")


def placed(command: Event) -> Event:
    """Have what a command creates belong to the namespace that goes with its name; some leave that to the group."""
    if not isinstance(command, CreateTasks):
        return command
    first, group = command.specs[0], command.group
    number = zlib.crc32((first.group_id or first.id).encode())
    namespace = _NAMES[number % len(_NAMES)]
    if group is not None:
        group = replace(group, definition=replace(group.definition, namespace=namespace))
    specs = tuple(replace(spec, namespace=namespace) for spec in command.specs)
    return replace(command, specs=specs, group=group, says_where=number % 2 == 0)


class Namespaces:
    """Where the records of a store belong, in words of its own."""

    def __init__(self, specs: dict[int, rows.Row], ids: dict[str, int], groups: dict[str, rows.Row]) -> None:
        self._specs = specs
        self._ids = ids
        self._groups = groups

    def check(self, changes: Changes) -> None:
        """Check a commit that the store has taken in."""
        for group in changes.groups:
            definition = group.definition
            for source in (definition.run_of, definition.run_for):
                self._check(f"{group.kind} {group.id}", definition.namespace, source)
        for task in changes.created:
            for source in (task.spec.group_id, task.spec.run_of):
                self._check(f"task {task.id}", task.spec.namespace, source)
        for task in changes.respecified:
            self._check(f"task {task.id}, which was changed,", task.spec.namespace, task.id)
        for move in changes.transitions:
            self._check(f"an event of task {move.task_id}", move.namespace, move.task_id)

    def _check(self, what: str, namespace: str, source: str) -> None:
        wanted = self._of(source)
        if wanted is not None and namespace != wanted:
            raise LawBroken("namespace", f"{what} is in {namespace!r}, and {source} in {wanted!r}", source)

    def _of(self, name: str) -> str | None:
        """Find where a record belongs; None for one that is not there."""
        if name in self._ids:
            return str(self._specs[self._ids[name]][6])
        return str(self._groups[name][14]) if name in self._groups else None
