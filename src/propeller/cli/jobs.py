"""``propeller jobs``: tasks that belong together, with a mode."""

from functools import partial
from typing import Annotated, Any

import typer

from propeller.cli import again, bulk, choosing, history, live, options, schedules, views
from propeller.cli.commands import command, group
from propeller.cli.completing import JobId
from propeller.cli.heeding import check_all_heeded, check_key
from propeller.cli.naming import JOB, named, with_cursor
from propeller.cli.options import DetachFlag, KeyFlag, ModuleFlag, RunFile, TasksFileFlag, TasksFlag
from propeller.cli.runfile import read_run_file
from propeller.cli.session import Session
from propeller.cli.tree import tree

app = group("Create, run and look at jobs.")


@command(app, fields=options.GROUP_FIELDS)
def create(
    session: Session,
    fields: dict[str, Any],
    name: Annotated[str, typer.Option(help="The name of the job. Required.")] = "",
    execution_mode: Annotated[str, typer.Option(help="parallel, sequential or configurable.")] = "",
    tasks: TasksFlag = None,
    tasks_file: TasksFileFlag = None,
    idempotency_key: KeyFlag = None,
) -> None:
    """Create a job."""
    if not name:
        raise typer.BadParameter("name is required: give one with --name")
    given = options.task_list(tasks, tasks_file)
    check_key(session.client, idempotency_key)
    more = options.fields_of_group(fields)
    job = session.client.create_job(
        given, name=name, execution_mode=execution_mode, more=more, key=idempotency_key
    )
    if not session.as_json:
        session.remark(f"job {job['job_id']}")
    session.show(job, lambda answer: views.tasks_table(session, answer["tasks"]))
    check_all_heeded(
        given,
        job["tasks"],
        "it was created without",
        of_group=more,
        look=lambda: session.client.job_summary(job["job_id"]),
    )


@command(app, fields=options.GROUP_FIELDS)
def run(
    session: Session,
    fields: dict[str, Any],
    file: RunFile,
    module: ModuleFlag = None,
    detach: DetachFlag = False,
) -> None:
    """Run a job from a file, and show it until it ends."""
    plan = read_run_file(file, module)
    plan.take(options.fields_of_group(fields))
    live.run(session, live.create_job(session, plan), detach=detach)


@command(app, "list", pages=True, fields=choosing.GROUP_FILTERS)
def list_(session: Session, fields: dict[str, Any], everything: choosing.AllFlag = False) -> None:
    """List jobs, the newest first."""
    only = choosing.query(session, fields)

    def fetch(offset: int, limit: int, cursor: str) -> Any:
        # For people, counts are enough; JSON has all that the manager shows.
        given = with_cursor(only, cursor)
        return session.client.jobs(offset=offset, limit=limit, only=given, with_tasks=session.as_json)

    page = choosing.page(session, JOB, only, is_all=everything, fetch=fetch)
    session.show_page(page, "jobs", lambda rows: views.groups_table(session, "job", rows))


@command(app)
def view(session: Session, job_id: JobId) -> None:
    """Show a job's tasks."""
    session.show(
        named(session, JOB, job_id, session.client.job),
        lambda answer: tree(session, answer["tasks"], title=views.group_title("job", answer)),
    )


@command(app)
def watch(session: Session, job_id: JobId) -> None:
    """Show how a job goes until it ends; Ctrl-C leaves it running."""
    found = named(session, JOB, job_id, session.client.job_summary)
    live.watch(session, live.target(session.client, "job", found["job_id"]))


@command(app)
def start(session: Session, job_id: JobId, idempotency_key: KeyFlag = None) -> None:
    """Start a job, or start it again after its end; of one with a schedule, a copy."""
    check_key(session.client, idempotency_key)
    act = partial(session.client.start_job, key=idempotency_key)
    live.show_started(session, named(session, JOB, job_id, act))


schedules.add(app, JOB)
again.add(app, JOB)
bulk.add(
    app,
    choosing.GROUP_FILTERS,
    bulk.Deed("stop", "stopped", JOB, lambda client, id_: client.stop_job(id_), is_for_ended=False),
    "Stop all tasks of jobs that have not ended; with flags, of those that are not at their end.",
)
bulk.add(
    app,
    choosing.GROUP_FILTERS,
    bulk.Deed("delete", "deleted", JOB, lambda client, id_: client.delete_job(id_), is_for_ended=True),
    "Delete jobs with their tasks.",
)


history.add(app, JOB)
