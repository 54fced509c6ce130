"""``propeller tasks``: single tasks."""

import contextlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from propeller.cli import bulk, choosing, formatting, history, options, sandbox, schedules, views
from propeller.cli import logs as log_lines
from propeller.cli.commands import command, group
from propeller.cli.completing import TaskId, flag
from propeller.cli.heeding import check_heeded, check_key
from propeller.cli.modules import create_task, read_module, update_task
from propeller.cli.naming import PROPLET, TASK, id_of, named, with_cursor
from propeller.cli.options import KeyFlag, PairsFlag
from propeller.cli.session import Session
from propeller.core.conditions import WORDS
from propeller.core.results import as_bytes, to_json
from propeller.errors import Invalid, NotFound

app = group("Create, start, stop and look at tasks.")


def _text(help_text: str) -> Any:
    return Annotated[str | None, typer.Option(help=help_text)]


def _switch(help_text: str) -> Any:
    return Annotated[bool | None, typer.Option(help=help_text)]


FIELDS: dict[str, Any] = {
    "image_url": _text("The image with the module, in place of an upload."),
    "cli_args": _text("Arguments before the inputs, separated by commas as in CSV."),
    "inputs": _text("Inputs, separated by commas as in CSV; a JSON number is sent as a number."),
    "stdin": options.StdinFlag,
    "env": PairsFlag,
    "daemon": _switch("Keep it running until it is stopped; start it anew when it crashes."),
    "latent": _switch("Keep it deployed, to be run by propeller tasks invoke."),
    "encrypted": _switch("Its image is encrypted."),
    "kbs_resource_path": _text("The path to the key of an encrypted image."),
    "proplet_id": flag(PROPLET, text="Run it on this proplet only."),
    "required_tags": _text("Tags that its proplet must have, separated by commas."),
    "broadcast": _switch("Run it on every proplet."),
    "run_if": Annotated[
        str | None,
        typer.Option(
            help=f"How its parents have to end: {', '.join(WORDS[1:])}, or an expression in CEL.",
            autocompletion=lambda incomplete: [word for word in WORDS[1:] if word.startswith(incomplete)],
        ),
    ],
    "priority": Annotated[int | None, typer.Option(help="0 to 100 [default: 50].")],
    "mode": _text("infer or train."),
    "kind": _text("standard or federated."),
    "schedule": options.ScheduleFlag,
    "timezone": options.TimezoneFlag,
    "is_recurring": options.RecurringFlag,
    "schedule_options": options.ScheduleOptionsFlag,
    "metadata": PairsFlag,
    "timeout": sandbox.TimeoutFlag,
    "retry": options.RetryFlag,
    "deadline": options.DeadlineFlag,
    "queue_timeout": options.QueueTimeoutFlag,
    "limits": sandbox.LimitsFlag,
    "grants": sandbox.GrantsFlag,
    "file": Annotated[Path | None, typer.Option(help="The module, a .wasm or .wat file.")],
    "signature": options.SignatureFlag,
}


def _ready(fields: dict[str, Any]) -> dict[str, Any]:
    """Turn the texts of flags into the values of the wire, but for the module."""
    reads: dict[str, Callable[[Any, str], Any]] = {
        "signature": options.signature_of,
        "cli_args": options.split,
        "inputs": options.inputs,
        "required_tags": options.split,
        "env": options.pairs,
        "metadata": options.pairs,
        "limits": lambda given, _: sandbox.limits_of(options.split(given, "--limits") or []),
        "grants": options.json_object,
        "retry": options.retry_of,
        "schedule_options": options.schedule_options_of,
    }
    stdin = options.stdin_of(fields["stdin"]) if "stdin" in fields else {}
    return stdin | {
        name: reads[name](value, f"--{name.replace('_', '-')}") if name in reads else value
        for name, value in fields.items()
        if name not in ("stdin", "file")
    }


