"""``propeller workflows``: tasks that depend on each other."""

from pathlib import Path
from typing import Annotated

import typer

from propeller.cli import live, options, views
from propeller.cli.options import AsJson, Limit, Offset
from propeller.cli.runfile import read_run_file
from propeller.cli.session import session_of

app = typer.Typer(help="Create, run and look at workflows.", no_args_is_help=True)

WorkflowId = Annotated[str, typer.Argument(metavar="ID")]


@app.command()
def create(
    ctx: typer.Context,
    tasks: Annotated[str | None, typer.Option(help="A JSON array of tasks.")] = None,
    tasks_file: Annotated[typer.FileText | None, typer.Option(help="A file with that array.")] = None,
    name: Annotated[str, typer.Option()] = "",
    as_json: AsJson = False,
) -> None:
    """Create a workflow."""
    session = session_of(ctx, as_json=as_json)
    answer = session.client.create_workflow(options.task_list(tasks, tasks_file), name=name)
    session.show(answer["tasks"], lambda created: views.tasks_table(session, created))


@app.command()
def run(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="YAML or JSON; ids in it are local to it.")],
    module: Annotated[Path | None, typer.Option(help="The module of tasks that name none.")] = None,
    detach: Annotated[bool, typer.Option(help="Start it and return at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a workflow from a file, start it, and show how it goes until it ends."""
    session = session_of(ctx, as_json=as_json)
    plan = read_run_file(file, module)
    created = session.client.create_workflow(plan.tasks, name=plan.name)["tasks"]
    live.run(session, live.Kind.WORKFLOW, created[0]["workflow_id"], plan, detach=detach)


@app.command("list")
def list_(ctx: typer.Context, offset: Offset = 0, limit: Limit = 10, as_json: AsJson = False) -> None:
    """List workflows, the newest first."""
    session = session_of(ctx, as_json=as_json)
    page = session.client.workflows(offset=offset, limit=limit)
    session.show(page, lambda answer: views.groups_table(session, "workflow", answer["workflows"]))


@app.command()
def view(ctx: typer.Context, workflow_id: WorkflowId, as_json: AsJson = False) -> None:
    """Show a workflow as a tree of its tasks."""
    session = session_of(ctx, as_json=as_json)
    workflow = session.client.workflow(workflow_id)
    session.show(
        workflow, lambda answer: live.tree(session, answer["tasks"], title=f"workflow {workflow_id}")
    )


@app.command()
def start(ctx: typer.Context, workflow_id: WorkflowId, as_json: AsJson = False) -> None:
    """Start all tasks that wait for nothing."""
    session = session_of(ctx, as_json=as_json)
    session.show_done(session.client.start_workflow(workflow_id))


@app.command()
def stop(ctx: typer.Context, workflow_id: WorkflowId, as_json: AsJson = False) -> None:
    """Stop all tasks that have not ended."""
    session = session_of(ctx, as_json=as_json)
    session.show_done(session.client.stop_workflow(workflow_id))


@app.command()
def delete(ctx: typer.Context, workflow_id: WorkflowId) -> None:
    """Delete a workflow with its tasks."""
    session = session_of(ctx)
    session.client.delete_workflow(workflow_id)
    session.show_done()
