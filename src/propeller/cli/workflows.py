"""``propeller workflows``: tasks that depend on each other."""

from typing import Annotated, Any

import typer

from propeller.cli import choosing, formatting, live, options, views
from propeller.cli.commands import command, group
from propeller.cli.naming import WORKFLOW, named
from propeller.cli.options import DetachFlag, ModuleFlag, RunFile, TasksFileFlag, TasksFlag
from propeller.cli.runfile import read_run_file
from propeller.cli.session import Session
from propeller.cli.tree import tree

app = group("Create, run and look at workflows.")

WorkflowId = Annotated[str, typer.Argument(metavar="ID")]


@command(app)
def create(
    session: Session,
    tasks: TasksFlag = None,
    tasks_file: TasksFileFlag = None,
    name: Annotated[str, typer.Option(help="The name of the workflow, for people.")] = "",
) -> None:
    """Create a workflow."""
    answer = session.client.create_workflow(options.task_list(tasks, tasks_file), name=name)
    if not session.as_json:
        session.remark(f"workflow {answer['tasks'][0]['workflow_id']}")
    session.show(answer, lambda created: views.tasks_table(session, created["tasks"]))


@command(app)
def run(session: Session, file: RunFile, module: ModuleFlag = None, detach: DetachFlag = False) -> None:
    """Run a workflow from a file, and show it until it ends."""
    plan = read_run_file(file, module, makes_uuids=not session.client.lists_workflows())
    live.run(session, live.create_workflow(session, plan), detach=detach)


@command(app, "list", pages=True)
def list_(
    session: Session,
    state: choosing.GroupStateFlag = "",
    name: choosing.NameFlag = "",
    since: choosing.SinceFlag = "",
    everything: choosing.AllFlag = False,
) -> None:
    """List workflows, the newest first."""
    only = choosing.query(session, status=state, name=name, since=since)
    page = _page(session, only, is_all=everything)
    session.show_page(page, "workflows", lambda rows: views.groups_table(session, "workflow", rows))


def _page(session: Session, only: dict[str, str], *, is_all: bool) -> Any:
    def fetch(offset: int, limit: int) -> Any:
        return session.client.workflows(offset=offset, limit=limit, only=only)

    return choosing.pages(session, "workflows", "workflow_id", fetch, only, is_all=is_all)


@command(app)
def view(session: Session, workflow_id: WorkflowId) -> None:
    """Show a workflow as a tree of its tasks."""
    session.show(
        named(session, WORKFLOW, workflow_id, session.client.workflow),
        lambda answer: tree(session, answer["tasks"], title=f"workflow {answer['workflow_id']}"),
    )


@command(app)
def watch(session: Session, workflow_id: WorkflowId) -> None:
    """Show how a workflow goes until it ends; Ctrl-C leaves it running."""
    client = session.client
    found = named(session, WORKFLOW, workflow_id, lambda id_: client.workflow(id_, with_tasks=False))
    live.watch(session, live.target(session.client, "workflow", found["workflow_id"]))


@command(app)
def start(session: Session, workflow_id: WorkflowId) -> None:
    """Start all tasks without parents."""
    session.show_done(named(session, WORKFLOW, workflow_id, session.client.start_workflow))


@command(app)
def stop(
    session: Session,
    workflow_ids: choosing.Ids = None,
    state: choosing.GroupStateFlag = "",
    name: choosing.NameFlag = "",
    since: choosing.SinceFlag = "",
    everything: choosing.AllFlag = False,
    yes: choosing.YesFlag = False,
) -> None:
    """Stop all tasks of workflows that have not ended; with flags, of those that are not at their end."""
    only = choosing.query(session, status=state, name=name, since=since)
    chosen = None
    if only or everything:
        found = _page(session, only, is_all=True)["workflows"]
        chosen = [group for group in found if not formatting.has_ended(group["state"])]
    stop_one = session.client.stop_workflow
    choosing.do_to_each(
        session, WORKFLOW, workflow_ids or [], stop_one, done="stopped", chosen=chosen, yes=yes
    )


@command(app)
def delete(
    session: Session,
    workflow_ids: choosing.Ids = None,
    state: choosing.GroupStateFlag = "",
    name: choosing.NameFlag = "",
    since: choosing.SinceFlag = "",
    everything: choosing.AllFlag = False,
    yes: choosing.YesFlag = False,
) -> None:
    """Delete workflows with their tasks."""
    only = choosing.query(session, status=state, name=name, since=since)
    chosen = _page(session, only, is_all=True)["workflows"] if only or everything else None
    delete_one = session.client.delete_workflow
    choosing.do_to_each(
        session, WORKFLOW, workflow_ids or [], delete_one, done="deleted", chosen=chosen, yes=yes
    )
