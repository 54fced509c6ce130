"""What a turn of the manager took in and changed, as the checkers ask for it."""

from collections.abc import Iterable

from propeller.core.effects import Changes
from propeller.core.events import CreateTasks
from propeller.core.model import Task
from propeller.manager.engine import Ask, Input


def changed(changes: Changes) -> list[Task]:
    by_execution = [task for task, _ in changes.executions]
    return [*changes.created, *changes.updated, *changes.respecified, *by_execution]


def is_settled(task: Task) -> bool:
    return task.state.has_ended or task.was_up


def commands_on(inputs: Iterable[Input], kind: type, field: str) -> list[str]:
    return [
        getattr(item.command, field)
        for item in inputs
        if isinstance(item, Ask) and isinstance(item.command, kind)
    ]


def created_by(inputs: Iterable[Input]) -> set[str]:
    commands = [item.command for item in inputs if isinstance(item, Ask)]
    return {spec.id for command in commands if isinstance(command, CreateTasks) for spec in command.specs}


def outcome(task: Task) -> tuple[object, ...]:
    return task.state, task.attempt, task.results, task.error, task.reason, task.started_at, task.finished_at
