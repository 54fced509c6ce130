"""The inspection of a module in a process of its own, for a program that does not load the engine.

Modules come from anybody. So the process has bounds for time and memory, it is the first that the kernel
kills where memory runs out, and it ends with its work.
"""

import asyncio
import logging
import sys
from os import getpid
from typing import NamedTuple

from propeller.errors import Invalid, TimedOut, TooLarge, Unavailable
from propeller.runtime.failures import size
from propeller.runtime.system.death import death_of, is_out_of_memory

_log = logging.getLogger(__name__)

#: The exit code of the process where it is no module; it has printed why.
REFUSED = 3
_MODULE = "propeller.runtime.inspection_process"

_MIB = 1024 * 1024
#: The compiler takes many times the size of a component.
MEMORY_BYTES = 2048 * _MIB
TIME_S = 60
#: The findings of real modules are some KiB.
FINDINGS_BYTES_MAX = 8 * _MIB
#: Compiled, text is smaller than it was, but for long runs of names.
TEXT_BYTES_MAX = 16 * _MIB
#: Of what it writes to standard error.
_SAID_BYTES_MAX = _MIB
_MAGIC = b"\0asm"


class Findings(NamedTuple):
    #: An ``Inspection``.
    json: bytes
    #: The module, if it came as text; else empty.
    wasm: bytes


async def inspect_apart(data: bytes, *, memory_bytes: int = MEMORY_BYTES, time_s: float = TIME_S) -> Findings:
    """Inspect a module that may be WebAssembly or its text.

    Args:
        data: The module.
        memory_bytes: How much memory the process may have.
        time_s: How long it may take.

    Raises:
        Invalid: It is no module.
        TooLarge: It takes too much memory, or the findings are too long.
        TimedOut: It takes too long.
        Unavailable: The process was killed from outside, or can't be started.

    """
    is_text = not data.startswith(_MAGIC)
    if is_text and len(data) > TEXT_BYTES_MAX:
        raise TooLarge(
            f"a module as text may have {size(TEXT_BYTES_MAX)}, and this one has {size(len(data))}; "
            "compile it first"
        )
    try:
        # -P: of modules in the working directory none is loaded.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", _MODULE, str(getpid()), str(memory_bytes)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # A terminal sends Ctrl-C to all programs of the group in its foreground.
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"the module can't be inspected now: {error.strerror}; try again later") from error
    try:
        async with asyncio.timeout(time_s):
            return await _findings(process, data, memory_bytes, is_text=is_text)
    except TimeoutError as error:
        raise TimedOut(
            f"the module is not inspected within {time_s:g} s; inspect it with propeller inspect FILE"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # reads what is left, so that its pipes are closed


async def _findings(
    process: asyncio.subprocess.Process, data: bytes, memory_bytes: int, *, is_text: bool
) -> Findings:
    most = FINDINGS_BYTES_MAX + (TEXT_BYTES_MAX if is_text else 0)
    assert process.stdout is not None
    assert process.stderr is not None
    _, out, said = await asyncio.gather(
        _write(process, data),
        _read(process, process.stdout, most),
        _read(process, process.stderr, _SAID_BYTES_MAX),
    )
    code = await process.wait()
    found = Findings(*out.partition(b"\n")[::2])
    if len(out) > most or (not code and len(found.json) > FINDINGS_BYTES_MAX):
        raise _too_long()
    if code == REFUSED:
        raise Invalid(out.decode(errors="replace"))
    if code and is_out_of_memory(said):
        raise TooLarge(
            f"its inspection takes more than {size(memory_bytes)} of memory; inspect it with "
            "propeller inspect FILE"
        )
    if code:
        death = death_of(code)
        _log.warning("the inspection of a module %s: %s", death.how, said.decode(errors="replace"))
        failure = Unavailable if death.is_from_outside else Invalid
        raise failure(f"the process that inspected it {death.how}")
    return found


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


def _too_long() -> TooLarge:
    return TooLarge(
        f"its imports and exports are longer than the {size(FINDINGS_BYTES_MAX)} of an answer; inspect it "
        "with propeller inspect FILE"
    )