def _with_id_of_proplet(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    """Put a proplet's id in place of what names one; what names none may be the id of one that will come."""
    if not given.get("proplet_id"):
        return given
    with contextlib.suppress(NotFound):
        return {**given, "proplet_id": id_of(session, PROPLET, given["proplet_id"])}
    return given


@command(app, fields=FIELDS)
def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The exported function to run.")],
    fields: dict[str, Any],
    idempotency_key: KeyFlag = None,
) -> None:
    """Create a task."""
    check_key(session.client, idempotency_key)
    given = _with_id_of_proplet(session, {"name": name, **_ready(fields)})
    module = read_module(fields["file"]) if "file" in fields else None
    task = create_task(session.client, given, module, key=idempotency_key)
    session.show(task, lambda answer: views.task_lines(session, answer))
    check_heeded(given, task, "it was created without")


@command(app, fields={"name": _text("The exported function to run."), **FIELDS})
def update(session: Session, task_id: TaskId, fields: dict[str, Any]) -> None:
    """Change a task: the fields that are given, and no others.

    A field can also be set to false or to nothing.
    """
    given = _with_id_of_proplet(session, _ready(fields))
    module = read_module(fields["file"]) if "file" in fields else None
    task = named(session, TASK, task_id, lambda id_: update_task(session.client, id_, given, module))
    session.show(task, lambda answer: views.task_lines(session, answer))
    check_heeded(given, task, "create a task anew with it")


_CHOICES = {**choosing.TASK_FILTERS, **choosing.SEARCHES, "metadata": PairsFlag}


@command(app, "list", pages=True, fields=_CHOICES)
def list_(session: Session, fields: dict[str, Any], everything: choosing.AllFlag = False) -> None:
    """List tasks, the newest first."""
    wanted = options.pairs(fields.pop("metadata", None), "--metadata")
    only = choosing.query(session, fields)

    if session.offset and choosing.SEARCHES.keys() & fields.keys():
        raise typer.BadParameter("--offset: a search has none; leave it out, and give --limit")

    def fetch(offset: int, limit: int, cursor: str) -> Any:
        chosen = with_cursor({"order": "newest", **only}, cursor)
        return session.client.tasks(offset=offset, limit=limit, metadata=wanted, only=chosen)

    page = choosing.page(session, TASK, only, is_all=everything, fetch=fetch)
    session.show_page(page, "tasks", lambda tasks: views.tasks_table(session, tasks))
    times = [formatting.when(task["created_at"]) for task in page["tasks"]]
    first, last = (times[0], times[-1]) if times else (None, None)
    if first and last and first < last and not session.as_json:
        session.remark("the manager lists the oldest first: it knows no other order")


@command(app)
def view(session: Session, task_id: TaskId) -> None:
    """Show one task."""
    task = named(session, TASK, task_id, session.client.task)
    session.show(task, lambda answer: views.task_lines(session, answer))


@command(app)
def upload(session: Session, task_id: TaskId, file: Path, signature: options.SignatureFlag = None) -> None:
    """Give a task its module, a .wasm or .wat file."""
    signed = options.signature_of(signature, "--signature") if signature else ""
    name = file.with_suffix(".wasm").name if file.suffix == ".wat" else file.name
    module = read_module(file)
    act = partial(session.client.upload_task_file, file_name=name, module=module, signed=signed)
    task = named(session, TASK, task_id, act)
    session.show(task, lambda answer: views.task_lines(session, answer))


@command(app)
def start(session: Session, task_id: TaskId, idempotency_key: KeyFlag = None) -> None:
    """Start a task, or start it again after its end."""
    check_key(session.client, idempotency_key)
    act = partial(session.client.start_task, key=idempotency_key)
    session.show_done(named(session, TASK, task_id, act))


bulk.add(
    app,
    choosing.TASK_FILTERS,
    bulk.Deed("stop", "stopped", TASK, lambda client, id_: client.stop_task(id_), is_for_ended=False),
    "Stop tasks, which become Interrupted; with flags, those of them that have not ended.",
)
bulk.add(
    app,
    choosing.TASK_FILTERS,
    bulk.Deed("delete", "deleted", TASK, lambda client, id_: client.delete_task(id_), is_for_ended=True),
    "Delete tasks, and stop those that run.",
)


