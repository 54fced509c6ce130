"""``propeller jobs``: tasks that belong together, with a mode."""

from typing import Annotated

import typer

from propeller.cli import live, options, views
from propeller.cli.commands import command, group
from propeller.cli.options import DetachFlag, ModuleFlag, RunFile, TasksFileFlag, TasksFlag
from propeller.cli.runfile import read_run_file
from propeller.cli.session import Session
from propeller.cli.tree import tree

app = group("Create, run and look at jobs.")

JobId = Annotated[str, typer.Argument(metavar="ID")]


@command(app)
def create(
    session: Session,
    name: Annotated[str, typer.Option(help="The name of the job. Required.")] = "",
    execution_mode: Annotated[str, typer.Option(help="parallel, sequential or configurable.")] = "",
    fail_fast: Annotated[
        bool | None,
        typer.Option("--fail-fast/--no-fail-fast", help="Stop the other tasks when one fails; the default."),
    ] = None,
    tasks: TasksFlag = None,
    tasks_file: TasksFileFlag = None,
) -> None:
    """Create a job."""
    if not name:
        raise typer.BadParameter("name is required: give one with --name")
    given = options.task_list(tasks, tasks_file)
    job = session.client.create_job(given, name=name, execution_mode=execution_mode, fail_fast=fail_fast)
    if not session.as_json:
        session.remark(f"job {job['job_id']}")
    session.show(job, lambda answer: views.tasks_table(session, answer["tasks"]))


@command(app)
def run(session: Session, file: RunFile, module: ModuleFlag = None, detach: DetachFlag = False) -> None:
    """Run a job from a file, and show it until it ends."""
    plan = read_run_file(file, module)
    live.run(session, live.create_job(session, plan), plan, detach=detach)


@command(app, "list", pages=True)
def list_(
    session: Session,
    status: Annotated[str, typer.Option(help="pending, running, completed or failed.")] = "",
) -> None:
    """List jobs, the newest first."""
    # For people, counts are enough; JSON has all that the manager shows.
    page = session.client.jobs(
        offset=session.offset, limit=session.limit, status=status, with_tasks=session.as_json
    )
    session.show_page(page, "jobs", lambda jobs: views.groups_table(session, "job", jobs))


@command(app)
def view(session: Session, job_id: JobId) -> None:
    """Show a job's tasks."""
    session.show(
        session.client.job(job_id), lambda answer: tree(session, answer["tasks"], title=f"job {job_id}")
    )


@command(app)
def start(session: Session, job_id: JobId) -> None:
    """Start a job, or start it again after its end."""
    session.show_done(session.client.start_job(job_id))


@command(app)
def stop(session: Session, job_id: JobId) -> None:
    """Stop all tasks that have not ended."""
    session.show_done(session.client.stop_job(job_id))


@command(app)
def delete(session: Session, job_id: JobId) -> None:
    """Delete a job with its tasks."""
    session.client.delete_job(job_id)
    session.show_done()
