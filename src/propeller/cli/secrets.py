"""``propeller secrets``: values that tasks get and nobody is shown."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from propeller.cli import formatting
from propeller.cli.commands import command, group
from propeller.cli.session import Session
from propeller.errors import Invalid

app = group("Set and delete secrets, and see who used which.")

Name = Annotated[str, typer.Argument(metavar="NAME")]


@command(app, "set")
def set_(
    session: Session,
    name: Name,
    file: Annotated[
        Path | None, typer.Option(help="File with the value; without it, standard input.")
    ] = None,
) -> None:
    """Set a secret, by a value from standard input or a file; one line end behind it does not count."""
    session.show_done(session.client.set_secret(name, _value(file), namespace=session.namespace))


def _value(file: Path | None) -> str:
    """Read a value; people who type it do not see it."""
    try:
        if file is not None:
            text = file.read_text(encoding="utf-8")
        elif sys.stdin.isatty():
            text = typer.prompt("value", hide_input=True, err=True)
        else:
            text = sys.stdin.buffer.read().decode()
    except OSError as error:
        raise Invalid(f"--file: {file} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Invalid("the value is no text in UTF-8; write other bytes as base64") from error
    return text.removesuffix("\n").removesuffix("\r")


@command(app, "list")
def list_(session: Session) -> None:
    """List secrets, without their values."""
    session.show(session.client.secrets(namespace=session.namespace), lambda shown: _table(session, shown))


def _table(session: Session, shown: Any) -> Any:
    table = session.table("NAME", "NAMESPACE", "VERSION", "SET", "BY")
    for one in shown["secrets"]:
        table.add_row(
            formatting.plain(one["name"]),
            formatting.plain(one["namespace"]),
            str(one["version"]),
            formatting.clock(one["created_at"]),
            formatting.plain(one["created_by"]),
        )
    return table


@command(app)
def delete(session: Session, name: Name) -> None:
    """Erase a secret's value. Tasks that need it fail from now on; its history stays."""
    session.client.delete_secret(name, namespace=session.namespace)
    session.remark(f"secret {name} was deleted")


@command(app, pages=True)
def history(session: Session, name: Name) -> None:
    """Show the versions of a secret, and which tasks got which, the newest first."""
    shown = session.client.secret(
        name, namespace=session.namespace, offset=session.offset, limit=session.limit
    )
    session.show(shown, lambda found: _history(session, found))


def _history(session: Session, shown: Any) -> Any:
    from rich.console import Group  # noqa: PLC0415  loaded where needed: --help stays fast

    versions = session.table("VERSION", "SET", "BY", "DELETED")
    for one in shown["versions"]:
        set_at, deleted_at = formatting.clock(one["created_at"]), formatting.clock(one.get("deleted_at"))
        versions.add_row(str(one["version"]), set_at, formatting.plain(one["created_by"]), deleted_at)
    uses = session.table("USED", "VERSION", "TASK", "ATTEMPT", "PROPLET")
    for one in shown["uses"]:
        uses.add_row(
            formatting.clock(one["at"]),
            str(one["version"]),
            formatting.plain(one["task_id"]),
            str(one["attempt"]),
            formatting.plain(one["proplet_id"]),
        )
    return Group(versions, uses)


@command(app)
def rekey(session: Session) -> None:
    """Encrypt all secrets with a new key: one that the manager makes, or the first in its file."""
    session.show_done(session.client.rekey_secrets())
