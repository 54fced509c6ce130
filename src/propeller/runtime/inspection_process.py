"""The process that inspects one module and ends; ``inspection_apart`` starts it."""

import os
import resource
import sys

from propeller.errors import Invalid
from propeller.runtime.inspection_apart import REFUSED
from propeller.runtime.system import launch

_MAGIC = b"\0asm"


def main() -> None:
    """Inspect what comes by standard input; arguments: the parent's process, bytes of memory."""
    parent, memory_bytes = map(int, sys.argv[1:])
    launch.die_with_parent(parent)
    launch.die_first()
    os.nice(10)  # the manager goes first
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or memory_bytes < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = sys.stdout.buffer
    try:
        for part in _inspected(sys.stdin.buffer.read()):
            out.write(part)
    except Invalid as invalid:
        out.write(str(invalid).encode(errors="replace"))
        out.flush()
        sys.exit(REFUSED)
    out.flush()


def _inspected(data: bytes) -> tuple[bytes, ...]:
    """Give the findings as JSON, a line end, and the module itself if it came as text."""
    import msgspec  # noqa: PLC0415  the memory is bounded before the engine is loaded
    import wasmtime  # noqa: PLC0415

    from propeller.runtime.inspection import inspect  # noqa: PLC0415

    if data.startswith(_MAGIC):
        return msgspec.json.encode(inspect(data)), b"\n"
    try:
        wasm = bytes(wasmtime.wat2wasm(data.decode()))
    except UnicodeDecodeError as error:
        raise Invalid(
            "it is neither WebAssembly, which begins with the bytes 00 61 73 6d, nor text"
        ) from error
    except wasmtime.WasmtimeError as error:
        # The engine has read text of no file.
        said = str(error).replace("<anon>", "line").strip()[:2000]
        raise Invalid(f"it is no WebAssembly, and as text it is not valid: {said}") from error
    return msgspec.json.encode(inspect(wasm)), b"\n", wasm


if __name__ == "__main__":
    main()
