"""The command line that has a program run a guest, in the manner of the ``wasmtime`` command.

Values of a task's variables may be secrets, and everybody on a machine may read command lines. So a variable
is named there, and its value is taken from the program's own environment; save where the program or its
loader would take the value for themselves.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from propeller.errors import Invalid
from propeller.runtime.outline import Kind, Outline
from propeller.runtime.run import Run
from propeller.runtime.values import shown

#: What the program needs of the proplet's environment.
_NEEDED = ("PATH", "HOME")
#: Beginnings of names that mean something to a program's loader, its libraries or itself.
_OF_THE_PROGRAM = tuple(
    "LD_ DYLD_ GLIBC_ GCONV_PATH LOCPATH LANG LC_ MALLOC_ RUST WASMTIME XDG_ TMPDIR PYTHON".split()
)


class Command(NamedTuple):
    argv: list[str]
    env: dict[str, str]


def command_of(program: str, run: Run, outline: Outline, file: Path, *, port: int = 0) -> Command:
    """Put a run's command line together.

    Args:
        program: Path of the runtime.
        run: What to run.
        outline: Of its module.
        file: The module.
        port: For a server that names no address.

    Raises:
        Invalid: There is a NUL character in it.

    """
    for text in (run.export, *run.cli_args, *run.inputs, *run.env, *run.env.values()):
        if "\0" in text:
            raise Invalid(f"an argument or a variable has a NUL character in it: {shown(text)}")
    environment, options = _environment(run.env)
    if outline.kind is Kind.SERVER:
        address = [] if _names_address(run.cli_args) else ["--addr", f"0.0.0.0:{port}"]
        argv = [program, "serve", "-Shttp", *address, *run.cli_args, *options, str(file)]
    else:
        export, inputs = _invocation(run, outline)
        argv = [program, "run", *export, *run.cli_args, *options, str(file), *inputs]
    return Command(argv, environment)


def port_asked_for(cli_args: list[str]) -> tuple[int, list[str]]:
    """Find ``--port N``, which the program does not know, and give the other arguments; 0 for none.

    Raises:
        Invalid: It is no port.

    """
    for number, word in enumerate(cli_args):
        name, equals, text = word.partition("=")
        if name != "--port":
            continue
        after = number + (1 if equals else 2)
        text = text if equals else "".join(cli_args[number + 1 : after])
        if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
            raise Invalid(f"cli_args: --port {shown(text)} is no port; give one from 1 to 65535")
        return int(text), cli_args[:number] + cli_args[after:]
    return 0, cli_args


def _names_address(cli_args: list[str]) -> bool:
    return any(word.partition("=")[0] == "--addr" for word in cli_args)


def _invocation(run: Run, outline: Outline) -> tuple[list[str], list[str]]:
    """Give the options that name a function, and what follows the file."""
    is_program = run.export in ("", "_start") or run.export.startswith("fl-round-")
    if outline.kind is Kind.MODULE and run.export not in outline.exports:
        is_program |= outline.is_program
    if is_program or any(word.partition("=")[0] == "--invoke" for word in run.cli_args):
        return [], run.inputs
    if outline.kind is Kind.COMPONENT:
        return ["--invoke", f"{run.export}({', '.join(run.inputs)})"], []
    return ["--invoke", run.export], run.inputs


def _environment(env: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Give the program's environment, and the options that hand variables on to the guest."""
    environment = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    options: list[str] = []
    for name, value in env.items():
        if name in _NEEDED or name.startswith(_OF_THE_PROGRAM):
            options += ["--env", f"{name}={value}"]
        else:
            environment[name] = value
            options += ["--env", name]
    return environment, options
