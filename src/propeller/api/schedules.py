"""``…/schedule``: when a task, workflow or job runs by itself, and a pause of that."""

import asyncio

from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api.answers import answer
from propeller.api.context import Context, HttpRequest, context_of, id_in_path, stored_task
from propeller.api.endpoints import get, post
from propeller.core import calendar
from propeller.core.events import PauseSchedule
from propeller.core.model import Group, GroupKind, Task
from propeller.errors import Conflict, no_such
from propeller.wire.http.schedules import ScheduleView, schedule_view

#: How many of the next times are shown.
_TIMES = 10


@get("/tasks/{id}/schedule", action=Action.READ, gives=ScheduleView, refuses=[404, 409], anywhere=True)
async def get_task_schedule(request: HttpRequest) -> ASGIApp:
    """Show the schedule of a task, with its next ten times."""
    return await _show(request, None)


@post("/tasks/{id}/schedule/pause", action=Action.CHANGE, gives=ScheduleView, refuses=[404, 409])
async def pause_task_schedule(request: HttpRequest) -> ASGIApp:
    """Let a task run at no more times, until its schedule is resumed."""
    return await _pause(request, None, is_paused=True)


@post("/tasks/{id}/schedule/resume", action=Action.CHANGE, gives=ScheduleView, refuses=[404, 409])
async def resume_task_schedule(request: HttpRequest) -> ASGIApp:
    """Let a task run at the times of its schedule again; those of the pause are not made up for."""
    return await _pause(request, None, is_paused=False)


@get("/workflows/{id}/schedule", action=Action.READ, gives=ScheduleView, refuses=[404, 409], anywhere=True)
async def get_workflow_schedule(request: HttpRequest) -> ASGIApp:
    """Show the schedule of a workflow, with its next ten times."""
    return await _show(request, GroupKind.WORKFLOW)


@post("/workflows/{id}/schedule/pause", action=Action.CHANGE, gives=ScheduleView, refuses=[404, 409])
async def pause_workflow_schedule(request: HttpRequest) -> ASGIApp:
    """Let a workflow run at no more times, until its schedule is resumed."""
    return await _pause(request, GroupKind.WORKFLOW, is_paused=True)


@post("/workflows/{id}/schedule/resume", action=Action.CHANGE, gives=ScheduleView, refuses=[404, 409])
async def resume_workflow_schedule(request: HttpRequest) -> ASGIApp:
    """Let a workflow run at the times of its schedule again; those of the pause are not made up for."""
    return await _pause(request, GroupKind.WORKFLOW, is_paused=False)


@get("/jobs/{id}/schedule", action=Action.READ, gives=ScheduleView, refuses=[404, 409], anywhere=True)
async def get_job_schedule(request: HttpRequest) -> ASGIApp:
    """Show the schedule of a job, with its next ten times."""
    return await _show(request, GroupKind.JOB)


@post("/jobs/{id}/schedule/pause", action=Action.CHANGE, gives=ScheduleView, refuses=[404, 409])
async def pause_job_schedule(request: HttpRequest) -> ASGIApp:
    """Let a job run at no more times, until its schedule is resumed."""
    return await _pause(request, GroupKind.JOB, is_paused=True)


@post("/jobs/{id}/schedule/resume", action=Action.CHANGE, gives=ScheduleView, refuses=[404, 409])
async def resume_job_schedule(request: HttpRequest) -> ASGIApp:
    """Let a job run at the times of its schedule again; those of the pause are not made up for."""
    return await _pause(request, GroupKind.JOB, is_paused=False)


async def _pause(request: HttpRequest, kind: GroupKind | None, *, is_paused: bool) -> ASGIApp:
    await context_of(request).ask(PauseSchedule(kind, id_in_path(request), is_paused))
    return await _show(request, kind)


async def _show(request: HttpRequest, kind: GroupKind | None) -> ASGIApp:
    record = await _record(context_of(request), kind, id_in_path(request))
    schedule, course = record.schedule, record.course
    if schedule is None or course is None:
        raise Conflict(f"{kind or 'task'} {record.id} has no schedule")
    count = _TIMES if schedule.is_recurring else 1
    coming: list[int] = []
    error = course.error
    if course.next_run:
        try:
            coming = await asyncio.to_thread(calendar.coming, schedule, record.id, course.next_run, count)
        except ValueError as unknown:  # its zone was known when it was made
            error = str(unknown)
    return answer(schedule_view(schedule, course, coming, error))


async def _record(context: Context, kind: GroupKind | None, name: str) -> Task | Group:
    if kind is None:
        return await stored_task(context, name)
    records = await context.store.group(kind, name, tasks_max=0)
    if records is None:
        raise no_such(kind.value, name)
    return records.groups[0]


ENDPOINTS = [
    get_task_schedule,
    pause_task_schedule,
    resume_task_schedule,
    get_workflow_schedule,
    pause_workflow_schedule,
    resume_workflow_schedule,
    get_job_schedule,
    pause_job_schedule,
    resume_job_schedule,
]
