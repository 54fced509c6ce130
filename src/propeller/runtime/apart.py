"""Work on what comes from anybody, in a process of its own, which ends with its work.

The process has bounds for time and memory, it is the first that the kernel kills where memory runs out, and
the program that asks for the work goes before it.
"""

import asyncio
import logging
import os
import resource
import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

from propeller.errors import Invalid, TimedOut, TooLarge, Unavailable
from propeller.runtime.failures import size
from propeller.runtime.system import launch
from propeller.runtime.system.death import death_of, is_out_of_memory

_log = logging.getLogger(__name__)

#: The exit code of the process where the work is refused; it has printed why.
_REFUSED = 3
#: Of what it writes to standard error.
_SAID_BYTES_MAX = 1024 * 1024
_NICENESS = 10


class Work(NamedTuple):
    """Some kind of work, and what it may take."""

    #: The module to run, which calls ``work_apart``.
    module: str
    #: As a sentence begins: ``its inspection``.
    name: str
    #: What to do where it takes too much.
    way_out: str
    memory_bytes: int
    time_s: float
    #: Of what it gives.
    most_bytes: int


async def done_apart(work: Work, data: bytes) -> bytes:
    """Have work done; give what it gives.

    Raises:
        Invalid: The work is refused, or ends its process.
        TooLarge: It takes too much memory, or gives too much.
        TimedOut: It takes too long.
        Unavailable: The process was killed from outside, or can't be started.

    """
    try:
        # -P: of modules in the working directory none is loaded.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", work.module, str(os.getpid()), str(work.memory_bytes)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # A terminal sends Ctrl-C to all programs of the group in its foreground.
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"{work.name} can't begin now: {error.strerror}; try again later") from error
    try:
        async with asyncio.timeout(work.time_s):
            return await _ended(process, work, data)
    except TimeoutError as error:
        raise TimedOut(f"{work.name} takes longer than {work.time_s:g} s; {work.way_out}") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # reads what is left, so that its pipes are closed


async def _ended(process: asyncio.subprocess.Process, work: Work, data: bytes) -> bytes:
    assert process.stdout is not None
    assert process.stderr is not None
    _, out, said = await asyncio.gather(
        _write(process, data),
        _read(process, process.stdout, work.most_bytes),
        _read(process, process.stderr, _SAID_BYTES_MAX),
    )
    code = await process.wait()
    if len(out) > work.most_bytes:
        raise TooLarge(f"{work.name} gives more than {size(work.most_bytes)}; {work.way_out}")
    if code == _REFUSED:
        raise Invalid(out.decode(errors="replace"))
    if code and is_out_of_memory(said):
        raise TooLarge(f"{work.name} takes more than {size(work.memory_bytes)} of memory; {work.way_out}")
    if code:
        death = death_of(code)
        _log.warning("%s: its process %s: %s", work.name, death.how, said.decode(errors="replace"))
        failure = Unavailable if death.is_from_outside else Invalid
        raise failure(f"{work.name} was broken off: its process {death.how}")
    return out


async def _write(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(data)
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has ended already, and said why
    finally:
        process.stdin.close()


async def _read(process: asyncio.subprocess.Process, stream: asyncio.StreamReader, most: int) -> bytes:
    """Read to the end; a process that writes more is killed."""
    found = bytearray()
    while part := await stream.read(1 << 16):
        if len(found) > most:
            continue
        found += part
        if len(found) > most and process.returncode is None:
            process.kill()
    return bytes(found)


def work_apart(work: Callable[[bytes], Iterable[bytes]]) -> None:
    """Do work as the process that ``done_apart`` has started, from standard input to standard output."""
    parent, memory_bytes = map(int, sys.argv[1:])
    launch.die_with_parent(parent)
    launch.die_first()
    os.nice(_NICENESS)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or memory_bytes < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = sys.stdout.buffer
    try:
        out.writelines(work(sys.stdin.buffer.read()))
        out.flush()
    except Invalid as invalid:
        out.write(str(invalid).encode(errors="replace"))
        out.flush()
        sys.exit(_REFUSED)
