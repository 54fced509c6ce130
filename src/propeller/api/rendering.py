"""Tasks to answers, in pieces, so that a long list holds up nobody else."""

import asyncio
from collections.abc import Mapping, Sequence

from propeller.api.context import Context
from propeller.core.model import Task
from propeller.core.states import SCHEDULED
from propeller.store.port import Records
from propeller.wire.rest import TaskView, task_view

_AT_A_TIME = 500


async def task_views(context: Context, tasks: Sequence[Task], *, show_file: bool) -> list[TaskView]:
    files = await context.files.of(tasks) if show_file else None
    views: list[TaskView] = []
    for start in range(0, len(tasks), _AT_A_TIME):
        for task in tasks[start : start + _AT_A_TIME]:
            if task.state is SCHEDULED:
                task.reason = _reason_at_present(context, task)
            views.append(task_view(task, files))
        if len(tasks) > _AT_A_TIME:
            await asyncio.sleep(0)
    return views


def _reason_at_present(context: Context, task: Task) -> str:
    """What it waits for may have changed since it was stored; why it has to run again has not."""
    past = "" if task.reason.startswith("waits for ") else task.reason
    present = context.manager.why_waits(task) or "waits for a free slot"
    return "; ".join(filter(None, (past, present)))


def by_group(records: Records) -> Mapping[str, list[Task]]:
    """Sort the tasks of these groups by group."""
    tasks: dict[str, list[Task]] = {group.id: [] for group in records.groups}
    for task in records.tasks:
        tasks[task.spec.group_id].append(task)
    return tasks
