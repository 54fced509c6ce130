"""Spans of groups: the first start and the last end of a group's tasks, kept up to date in small steps.

Neither a look at a group nor a turn goes through all tasks of the group. The exception is a turn in which no
task has the first start, or the last end, any more: then ``derive`` looks for another. Tasks that share such
a time are counted.
"""

from collections.abc import Iterable, Mapping

from propeller.core.changes import Turn
from propeller.core.model import Group, Task


def derive(group: Group) -> None:
    """Compute the span of a group from all of its tasks."""
    starts = [task.started_at for task in group.tasks.values() if task.started_at]
    ends = [task.finished_at for task in group.tasks.values() if task.finished_at]
    group.started_at, group.finished_at = min(starts, default=0), max(ends, default=0)
    group.first_count, group.last_count = starts.count(group.started_at), ends.count(group.finished_at)
    for task in group.tasks.values():
        task.told_start, task.told_end = task.started_at, task.finished_at


def follow(turn: Turn, groups: Mapping[str, Group]) -> None:
    """Update the spans of the groups whose tasks changed in this turn or are gone."""
    if not (turn.touched or turn.deleted):
        return
    changed: dict[str, list[Task]] = {}
    gone: dict[str, list[Task]] = {}
    for task in turn.touched.values():
        has_moved = task.started_at != task.told_start or task.finished_at != task.told_end
        if has_moved and task.spec.group_id:
            changed.setdefault(task.spec.group_id, []).append(task)
    for task in turn.deleted.values():
        # A task that was deleted with its group is not in a new group of the same id.
        if task.spec.group_id in groups and task.spec.group_id not in turn.deleted_groups:
            gone.setdefault(task.spec.group_id, []).append(task)
    for group_id in changed | gone:
        group = groups[group_id]
        if _take_in(group, changed.get(group_id, ()), gone.get(group_id, ())):
            turn.groups[group_id] = group


def _take_in(group: Group, changed: Iterable[Task], gone: Iterable[Task]) -> bool:
    """Take in the times of tasks that changed or are gone; say whether the span of the group changed."""
    before = group.started_at, group.finished_at
    for task in changed:
        _step(group, task, task.started_at, task.finished_at)
    for task in gone:
        _step(group, task, 0, 0)
    if (group.started_at and not group.first_count) or (group.finished_at and not group.last_count):
        derive(group)
    return (group.started_at, group.finished_at) != before


def _step(group: Group, task: Task, start: int, end: int) -> None:
    if task.told_start != start:
        group.first_count -= bool(task.told_start) and task.told_start == group.started_at
        if start and (not group.started_at or start < group.started_at):
            group.started_at, group.first_count = start, 1
        elif start:
            group.first_count += start == group.started_at
        task.told_start = start
    if task.told_end != end:
        group.last_count -= bool(task.told_end) and task.told_end == group.finished_at
        if end > group.finished_at:
            group.finished_at, group.last_count = end, 1
        elif end:
            group.last_count += end == group.finished_at
        task.told_end = end
