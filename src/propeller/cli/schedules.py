"""``schedule``: when a task, workflow or job runs by itself, and a pause of that."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from propeller.cli import formatting
from propeller.cli.commands import command
from propeller.cli.completing import completer
from propeller.cli.naming import Kind, named
from propeller.cli.session import Session


def add(app: typer.Typer, kind: Kind) -> None:
    """Add the command to the group of a kind."""

    def schedule(
        session: Session,
        name: Annotated[str, typer.Argument(metavar="ID", autocompletion=completer(kind))],
        pause: Annotated[bool, typer.Option("--pause", help="Let no more times come.")] = False,
        resume: Annotated[bool, typer.Option("--resume", help="Let times come again.")] = False,
    ) -> None:
        if pause and resume:
            raise typer.BadParameter("use either --pause or --resume, not both")
        client = session.client
        act = client.pause_schedule if pause else client.resume_schedule if resume else client.schedule
        answer = named(session, kind, name, lambda id_: act(kind.plural, id_))
        session.show(answer, lambda shown: lines(session, shown))

    schedule.__doc__ = f"Show when a {kind.word} runs by itself, with the next ten times; or pause that."
    command(app)(schedule)


def lines(session: Session, shown: Any) -> RenderableType:
    options = ", ".join(f"{name}={value}" for name, value in shown["schedule_options"].items())
    return session.lines(
        [
            ("schedule", formatting.plain(shown["schedule"])),
            ("timezone", formatting.plain(shown["timezone"])),
            ("runs", "at each time" if shown["is_recurring"] else "once"),
            ("options", options),
            ("paused", "yes" if shown["paused"] else ""),
            ("error", formatting.plain(shown.get("error", ""))),
            ("last run", formatting.clock(shown["last_run"])),
            ("waiting", "\n".join(map(formatting.clock, shown["waiting"]))),
            ("copies", "\n".join(map(formatting.plain, shown["runs"]))),
            ("next", "\n".join(map(formatting.clock, shown["next"]))),
        ]
    )
