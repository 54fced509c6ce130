"""Reruns: which tasks of a group that has ended run again, while the others keep their results; pure."""

from collections.abc import Iterable

from propeller.core.model import Group, Task
from propeller.core.states import COMPLETED


def all_but_good(group: Group) -> list[Task]:
    """Choose what failed, was interrupted or skipped, and all that hangs on it."""
    return _with_all_below(group, (task for task in group.tasks.values() if task.state is not COMPLETED))


def from_task(group: Group, task: Task) -> list[Task]:
    """Choose a task and all that hangs on it."""
    return _with_all_below(group, [task])


def called(group: Group, name: str) -> list[Task]:
    """Find the task of this id, or those of this name, or those to which a file gave this id."""
    if name in group.tasks:
        return [group.tasks[name]]
    tasks = group.tasks.values()
    named = [task for task in tasks if task.spec.name == name]
    return named or [task for task in tasks if task.id.startswith(f"{name}-")]


def _with_all_below(group: Group, first: Iterable[Task]) -> list[Task]:
    """Add all children, and theirs; give all in the order of the group."""
    found: set[str] = set()
    waiting = list(first)
    while waiting:
        task = waiting.pop()
        if task.id not in found:
            found.add(task.id)
            waiting += task.children
    return [task for task in group.tasks.values() if task.id in found]
