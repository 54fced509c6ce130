"""``propeller jobs``: tasks that belong together, with a mode."""

from pathlib import Path
from typing import Annotated

import typer

from propeller.cli import live, options, views
from propeller.cli.options import AsJson, Limit, Offset
from propeller.cli.runfile import read_run_file
from propeller.cli.session import session_of

app = typer.Typer(help="Create, run and look at jobs.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="ID")]


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Option()] = "",
    execution_mode: Annotated[str, typer.Option(help="parallel, sequential or configurable.")] = "",
    tasks: Annotated[str | None, typer.Option(help="A JSON array of tasks.")] = None,
    tasks_file: Annotated[typer.FileText | None, typer.Option(help="A file with that array.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a job."""
    session = session_of(ctx, as_json=as_json)
    if not name:
        raise typer.BadParameter("name is required: give one with --name")
    given = options.task_list(tasks, tasks_file)
    job = session.client.create_job(given, name=name, execution_mode=execution_mode)
    if not as_json:
        session.remark(f"job {job['job_id']}")
    session.show(job, lambda answer: views.tasks_table(session, answer["tasks"]))


@app.command()
def run(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="YAML or JSON; ids in it are local to it.")],
    module: Annotated[Path | None, typer.Option(help="The module of tasks that name none.")] = None,
    detach: Annotated[bool, typer.Option(help="Start it and return at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a job from a file, start it, and show how it goes until it ends."""
    session = session_of(ctx, as_json=as_json)
    plan = read_run_file(file, module)
    job = session.client.create_job(plan.tasks, name=plan.name, execution_mode=plan.execution_mode)
    live.run(session, live.Kind.JOB, job["job_id"], plan, detach=detach)


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[str, typer.Option(help="pending, running, completed or failed.")] = "",
    offset: Offset = 0,
    limit: Limit = 10,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    session = session_of(ctx, as_json=as_json)
    page = session.client.jobs(offset=offset, limit=limit, status=status)
    session.show(page, lambda answer: views.groups_table(session, "job", answer["jobs"]))


@app.command()
def view(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Show a job's tasks."""
    session = session_of(ctx, as_json=as_json)
    session.show(session.client.job(job_id), lambda answer: views.tasks_table(session, answer["tasks"]))


@app.command()
def start(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Start a job, or start it again after its end."""
    session = session_of(ctx, as_json=as_json)
    session.show_done(session.client.start_job(job_id))


@app.command()
def stop(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Stop all tasks that have not ended."""
    session = session_of(ctx, as_json=as_json)
    session.show_done(session.client.stop_job(job_id))


@app.command()
def delete(ctx: typer.Context, job_id: JobId) -> None:
    """Delete a job with its tasks."""
    session = session_of(ctx)
    session.client.delete_job(job_id)
    session.show_done()
