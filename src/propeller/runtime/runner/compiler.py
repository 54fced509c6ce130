"""The compilation of a large module in a process of its own, which leaves nothing behind but files.

The compiler takes many times the size of a module in memory, and most of that stays with a process that goes
on. So a runner lets another process compile a large module, and loads the code from the disk, page by page as
it is used.
"""

import resource
import subprocess
import sys
from os import getpid
from pathlib import Path

from propeller.core.failures import ErrorKind, Failure
from propeller.errors import Invalid
from propeller.runtime.failures import CanNotBegin, size
from propeller.runtime.system.death import Died, death_of, is_out_of_memory

#: The exit code of the process where the module can't be compiled; it has printed why.
REFUSED = 3


def compile_apart(directory: Path, digest: str, *, stack_bytes: int, is_metered: bool) -> None:
    """Compile a module; its code is then in the cache's directory, if the disk has room for it.

    Raises:
        Invalid: It can't be compiled.
        Died: The compiler died.

    """
    most_bytes, _ = resource.getrlimit(resource.RLIMIT_DATA)
    options = [str(getpid()), str(directory), digest, str(stack_bytes), str(int(is_metered))]
    ended = subprocess.run(
        # -P: of modules in the working directory, where guests may write, none is loaded.
        [sys.executable, "-P", "-m", "propeller.runtime.runner.compiler_process", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if ended.returncode == REFUSED:
        raise Invalid(ended.stdout.decode())
    if ended.returncode and is_out_of_memory(ended.stderr):
        raise _too_large(most_bytes)
    if ended.returncode:
        sys.stderr.buffer.write(ended.stderr)
        raise Died("compiled its module", death_of(ended.returncode))


def _too_large(most_bytes: int) -> CanNotBegin:
    """Say that a module is too large for its compiler, which may have as much memory as its runner."""
    most = size(most_bytes >> 20 << 20)
    error = (
        f"compiling its module takes more memory than the {most} that its process may have; "
        "limits.memory raises it"
    )
    return CanNotBegin(Failure(error, ErrorKind.MEMORY), raised_by="limits.memory")
