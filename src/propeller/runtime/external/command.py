"""The command line that has a program run a guest, in the manner of the ``wasmtime`` command.

Values of a task's variables may be secrets, and everybody on a machine may read command lines. So a variable
is named there, and its value is taken from the program's own environment; save where the program or its
loader would take the value for themselves.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from propeller.errors import Invalid
from propeller.runtime.guest_run import GuestRun, environment
from propeller.runtime.outline import Kind, Outline
from propeller.runtime.quoting import shown

#: What the program needs of the proplet's environment.
_NEEDED = ("PATH", "HOME")
#: Beginnings of names that mean something to a program's loader, its libraries or itself.
_OF_THE_PROGRAM = tuple(
    "LD_ DYLD_ GLIBC_ GCONV_PATH LOCPATH LANG LC_ MALLOC_ RUST WASMTIME XDG_ TMPDIR PYTHON".split()
)
_PARENTS_BYTES_MAX = 127 * 1024


class Command(NamedTuple):
    argv: list[str]
    env: dict[str, str]
    #: What it inherits besides its streams.
    descriptors: Sequence[int] = ()


def command_of(program: str, run: GuestRun, outline: Outline, file: Path, address: str = "") -> Command:
    """Put a run's command line together.

    Args:
        program: Path of the runtime.
        run: What to run.
        outline: Of its module.
        file: The module.
        address: Where it serves, and then ``run`` has no other in its ``cli_args``; ``""`` where it does not.

    Raises:
        Invalid: There is a NUL character in it.

    """
    for text in (run.export, *run.cli_args, *run.inputs, *run.env, *run.env.values()):
        if "\0" in text:
            raise Invalid(f"an argument or a variable has a NUL character in it: {shown(text)}")
    # One variable may have no more on Linux; a program that needs no results should run without.
    has_room = len(run.parents.encode()) <= _PARENTS_BYTES_MAX
    outside, options = _environment(environment(run) if has_room else run.env)
    if address:
        argv = [program, "serve", "-Shttp", "--addr", address, *run.cli_args, *options, str(file)]
    else:
        export, inputs = _invocation(run, outline)
        argv = [program, "run", *export, *run.cli_args, *options, str(file), *inputs]
    return Command(argv, outside)


def _invocation(run: GuestRun, outline: Outline) -> tuple[list[str], list[str]]:
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
    outside = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    options: list[str] = []
    for name, value in env.items():
        if name in _NEEDED or name.startswith(_OF_THE_PROGRAM):
            options += ["--env", f"{name}={value}"]
        else:
            outside[name] = value
            options += ["--env", name]
    return outside, options
