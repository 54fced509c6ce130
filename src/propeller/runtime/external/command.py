"""The command line by which a program runs a guest, as that of the ``wasmtime`` command.

Values of a task's variables may be secrets, and every user of a machine can read command lines. So a command
line only names a variable, and the program takes its value from its own environment; except for variables
that mean something to the program or its loader.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from propeller.errors import Invalid
from propeller.runtime.guest_run import GuestRun, environment, means_program
from propeller.runtime.outline import Kind, Outline
from propeller.runtime.quoting import shown

#: Variables of the proplet's environment that the program needs.
_NEEDED = ("PATH", "HOME")
#: Prefixes of names that mean something to a program's loader, its libraries or itself.
_OF_THE_PROGRAM = tuple(
    "LD_ DYLD_ GLIBC_ GCONV_PATH LOCPATH LANG LC_ MALLOC_ RUST WASMTIME XDG_ TMPDIR PYTHON".split()
)
_PARENTS_BYTES_MAX = 127 * 1024


class Command(NamedTuple):
    argv: list[str]
    env: dict[str, str]
    #: The descriptors that it inherits besides its streams.
    descriptors: Sequence[int] = ()
    stdin: bytes | None = None


def command_of(program: str, run: GuestRun, outline: Outline, file: Path, address: str = "") -> Command:
    """Put a run's command line together.

    Args:
        program: Path of the runtime.
        run: The run.
        outline: The outline of its module.
        file: The file of its module.
        address: The address on which it serves, where its ``cli_args`` have no other; ``""`` for no server.

    Raises:
        Invalid: An argument or a variable has a NUL character in it.

    """
    for text in (run.export, *run.cli_args, *run.inputs, *run.env, *run.env.values()):
        if "\0" in text:
            raise Invalid(f"an argument or a variable has a NUL character in it: {shown(text)}")
    # Linux allows no larger variable; the program may not need the results, and runs without them.
    has_room = len(run.parents.encode()) <= _PARENTS_BYTES_MAX
    outside, options = _environment(environment(run) if has_room else run.env)
    if address:
        argv = [program, "serve", "-Shttp", "--addr", address, *run.cli_args, *options, str(file)]
    else:
        export, inputs = _invocation(run, outline)
        argv = [program, "run", *export, *run.cli_args, *options, str(file), *inputs]
    return Command(argv, outside, stdin=run.stdin)


def _invocation(run: GuestRun, outline: Outline) -> tuple[list[str], list[str]]:
    """Give the options that name a function, and the arguments behind the file."""
    is_program = means_program(run.export)
    if outline.kind is Kind.MODULE and run.export not in outline.exports:
        is_program |= outline.is_program
    if is_program or any(word.partition("=")[0] == "--invoke" for word in run.cli_args):
        return [], run.inputs
    if outline.kind is Kind.COMPONENT:
        return ["--invoke", f"{run.export}({', '.join(run.inputs)})"], []
    return ["--invoke", run.export], run.inputs


def _environment(env: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Give the program's environment, and the options that pass variables on to the guest."""
    outside = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    options: list[str] = []
    for name, value in env.items():
        if name in _NEEDED or name.startswith(_OF_THE_PROGRAM):
            options += ["--env", f"{name}={value}"]
        else:
            outside[name] = value
            options += ["--env", name]
    return outside, options
