"""``/jobs``: tasks with a mode."""

from urllib.parse import quote

from msgspec import UNSET, UnsetType
from starlette.types import ASGIApp

from propeller.access.roles import Action
from propeller.api import queries
from propeller.api.answers import answer, nothing
from propeller.api.belonging import Creator
from propeller.api.context import HttpRequest, context_of, id_in_path
from propeller.api.endpoints import delete, get, post
from propeller.api.group_lists import read_list
from propeller.api.groups import Creation, clone_group, create_group, group_creation, read_group, rerun_group
from propeller.api.lifting import Lifted
from propeller.api.looks import PORTION
from propeller.api.rendering import by_group, showing, shown_group
from propeller.api.submission import check_start_of_group
from propeller.core.events import DeleteGroup, StartGroup, StopGroup
from propeller.core.model import GroupKind, JobMode
from propeller.errors import Invalid
from propeller.wire.http.groups import (
    JobMessage,
    JobPage,
    JobSummary,
    JobView,
    NewClone,
    NewJob,
    NewRerun,
    job_summary,
    job_view,
)
from propeller.wire.http.tasks import TaskView

_JOB = GroupKind.JOB


@post(
    "/jobs",
    action=Action.SUBMIT,
    gives=JobView,
    status=201,
    takes=NewJob,
    query=[queries.SHOW_FILE, queries.IN_NAMESPACE],
    refuses=[409],
    has_location=True,
)
async def create_job(request: HttpRequest) -> ASGIApp:
    """Create all tasks of a job, or none."""
    job, views = await create_group(request, NewJob, creation)
    mode = job.mode or context_of(request).job_mode
    return _created(job_view(job.id, views, job.name, mode, definition=job.definition))


def _created(view: JobView) -> ASGIApp:
    return answer(view, 201, {"location": f"/jobs/{quote(view.job_id, safe='')}"})


def creation(new: NewJob, lifted: Lifted, creator: Creator) -> Creation:
    """Make the command of a request."""
    return group_creation(
        new, lifted, creator, _JOB, mode=_mode(new.execution_mode or ""), fail_fast=new.fail_fast
    )


@get(
    "/jobs",
    action=Action.READ,
    gives=JobPage,
    query=[
        *queries.OF_GROUPS,
        queries.SHOW_TASKS_OF_LISTED,
        queries.SHOW_FILE,
    ],
    anywhere=True,
)
async def list_jobs(request: HttpRequest) -> ASGIApp:
    """List jobs, the newest first."""
    context = context_of(request)
    show_tasks = queries.flag(request, queries.SHOW_TASKS)
    show = showing(request)
    found = await read_list(request, _JOB, tasks_max=PORTION if show_tasks else 0)
    records = found.page.records
    summaries = []
    tasks, room = by_group(records), queries.TASKS_IN_LIST_MAX if show_tasks else -1
    for group in records.groups:
        views: list[TaskView] | UnsetType = UNSET
        if group.size <= room:
            views = (await shown_group(context, group, tasks[group.id], show)).views
            room -= len(views)
        summaries.append(job_summary(group, views, earlier=found.page.earlier.get(group.id)))
    return answer(
        JobPage(
            offset=found.offset,
            limit=found.limit,
            total=found.page.total,
            jobs=summaries,
            next_cursor=found.next_cursor,
        )
    )


@get(
    "/jobs/{id}",
    action=Action.READ,
    gives=JobView | JobSummary,
    query=[queries.SHOW_TASKS, queries.SHOW_FILE],
    refuses=[404],
    anywhere=True,
)
async def get_job(request: HttpRequest) -> ASGIApp:
    """Show the tasks of a job in the order given, or a summary of the job."""
    group, shown = await read_group(request, _JOB)
    if shown is None:
        return answer(job_summary(group, UNSET))
    definition, course = group.definition, group.course
    return answer(
        job_view(group.id, shown.views, group.name, group.mode, definition=definition, course=course)
    )


@post("/jobs/{id}/start", action=Action.CHANGE, gives=JobMessage, refuses=[404, 409])
async def start_job(request: HttpRequest) -> ASGIApp:
    """Start a job, for the first time or again."""
    context, job_id = context_of(request), id_in_path(request)
    await check_start_of_group(context, _JOB, job_id)
    copied = await context.ask(StartGroup(_JOB, job_id))
    return answer(JobMessage(job_id, "job started", copied[0].spec.group_id if copied else UNSET))


@post(
    "/jobs/{id}/rerun",
    action=Action.CHANGE,
    gives=JobMessage,
    takes=NewRerun,
    needs_body=False,
    refuses=[404, 409],
)
async def rerun_job(request: HttpRequest) -> ASGIApp:
    """Run a job that has ended again, or a part of it; without a body, what did not complete."""
    job_id = id_in_path(request)
    await rerun_group(request, _JOB, job_id)
    return answer(JobMessage(job_id, "job started again"))


@post(
    "/jobs/{id}/clone",
    action=Action.SUBMIT,
    gives=JobView,
    status=201,
    takes=NewClone,
    needs_body=False,
    query=[queries.SHOW_FILE],
    refuses=[404, 409],
    has_location=True,
)
async def clone_job(request: HttpRequest) -> ASGIApp:
    """Create a job with the same definition and tasks, which is not started and has no schedule."""
    job, views = await clone_group(request, _JOB, id_in_path(request))
    return _created(job_view(job.id, views, job.name, job.mode, definition=job.definition))


@post("/jobs/{id}/stop", action=Action.CHANGE, gives=JobMessage, refuses=[404])
async def stop_job(request: HttpRequest) -> ASGIApp:
    """Stop all tasks of a job that have not ended, if there are any."""
    context, job_id = context_of(request), id_in_path(request)
    await context.ask(StopGroup(_JOB, job_id))
    return answer(JobMessage(job_id, "job stopped"))


@delete("/jobs/{id}", action=Action.CHANGE, status=204, refuses=[404, 409])
async def delete_job(request: HttpRequest) -> ASGIApp:
    """Delete a job with its tasks, and stop those that run."""
    context, job_id = context_of(request), id_in_path(request)
    await context.ask(DeleteGroup(_JOB, job_id))
    return nothing()


def _mode(word: str) -> JobMode | None:
    if not word:
        return None
    try:
        return JobMode(word)
    except ValueError:
        allowed = ", ".join(f'"{mode}"' for mode in JobMode)
        raise Invalid(f'execution_mode: invalid JOB_EXECUTION_MODE: "{word}" (allowed: {allowed})') from None


ENDPOINTS = [create_job, list_jobs, get_job, start_job, rerun_job, clone_job, stop_job, delete_job]
