"""``propeller completion``: how a shell completes commands and flags."""

import os
from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import (  # type: ignore[attr-defined]  # it has them for its own flags
    completion_init,
    get_completion_script,
)
from typer.completion import install as install_script  # type: ignore[attr-defined]

from propeller.cli.commands import new_app

app = new_app()

_PROGRAM = "propeller"
#: By this variable the shell asks the program for completions.
_ASKED = "_PROPELLER_COMPLETE"


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(help="For this shell.")],
    install: Annotated[
        bool, typer.Option("--install", help="Write it to where the shell looks, in place of printing it.")
    ] = False,
) -> None:
    """Print the script by which a shell completes commands and flags, or install it."""
    if install:
        _, path = install_script(shell=shell.value, prog_name=_PROGRAM, complete_var=_ASKED)
        print(f"installed in {path}; a new {shell.value} has it")
    else:
        print(get_completion_script(prog_name=_PROGRAM, complete_var=_ASKED, shell=shell.value))


def prepare() -> None:
    """Be ready to answer a shell, where one asks."""
    if _ASKED in os.environ:
        completion_init()
