"""Relations between the tasks of a group: parents, children, and the task before in a sequential job.

A sequential job keeps its order also where a task ends out of its turn, because a user stops it while it is
pending. The task after it waits until all those before have ended (``has_had_its_turn``).
"""

from collections.abc import Mapping

from propeller.core.model import Group, JobMode, Task


def link(group: Group) -> None:
    """Derive all relations of a group from its specs and its mode."""
    before: Task | None = None
    for task in group.tasks.values():
        task.children = []
    for task in group.tasks.values():
        attach(task, group, before)
        before = task


def attach(task: Task, group: Group, before: Task | None) -> None:
    """Derive the relations of one task; the tasks that it waits for are in the group already."""
    tasks: Mapping[str, Task] = group.tasks
    task.before = before if group.mode is JobMode.SEQUENTIAL else None
    if task.before is None and not task.spec.depends_on:
        task.parents, task.unmet = (), 0
        return
    task.parents = tuple(tasks[task_id] for task_id in task.spec.depends_on)
    task.unmet = count_unmet(task)
    for other in predecessors(task):
        other.children.append(task)


def unlink(task: Task) -> None:
    """Cut the relations of a task that leaves memory, so that its memory is freed at once."""
    task.before = None
    task.parents = ()
    task.children = []


def predecessors(task: Task) -> tuple[Task, ...]:
    """Give all tasks that must end before this one may start, each once."""
    if task.before is None or task.before.id in task.spec.depends_on:
        return task.parents
    return (*task.parents, task.before)


def has_had_its_turn(task: Task) -> bool:
    """Say whether the task after this one in a sequential job may go on."""
    return task.is_settled and not waits_for_its_turn(task)


def waits_for_its_turn(task: Task) -> bool:
    """Say whether a task of a sequential job never began, and others before it have not ended."""
    never_began = not (task.started_at or task.was_up)
    return never_began and task.before is not None and task.unmet > 0


def count_unmet(task: Task) -> int:
    """Count the predecessors that a task waits for; those of the one before it are counted already."""
    before, unmet = task.before, 0
    for other in predecessors(task):
        unmet += not (has_had_its_turn(other) if other is before else other.is_settled)
    return unmet


def awaited(task: Task) -> list[Task]:
    """Give the tasks that have to end before this one may start."""
    before = task.before
    while before is not None and before.is_settled and not has_had_its_turn(before):
        before = before.before
    found = [parent for parent in task.parents if not parent.is_settled and parent is not before]
    return found if before is None or before.is_settled else [*found, before]


def after(task: Task) -> Task | None:
    """Give the task after this one in a sequential job."""
    return next((child for child in task.children if child.before is task), None)
