"""What a turn of the manager took in and changed, as the checkers ask for it."""

from collections.abc import Iterable

from propeller.core.effects import Changes
from propeller.core.events import Command, CreateTasks
from propeller.core.model import Task
from propeller.manager.engine import Ask, Input


def changed(changes: Changes) -> list[Task]:
    """List the tasks that a commit writes, each as often as it says something of it."""
    found = [*changes.created, *changes.updated, *changes.respecified]
    if changes.executions:
        found += [task for task, _ in changes.executions]
    return found


def is_settled(task: Task) -> bool:
    return task.state.has_ended or task.was_up


def asked(inputs: Iterable[Input]) -> list[Command]:
    """List what users ask for in a turn."""
    return [item.command for item in inputs if isinstance(item, Ask)]


def named(commands: Iterable[Command], kind: type, field: str) -> set[str]:
    """Name the tasks, or groups, that the commands of a kind are about."""
    return {getattr(command, field) for command in commands if isinstance(command, kind)}


def created_by(commands: Iterable[Command]) -> set[str]:
    return {spec.id for command in commands if isinstance(command, CreateTasks) for spec in command.specs}


def outcome(task: Task) -> tuple[object, ...]:
    return task.state, task.attempt, task.results, task.error, task.reason, task.started_at, task.finished_at
