"""``propeller run``: runs one module and prints its result."""

import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from propeller.cli import formatting, options, sandbox
from propeller.cli.commands import command, new_app
from propeller.cli.heeding import NotHeeded, check_heeded
from propeller.cli.logs import print_piece
from propeller.cli.modules import create_task, default_export, read_module
from propeller.cli.session import Session, show_error
from propeller.client.errors import ApiError, NoSuchRoute, Unreachable
from propeller.core.states import COMPLETED
from propeller.errors import PropellerError

app = new_app()

#: Shells use larger ones themselves: for commands that they can't run, and for signals.
_CODE_MAX = 125


FLAGS: dict[str, Any] = {
    "timeout": sandbox.TimeoutFlag,
    "retry": options.RetryFlag,
    "deadline": options.DeadlineFlag,
    "queue_timeout": options.QueueTimeoutFlag,
    "signature": options.SignatureFlag,
}
_READERS: dict[str, Callable[[Any, str], Any]] = {
    "retry": options.retry_of,
    "signature": options.signature_of,
}


@command(app, fields=FLAGS)
def run(
    session: Session,
    fields: dict[str, Any],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .wasm or .wat file.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Parameters, or arguments of a program; put those that look like flags after --."
        ),
    ] = None,
    name: Annotated[
        str, typer.Option(help="The exported function [default: _start, main or the only one].")
    ] = "",
    env: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="One variable; may be repeated.")
    ] = None,
    arg: Annotated[
        list[str] | None, typer.Option(help="One argument before the inputs; may be repeated.")
    ] = None,
    stdin: options.StdinFlag = None,
    limit: sandbox.LimitFlag = None,
    directory: sandbox.DirFlag = None,
    http: sandbox.HttpFlag = None,
    listen: sandbox.ListenFlag = False,
    seed: sandbox.SeedFlag = None,
) -> None:
    """Run a module and print its result.

    The exit code is that of a program that ends with one from 1 to 125, and 1 if it fails in another way.
    Ctrl-C and SIGTERM stop it; then the exit code is 130.
    """
    data = read_module(file)
    for flag in _READERS.keys() & fields.keys():
        fields[flag] = _READERS[flag](fields[flag], f"--{flag}")
    fields |= {
        "name": name or default_export(data, str(file)),
        "inputs": [options.number_or_text(text) for text in inputs or []],
        "env": dict(options.pair(text, "--env") for text in env or []),
        "cli_args": arg or [],
        "limits": sandbox.limits_of(limit or []),
        "grants": sandbox.grants_of(directory, http, listen=listen, seed=seed),
    }
    if stdin is not None:
        fields |= options.stdin_of(stdin)
    given = {key: value for key, value in fields.items() if value}
    created = create_task(session.client, given, data)
    task_id = created["id"]
    with _deleted_if_refused(session, task_id):
        check_heeded(given, created, "it is not started")
    # Ctrl-C ends the task as well as this program, and so does the signal of a service manager.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        task = _start_and_wait(session, task_id)
    except KeyboardInterrupt:
        with contextlib.suppress(Exception):
            session.client.stop_task(task_id)
        show_error(f"task {task_id} was stopped")
        raise typer.Exit(130) from None
    _show_logs(session, task_id)
    if session.as_json:
        session.show_json(task)
    elif task["state"] == COMPLETED:
        session.show_result(task)
    else:
        why = task.get("error") or task.get("reason") or ""
        show_error(f"task {task_id}: {formatting.state_name(task['state'])}: {formatting.plain(why)}")
    if task["state"] != COMPLETED:
        raise typer.Exit(_exit_code(task))


@contextlib.contextmanager
def _deleted_if_refused(session: Session, task_id: str) -> Iterator[None]:
    """Delete the task of this command if what follows refuses it: nobody else knows of it."""
    try:
        yield
    except (ApiError, NotHeeded):
        with contextlib.suppress(PropellerError):
            session.client.delete_task(task_id)
        raise


def _exit_code(task: Mapping[str, Any]) -> int:
    """Give the exit code of the guest, unless it would mean something else to a shell."""
    code: int = task.get("exit_code", 0)
    return code if 1 <= code <= _CODE_MAX else 1


def _start_and_wait(session: Session, task_id: str) -> Any:
    client = session.client
    is_started = False
    for event in client.follow(task_id=task_id):
        if event is None and not is_started:
            with _deleted_if_refused(session, task_id):
                client.start_task(task_id)
            is_started = True
        elif event is None or formatting.has_ended(event["state"]):
            with contextlib.suppress(Unreachable):  # the stream breaks too then, and comes back or gives up
                task = client.task(task_id)
                if formatting.has_ended(task["state"]):
                    return task
        elif event.get("up"):
            session.remark(f"{formatting.plain(str(event.get('results') or 'it is up'))}; Ctrl-C stops it")
        elif event.get("reason"):
            session.remark(formatting.plain(event["reason"]))
    raise AssertionError("the stream of events never ends")


def _show_logs(session: Session, task_id: str) -> None:
    """Print what the guest of a task wrote besides its result, if the manager has logs."""
    if session.as_json:
        return
    with contextlib.suppress(NoSuchRoute):
        for piece in session.client.task_logs(task_id, limit=1000)["logs"]:
            print_piece(session, piece)
