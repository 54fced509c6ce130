"""``propeller db``: checks the store, backs it up, restores a backup, and copies a store to another place."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import msgspec
import typer

from propeller.cli import formatting
from propeller.cli.commands import command, new_app
from propeller.cli.places import database_of, place_of
from propeller.cli.session import Session
from propeller.config.programs import data_home
from propeller.errors import Invalid
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.sqlite import backups
from propeller.store.sqlite.backups import Checked, Held, Restored

app = new_app(help="Check, copy or replace the store of a manager.", no_args_is_help=True)

DataDir = Annotated[
    Path | None, typer.Option(help="The manager's data directory [default: ~/.local/share/propeller].")
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The manager's database in PostgreSQL, in place of a directory: "
        "postgresql://user@host:port/name. Its password comes from MANAGER_POSTGRES_PASS or PGPASSWORD, or "
        "is asked for.",
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def _place(data_dir: Path | None, database: str | None) -> Path | PostgresSettings:
    if database is None:
        return (data_dir or data_home(os.environ)).absolute()
    if data_dir is not None:
        raise Invalid("--data-dir and --database: a store is in one of both; leave one out")
    return database_of(database)


@contextlib.contextmanager
def _whole_or_undone() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM break off what is under way where it is, and undo it: nothing half-done stays.

    Else Ctrl-C would wait for the end of what waits for nothing, and SIGTERM would leave drafts behind.
    """

    def end(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _file(path: Path) -> Path:
    """Give a file of a backup by its full path; raise ``Invalid`` for what stands for a stream."""
    if str(path) == "-":
        raise Invalid(
            "-: a backup is written and read as a file; name one, or write ./- for one of this name"
        )
    return path.absolute()


def _holds(held: Held) -> str:
    return (
        f"{held.path}: {held.tasks} tasks, {held.groups} workflows and jobs, {held.last_event_id} changes of "
        f"tasks; {formatting.size(held.bytes)}"
    )


@command(app, is_client=False)
def check(
    session: Session, data_dir: DataDir = None, database: Database = None, as_json: JsonFlag = False
) -> None:
    """Check everything that a store holds.

    Its manager may run meanwhile. The exit code is 1 if the store is damaged.
    """
    with _whole_or_undone():
        found = _check(_place(data_dir, database))
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
    database: Database = None,
    as_json: JsonFlag = False,
) -> None:
    """Copy a store, as it is at one moment, into one file.

    Its manager may run meanwhile. The file is the same from SQLite and from PostgreSQL, and can be restored
    to both.
    """
    with _whole_or_undone():
        held = _back_up(_place(data_dir, database), _file(file))
    if as_json or session.as_json:
        session.show_json(msgspec.to_builtins(held))
    else:
        print(f"written: {_holds(held)}")


@command(app, is_client=False)
def restore(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy, as propeller db backup writes it.")],
    data_dir: DataDir = None,
    database: Database = None,
    as_json: JsonFlag = False,
) -> None:
    """Replace the store of a stopped manager with a copy.

    The old store is kept beside it, and that of PostgreSQL beside FILE, as a backup. Proplets may go on: the
    manager accepts results of attempts that the copy knows, and repeats the rest.
    """
    with _whole_or_undone():
        done = _restore(_place(data_dir, database), _file(file))
    if as_json or session.as_json:
        session.show_json(msgspec.to_builtins(done))
        return
    print(f"restored: {_holds(done.held)}")
    if done.before:
        print(f"what was there before is in {done.before}")


@command(app, is_client=False)
def copy(
    session: Session,
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="A data directory, or postgresql://user@host:port/name.")
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="An empty place for the copy, written alike.")],
    as_json: JsonFlag = False,
) -> None:
    """Copy the store of a stopped manager to another place, as from SQLite to PostgreSQL or back.

    Each row is read back and compared. The copy is there whole or not at all, and FROM stays as it is.
    """
    from propeller.store import moving  # noqa: PLC0415  the other database is loaded only where it is used

    with _whole_or_undone():
        done = asyncio.run(moving.copy(place_of(source), place_of(target)))
    if as_json or session.as_json:
        session.show_json(msgspec.to_builtins(done))
        return
    counts = ", ".join(f"{count} {name}" for name, count in done.rows.items() if count)
    print(f"copied: {done.source} to {done.target}: {counts or 'nothing, as it is empty'}")


def _check(place: Path | PostgresSettings) -> Checked:
    if isinstance(place, Path):
        return backups.check(place)
    from propeller.store import moving  # noqa: PLC0415

    return asyncio.run(moving.check(place))


def _back_up(place: Path | PostgresSettings, file: Path) -> Held:
    if isinstance(place, Path):
        return backups.back_up(place, file)
    from propeller.store import moving  # noqa: PLC0415

    return asyncio.run(moving.back_up(place, file))


def _restore(place: Path | PostgresSettings, file: Path) -> Restored:
    if isinstance(place, Path):
        return backups.restore(place, file)
    from propeller.store import moving  # noqa: PLC0415

    return asyncio.run(moving.restore(place, file))