@command(app)
def results(
    session: Session,
    task_id: TaskId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it into this file.")
    ] = None,
) -> None:
    """Print a task's result, as it is."""
    answer = named(session, TASK, task_id, session.client.task_results)
    if session.as_json and output is None:
        session.show_json(answer)
    elif answer["results"] is None:
        session.remark(f"task {task_id} has no result; look with: propeller tasks view {task_id}")
        raise typer.Exit(1)
    elif output is not None:
        _write(output, formatting.content(answer))
    else:
        session.show_result(answer)


def _write(path: Path, results: Any) -> None:
    data = as_bytes(results)
    if not isinstance(data, bytes):
        data = json.dumps(to_json(data)[0], ensure_ascii=False).encode()
    try:
        path.write_bytes(data)
    except OSError as error:
        raise Invalid(f"{path}: can't be written: {error.strerror}") from error


@command(app)
def invoke(
    session: Session,
    task_id: TaskId,
    inputs: Annotated[list[str] | None, typer.Argument()] = None,
    env: PairsFlag = None,
    timeout: Annotated[str, typer.Option(help="How long it may take [default: 30s].")] = "",
) -> None:
    """Run a latent task once and print its result."""
    given = [options.number_or_text(text) for text in inputs or []]
    variables = options.pairs(env, "--env")

    def invoke_one(id_: str) -> Any:
        return session.client.invoke_task(id_, given, variables, timeout=timeout)

    answer = named(session, TASK, task_id, invoke_one)
    if answer.get("results_encoding") and not session.as_json:
        session.show_result(answer)
    else:
        session.show_json(answer if session.as_json else answer["results"])


@command(app, pages=True)
def invocations(session: Session, task_id: TaskId) -> None:
    """Show the invocations of a task, the newest first."""
    page = _part(session, task_id, session.client.task_invocations)
    session.show_page(page, "invocations", lambda rows: views.invocations_table(session, rows))


@command(app, pages=True)
def metrics(session: Session, task_id: TaskId) -> None:
    """Show the resources that a task used."""
    page = _part(session, task_id, session.client.task_metrics)
    session.show_page(page, "metrics", lambda rows: views.task_metrics_table(session, rows))


def _part(session: Session, task_id: str, read: Callable[..., Any]) -> Any:
    return named(session, TASK, task_id, lambda id_: read(id_, offset=session.offset, limit=session.limit))


@command(app)
def logs(
    session: Session,
    task_id: TaskId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has ended.")] = False,
    stream: Annotated[str, typer.Option(metavar="stdout|stderr", help="Only this stream.")] = "",
    attempt: Annotated[
        str,
        typer.Option(metavar="N|all", help="This attempt, in place of the last one that wrote something."),
    ] = "",
    tail: Annotated[int | None, typer.Option(min=0, help="Only this many lines from the end.")] = None,
) -> None:
    """Print the logs of a task.

    Its standard output goes to standard output, and its standard error to standard error.
    """
    show = log_lines.follow if follow else log_lines.show
    named(
        session,
        TASK,
        task_id,
        lambda id_: show(session, id_, stream=stream, attempt=attempt, tail=tail),
    )


schedules.add(app, TASK)


@command(app)
def provenance(
    session: Session,
    task_id: TaskId,
    attempt: Annotated[int | None, typer.Option(min=1, help="The attempt [default: the last].")] = None,
    proplet: Annotated[str | None, typer.Option(help="The proplet, of a task that ran on several.")] = None,
) -> None:
    """Print where the result of a task comes from, as an in-toto statement with SLSA provenance."""
    where = id_of(session, PROPLET, proplet) if proplet else None
    ask = partial(session.client.task_provenance, attempt=attempt, proplet_id=where)
    session.show_json(named(session, TASK, task_id, ask))


@command(app)
def attempts(session: Session, task_id: TaskId) -> None:
    """Show all attempts of a task: where each ran, and how it ended."""
    answer = named(session, TASK, task_id, session.client.task_attempts)
    session.show(answer, lambda shown: views.executions_table(session, shown["attempts"]))


@command(app)
def executions(session: Session, task_id: TaskId) -> None:
    """Show on which proplets a task ran, and how it ended there."""
    answer = named(session, TASK, task_id, session.client.task_executions)
    session.show(answer, lambda shown: views.executions_table(session, shown["executions"]))


history.add(app, TASK)
