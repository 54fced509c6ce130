"""The host's part for modules of AssemblyScript: ``env.abort``, and the number of arguments of a call.

Source: the code that its compiler writes for JavaScript (``--bindings``), version 0.27.
"""

from collections.abc import Iterable

import wasmtime

#: Module and field of the import that each of its modules has which can fail.
ABORT = ("env", "abort")
#: Where the fields of an object's header stand, bytes before it.
_SIZE_BEFORE = 4
_SHOWN_BYTES_MAX = 2048
_32_BITS = 0xFFFFFFFF


#: Imports of its library that WASI can stand in for.
_OF_THE_LIBRARY = ("env.seed", "env.trace", "env.console.", "env.Date.", "env.performance.", "env.process.")
_HINT = "; AssemblyScript gets these from WASI where it is compiled with @assemblyscript/wasi-shim"


def hint_for(foreign: Iterable[str]) -> str:
    """Say how to do without these imports, where AssemblyScript can; else empty."""
    return _HINT if any(name.startswith(_OF_THE_LIBRARY) for name in foreign) else ""


class Aborted(Exception):
    """The guest has ended itself by ``abort``."""


def define_abort(linker: wasmtime.Linker) -> None:
    """Offer ``env.abort``, which gets a message and the place in the source."""
    type_ = wasmtime.FuncType([wasmtime.ValType.i32()] * 4, [])
    linker.define_func(*ABORT, type_, _abort, access_caller=True)


def _abort(caller: wasmtime.Caller, message: int, file: int, line: int, column: int) -> None:
    said, where = _text(caller, message), _text(caller, file)
    place = f" at {where}:{line & _32_BITS}:{column & _32_BITS}" if where else ""
    raise Aborted(f"it aborted{place}: {said or 'it gave no message'}")


def _text(caller: wasmtime.Caller, address: int) -> str:
    """Read a string, UTF-16 with its size in bytes before it; empty where there is none."""
    memory, address = caller.get("memory"), address & _32_BITS
    if not isinstance(memory, wasmtime.Memory) or address < _SIZE_BEFORE:
        return ""
    size = int.from_bytes(memory.read(caller, address - _SIZE_BEFORE, address), "little")
    end = address + min(size, _SHOWN_BYTES_MAX)
    return bytes(memory.read(caller, address, end)).decode("utf-16-le", errors="replace")
