"""Renders tasks for answers, in pieces, so that a long list delays no other request."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import msgspec

from propeller.api import queries
from propeller.api.context import Context, HttpRequest
from propeller.api.looks import PORTION
from propeller.core.model import Group, Task
from propeller.core.reasons import Waiting, WaitsForSlot
from propeller.core.states import SCHEDULED
from propeller.store.port import Records
from propeller.wire.http.groups import Edge, edges_of
from propeller.wire.http.schema import encode
from propeller.wire.http.tasks import TaskView, inputs_as_texts, task_view

_AT_A_TIME = 500
#: How programs in Go introduce themselves; the contract's client and command line add nothing.
_GO = "Go-http-client/"
_NO_LEADER = "waits for a manager that leads: none does at present"


class Showing(NamedTuple):
    """The form of tasks in the answer to a request."""

    has_files: bool
    #: Whether all inputs are texts, as they are on the wire.
    has_texts_only: bool


def showing(request: HttpRequest) -> Showing:
    """Tell how the answer to a request has tasks.

    The contract's client for Go reads inputs as texts, and no list that has a number (``http-api``, C2).
    """
    return Showing(
        has_files=queries.flag(request, queries.SHOW_FILE),
        has_texts_only=request.headers.get("user-agent", "").startswith(_GO),
    )


class Shown(NamedTuple):
    """The tasks of a group as answers have them."""

    views: list[TaskView]
    edges: list[Edge]


async def task_views(context: Context, tasks: Sequence[Task], show: Showing) -> list[TaskView]:
    files = await context.files.of(tasks) if show.has_files else None
    views: list[TaskView] = []
    for start in range(0, len(tasks), _AT_A_TIME):
        for task in tasks[start : start + _AT_A_TIME]:
            view = task_view(task, files)
            if task.state is SCHEDULED and task.spec.workflow is None:
                view.reason = _reason_at_present(context, task)
            if show.has_texts_only and task.spec.inputs:
                view.inputs = inputs_as_texts(task.spec.inputs)
            views.append(view)
        if len(tasks) > _AT_A_TIME:
            await asyncio.sleep(0)
    return views


async def shown_group(context: Context, group: Group, tasks: Sequence[Task], show: Showing) -> Shown:
    """Render all tasks of a group: ``tasks`` if these are all, else portions that are read now."""
    if len(tasks) == group.size:
        return Shown(await task_views(context, tasks, show), edges_of(tasks))
    shown, after = Shown([], []), 0
    while True:
        async with context.looks.portion():
            tasks = await context.store.tasks_of_group(group, after, PORTION)
            views = await task_views(context, tasks, show)
            # Encoded at once: to encode all of them at the end would hold up other requests.
            shown.views.extend(cast("list[TaskView]", [msgspec.Raw(encode(view)) for view in views]))
            shown.edges.extend(edges_of(tasks))
        if len(tasks) < PORTION:
            return shown
        after = tasks[-1].seq


def _reason_at_present(context: Context, task: Task) -> str:
    """Say why a task has to run again, as it is stored, and then why it waits now, which is not stored."""
    if task.timing is not None and task.timing.retry_at:
        return str(task.reason)  # it waits for no proplet yet
    past = None if isinstance(task.reason, Waiting) else task.reason
    present: Waiting | str = _NO_LEADER
    if context.has_leader:
        present = context.manager.why_waits(task) or WaitsForSlot()
    return f"{past}; {present}" if past else str(present)


def by_group(records: Records) -> Mapping[str, list[Task]]:
    """Give the tasks of each group, by the group's id."""
    tasks: dict[str, list[Task]] = {group.id: [] for group in records.groups}
    for task in records.tasks:
        tasks[task.spec.group_id].append(task)
    return tasks
