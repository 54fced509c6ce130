"""The process that inspects one module and ends; ``inspection_apart`` starts it."""

import msgspec
import wasmtime

from propeller.errors import Invalid
from propeller.runtime.apart import work_apart
from propeller.runtime.inspection import inspect

_MAGIC = b"\0asm"


def _inspected(data: bytes) -> tuple[bytes, ...]:
    """Give the findings as JSON, a line end, and the module itself if it came as text."""
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
    work_apart(_inspected)
