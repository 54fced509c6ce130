"""``propeller workflows``: tasks that depend on each other."""

from typing import Annotated

import typer

from propeller.cli import live, options, views
from propeller.cli.commands import command, group
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
    live.run(session, live.create_workflow(session, plan), plan, detach=detach)


@command(app, "list", pages=True)
def list_(session: Session) -> None:
    """List workflows, the newest first."""
    page = session.client.workflows(offset=session.offset, limit=session.limit)
    session.show_page(page, "workflows", lambda rows: views.groups_table(session, "workflow", rows))


@command(app)
def view(session: Session, workflow_id: WorkflowId) -> None:
    """Show a workflow as a tree of its tasks."""
    session.show(
        session.client.workflow(workflow_id),
        lambda answer: tree(session, answer["tasks"], title=f"workflow {workflow_id}"),
    )


@command(app)
def start(session: Session, workflow_id: WorkflowId) -> None:
    """Start all tasks without parents."""
    session.show_done(session.client.start_workflow(workflow_id))


@command(app)
def stop(session: Session, workflow_id: WorkflowId) -> None:
    """Stop all tasks that have not ended."""
    session.show_done(session.client.stop_workflow(workflow_id))


@command(app)
def delete(session: Session, workflow_id: WorkflowId) -> None:
    """Delete a workflow with its tasks."""
    session.client.delete_workflow(workflow_id)
    session.show_done()
