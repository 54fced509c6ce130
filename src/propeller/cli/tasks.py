"""``propeller tasks``: single tasks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from propeller.cli import options, views
from propeller.cli.modules import read_module
from propeller.cli.options import AsJson, Limit, Offset
from propeller.cli.session import session_of

app = typer.Typer(help="Create, start, stop and look at tasks.", no_args_is_help=True)

Text = Annotated[str | None, typer.Option()]
Flag = Annotated[bool | None, typer.Option()]
Pairs = Annotated[list[str] | None, typer.Option(metavar="K=V")]
TaskId = Annotated[str, typer.Argument(metavar="ID")]


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Turn a command's flags into fields of a task: those that were given, under the wire's names."""
    fields = {
        **values,
        "cli_args": options.split(values["cli_args"]),
        "inputs": options.inputs(values["inputs"]),
        "env": options.pairs(values["env"], "--env"),
        "metadata": options.pairs(values["metadata"], "--metadata"),
    }
    return {name: value for name, value in fields.items() if value is not None}


@app.command()
def create(
    ctx: typer.Context,
    name: str,
    image_url: Text = None,
    cli_args: Text = None,
    inputs: Text = None,
    env: Pairs = None,
    daemon: Flag = None,
    latent: Flag = None,
    encrypted: Flag = None,
    kbs_resource_path: Text = None,
    proplet_id: Text = None,
    broadcast: Flag = None,
    priority: Annotated[int | None, typer.Option()] = None,
    mode: Text = None,
    kind: Text = None,
    schedule: Text = None,
    timezone: Text = None,
    is_recurring: Flag = None,
    metadata: Pairs = None,
    as_json: AsJson = False,
) -> None:
    """Create a task; NAME is the exported function that it runs."""
    values = {key: value for key, value in locals().items() if key not in ("ctx", "as_json")}
    session = session_of(ctx, as_json=as_json)
    task = session.client.create_task(_given(values))
    session.show(task, lambda answer: views.task_lines(session, answer))


@app.command()
def update(
    ctx: typer.Context,
    task_id: TaskId,
    name: Text = None,
    image_url: Text = None,
    cli_args: Text = None,
    inputs: Text = None,
    env: Pairs = None,
    daemon: Flag = None,
    latent: Flag = None,
    encrypted: Flag = None,
    kbs_resource_path: Text = None,
    proplet_id: Text = None,
    broadcast: Flag = None,
    priority: Annotated[int | None, typer.Option()] = None,
    mode: Text = None,
    kind: Text = None,
    schedule: Text = None,
    timezone: Text = None,
    is_recurring: Flag = None,
    metadata: Pairs = None,
    as_json: AsJson = False,
) -> None:
    """Change the fields that are given, and no others."""
    values = {key: value for key, value in locals().items() if key not in ("ctx", "as_json", "task_id")}
    session = session_of(ctx, as_json=as_json)
    task = session.client.update_task(task_id, _given(values))
    session.show(task, lambda answer: views.task_lines(session, answer))


@app.command("list")
def list_(
    ctx: typer.Context,
    metadata: Pairs = None,
    offset: Offset = 0,
    limit: Limit = 10,
    as_json: AsJson = False,
) -> None:
    """List tasks in the order of their creation."""
    session = session_of(ctx, as_json=as_json)
    wanted = options.pairs(metadata, "--metadata")
    page = session.client.tasks(offset=offset, limit=limit, metadata=wanted)
    session.show(page, lambda answer: views.tasks_table(session, answer["tasks"]))


@app.command()
def view(ctx: typer.Context, task_id: TaskId, as_json: AsJson = False) -> None:
    """Show one task."""
    session = session_of(ctx, as_json=as_json)
    session.show(session.client.task(task_id), lambda answer: views.task_lines(session, answer))


@app.command()
def upload(ctx: typer.Context, task_id: TaskId, file: Path, as_json: AsJson = False) -> None:
    """Give a task its module, a .wasm or .wat file."""
    session = session_of(ctx, as_json=as_json)
    task = session.client.upload_task_file(task_id, file.with_suffix(".wasm").name, read_module(file))
    session.show(task, lambda answer: views.task_lines(session, answer))


@app.command()
def start(ctx: typer.Context, task_id: TaskId, as_json: AsJson = False) -> None:
    """Start a task, or start it again after its end."""
    session = session_of(ctx, as_json=as_json)
    session.show_done(session.client.start_task(task_id))


@app.command()
def stop(ctx: typer.Context, task_id: TaskId, as_json: AsJson = False) -> None:
    """Stop a task; it is Interrupted then."""
    session = session_of(ctx, as_json=as_json)
    session.show_done(session.client.stop_task(task_id))


@app.command()
def delete(ctx: typer.Context, task_id: TaskId) -> None:
    """Delete a task, and stop it if it runs."""
    session = session_of(ctx)
    session.client.delete_task(task_id)
    session.show_done()


@app.command()
def results(ctx: typer.Context, task_id: TaskId, as_json: AsJson = False) -> None:
    """Print a task's result."""
    session = session_of(ctx, as_json=as_json)
    answer = session.client.task_results(task_id)
    if as_json:
        session.show_json(answer)
        return
    result = answer["results"]
    if result is None:
        session.remark(f"task {task_id} has no result yet; look with: propeller tasks view {task_id}")
        raise typer.Exit(1)
    if isinstance(result, str):
        print(result, end="")
    else:
        session.show_json(result)


@app.command()
def invoke(
    ctx: typer.Context,
    task_id: TaskId,
    inputs: Annotated[list[str] | None, typer.Argument()] = None,
    env: Pairs = None,
) -> None:
    """Run a latent task once and print its result as JSON."""
    session = session_of(ctx)
    given = [options.number_or_text(text) for text in inputs or []]
    session.show_json(session.client.invoke_task(task_id, given, options.pairs(env, "--env"))["results"])


@app.command()
def metrics(ctx: typer.Context, task_id: TaskId, offset: Offset = 0, limit: Limit = 10) -> None:
    """Print what a task used."""
    session = session_of(ctx)
    session.show_json(session.client.task_metrics(task_id, offset=offset, limit=limit))
