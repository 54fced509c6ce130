"""``propeller db``: checks the store, backs it up, and restores a backup."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from propeller.cli import formatting
from propeller.cli.commands import command, new_app
from propeller.cli.session import Session
from propeller.config.programs import data_home
from propeller.store.sqlite import backups

app = new_app(help="Check, copy or replace the store of a manager.", no_args_is_help=True)

DataDir = Annotated[
    Path | None, typer.Option(help="The manager's data directory [default: ~/.local/share/propeller].")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def _place(data_dir: Path | None) -> Path:
    return (data_dir or data_home(os.environ)).absolute()


def _holds(held: backups.Held) -> str:
    return (
        f"{held.path}: {held.tasks} tasks, {held.groups} workflows and jobs, {held.last_event_id} changes of "
        f"tasks; {formatting.size(held.bytes)}"
    )


@command(app, is_client=False)
def check(session: Session, data_dir: DataDir = None, as_json: JsonFlag = False) -> None:
    """Check everything that a store holds.

    Its manager may run meanwhile. The exit code is 1 if the store is damaged.
    """
    found = backups.check(_place(data_dir))
    if as_json or session.as_json:
        session.show_json(msgspec.to_builtins(found))
    elif found.damage:
        print(f"{found.path} {found.damage}")
    elif found.held is not None:
        print(f"sound: {_holds(found.held)}")
    else:
        print(f"sound: {found.path} is empty")
    if found.damage:
        raise typer.Exit(1)


@command(app, is_client=False)
def backup(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the copy.")],
    data_dir: DataDir = None,
    as_json: JsonFlag = False,
) -> None:
    """Copy a store, as it is at one moment, into one file.

    Its manager may run meanwhile.
    """
    held = backups.back_up(_place(data_dir), file.absolute())
    if as_json or session.as_json:
        session.show_json(msgspec.to_builtins(held))
    else:
        print(f"written: {_holds(held)}")


@command(app, is_client=False)
def restore(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy, as propeller db backup writes it.")],
    data_dir: DataDir = None,
    as_json: JsonFlag = False,
) -> None:
    """Replace the store of a stopped manager with a copy.

    The old store is kept beside it. Proplets may go on: the manager accepts results of attempts that the copy
    knows, and repeats the rest.
    """
    done = backups.restore(_place(data_dir), file.absolute())
    if as_json or session.as_json:
        session.show_json(msgspec.to_builtins(done))
        return
    print(f"restored: {_holds(done.held)}")
    if done.before:
        print(f"what was there before is in {done.before}")
