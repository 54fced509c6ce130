"""Module files: ``.wasm`` as it is, ``.wat`` compiled on the way; and which of their functions to run."""

from pathlib import Path

from propeller.errors import Invalid


def read_module(path: Path) -> bytes:
    """Return a file's Wasm bytes; raise ``Invalid`` that says what is wrong with it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path}: can't be read: {error.strerror}") from error
    if path.suffix == ".wat":
        import wasmtime  # noqa: PLC0415  only for text

        try:
            return bytes(wasmtime.wat2wasm(data))
        except (wasmtime.WasmtimeError, UnicodeDecodeError) as error:
            raise Invalid(f"{path}: {error}") from error
    if not data.startswith(b"\0asm"):
        raise Invalid(f"{path}: this is no WebAssembly: it has to begin with the bytes 00 61 73 6d")
    return data


def default_export(data: bytes, what: str) -> str:
    """Choose the function to run: that of a program, else ``main``, else the only one there is.

    Raises:
        Invalid: There is no such function, or the bytes are no valid module; ``what`` names it.

    """
    from propeller.runtime.inspection import inspect, is_plumbing  # noqa: PLC0415

    try:
        found = inspect(data)
    except Invalid as error:
        raise Invalid(f"{what}: {error}") from error
    if found.kind in ("command", "component-command", "component-http"):
        return "_start"
    exported = [item.name for item in found.exports if item.kind == "function"]
    functions = [name for name in exported if not is_plumbing(name)] or exported
    if "main" in functions:
        return "main"
    if len(functions) == 1:
        return functions[0]
    listed = ", ".join(functions) or "none"
    raise Invalid(f"{what}: which of its exported functions is to run ({listed})? say it with --name")
