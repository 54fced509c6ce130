"""The program: its groups of commands, the flags before them, and how failures end it."""

import os
import sys
from typing import Annotated

import typer

from propeller import __version__
from propeller.cli import demo, jobs, proplets, run, tasks, up, workflows
from propeller.cli.session import Session, session_of, show_error
from propeller.cli.views import plain_lines
from propeller.errors import PropellerError

app = typer.Typer(
    name="propeller",
    help="Run WebAssembly tasks, workflows and jobs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("run")(run.run)
app.command("demo")(demo.demo)
app.add_typer(tasks.app, name="tasks")
app.add_typer(workflows.app, name="workflows")
app.add_typer(jobs.app, name="jobs")
app.add_typer(proplets.app, name="proplets")


def _version(is_asked: bool) -> None:
    if is_asked:
        print(f"propeller {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    manager_url: Annotated[
        str,
        typer.Option("--manager-url", "-m", envvar="PROPELLER_MANAGER_URL", help="The manager's address."),
    ] = "http://localhost:7070",
    tls_verification: Annotated[
        bool, typer.Option("--tls-verification", "-v", help="Check the manager's certificate.")
    ] = False,
    atom_url: Annotated[
        str, typer.Option("--atom-url", "-a", help="The identity service's address; not used yet.")
    ] = "http://localhost:8080",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del atom_url, version
    ctx.obj = Session(manager_url=manager_url, tls_verification=tls_verification)


@app.command()
def health(ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Ask the manager how it is."""
    session = session_of(ctx, as_json=as_json)
    session.show(session.client.health(), lambda answer: plain_lines(session, answer))


def main() -> None:
    """Run a command; the exit code is 1 for a failure, 2 for a wrong use and 130 after Ctrl-C."""
    from propeller.client.errors import Unreachable  # noqa: PLC0415  loaded late: --help stays fast

    try:
        app()
    except Unreachable as error:
        show_error(f"{error}; is the manager running? start one with: propeller up")
    except PropellerError as error:
        show_error(str(error))
    except BrokenPipeError:
        # Who reads has seen enough; nothing is to be said about it, not even by the interpreter.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        return
    sys.exit(1)
