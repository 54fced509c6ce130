"""The inspection of a module in a process of its own, for a program that does not load the engine."""

from typing import NamedTuple

from propeller.errors import TooLarge
from propeller.runtime.apart import Work, done_apart
from propeller.runtime.failures import size

_MIB = 1024 * 1024
#: The findings of real modules are some KiB.
_FINDINGS_BYTES_MAX = 8 * _MIB
#: Compiled, text is smaller than it was, but for long runs of names.
TEXT_BYTES_MAX = 16 * _MIB
_MAGIC = b"\0asm"

INSPECTION = Work(
    module="propeller.runtime.inspection_process",
    name="its inspection",
    way_out="inspect it with propeller inspect FILE",
    # The compiler takes many times the size of a component.
    memory_bytes=2048 * _MIB,
    time_s=60,
    most_bytes=_FINDINGS_BYTES_MAX,
)


class Findings(NamedTuple):
    #: An ``Inspection``.
    json: bytes
    #: The module, if it came as text; else empty.
    wasm: bytes


async def inspect_apart(data: bytes, work: Work = INSPECTION) -> Findings:
    """Inspect a module that may be WebAssembly or its text.

    Raises:
        Invalid: It is no module.
        TooLarge, TimedOut, Unavailable: As ``done_apart`` says.

    """
    if not data.startswith(_MAGIC):
        if len(data) > TEXT_BYTES_MAX:
            raise TooLarge(
                f"a module as text may have {size(TEXT_BYTES_MAX)}, and this one has {size(len(data))}; "
                "compile it first"
            )
        work = work._replace(most_bytes=work.most_bytes + TEXT_BYTES_MAX)
    json, _, wasm = (await done_apart(work, data)).partition(b"\n")
    return Findings(json, wasm)
