"""Relations between the tasks of a group: parents, children, and the task before in a sequential job."""

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
    waits_for = predecessors(task)
    task.unmet = sum(not other.is_settled for other in waits_for)
    for other in waits_for:
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
