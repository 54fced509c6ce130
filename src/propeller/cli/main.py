"""The program: all commands, and the exit codes of failures.

A command's module is loaded when the command is called, so that each starts without what the others need.
"""

import importlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from propeller import __version__
from propeller.cli import completion
from propeller.cli.commands import ANYWHERE, new_app, with_flags
from propeller.cli.session import Session, is_json_asked_for, show_error
from propeller.client.errors import ApiError, Unreachable
from propeller.errors import PropellerError

#: Of all that is wrong in how a command is called.
_WRONG_USE: Any = typer.BadParameter.__mro__[1]

#: The commands in the order of the help, and the modules that they are in.
_MODULES = {
    "up": "up",
    "manager": "programs",
    "proplet": "programs",
    "proxy": "programs",
    "run": "run",
    "inspect": "inspect",
    "sign": "signing",
    "verify": "signing",
    "keys": "signing",
    "demo": "demo",
    "top": "top.command",
    "completion": "completion",
    "health": "health",
    "status": "status",
    "provision": "provision",
    "login": "signing_in",
    "logout": "signing_in",
    "context": "signing_in",
    "tokens": "tokens",
    "db": "db",
    "tasks": "tasks",
    "workflows": "workflows",
    "jobs": "jobs",
    "proplets": "proplets",
    "secrets": "secrets",
}


class _Commands(Mapping[str, Any]):
    """All commands by name; each is made when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        module = importlib.import_module(f"propeller.cli.{_MODULES[name]}")
        made = typer.main.get_command(module.APPS[name] if hasattr(module, "APPS") else module.app)
        made.name = name
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


class _Program(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names, without a look at the commands."""
        return list(self.commands)


app = new_app(
    name="propeller",
    cls=_Program,
    help="Run WebAssembly tasks, workflows and jobs. The flags below may also stand after a command.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"propeller {__version__}")
        raise typer.Exit


def _before_all(
    session: Session,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Do no more than take in the flags."""


app.callback()(with_flags(_before_all, ANYWHERE))


def main() -> None:
    """Run a command; the exit code is 1 for a failure, 2 for a wrong use and 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # results may have characters that the locale lacks
    completion.prepare()
    try:
        code = _run()
    finally:
        _write_out()
    if code:
        sys.exit(code)


def _run() -> int:
    """Run a command and return the exit code."""
    try:
        # Typer prints a wrong use itself, but not as JSON.
        return int(app(prog_name="propeller", standalone_mode=not is_json_asked_for()) or 0)
    except _WRONG_USE as error:
        show_error(error.format_message())
        return 2
    except typer.Abort:
        show_error("nothing was done")
    except Unreachable as error:
        show_error(f"{error}\nis it running? start one with: propeller up")
    except ApiError as error:
        way_out = "\nsign in with: propeller login, or set PROPELLER_TOKEN" if error.status == 401 else ""
        show_error(f"{error}{way_out}")
    except PropellerError as error:
        show_error(str(error))
    return 1


def _write_out() -> None:
    """Write out what is buffered; end with exit code 1 if that fails.

    If nobody reads the output any more, there is no message about that, not even from the interpreter.
    """
    is_lost = False
    # The original streams: Typer replaces a stream whose reader has left.
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        try:
            stream.flush()
        except OSError as error:
            is_lost = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if not isinstance(error, BrokenPipeError):
                show_error(f"the output could not be written: {error.strerror}")
    if is_lost:
        sys.exit(1)
