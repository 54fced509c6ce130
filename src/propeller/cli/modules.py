"""Module files: ``.wasm`` as they are, ``.wat`` compiled first; and the choice of the function to run."""

from pathlib import Path

from propeller.cli.reading import read_bounded
from propeller.errors import Invalid

_MAGIC = b"\0asm"
#: Larger than what a manager takes.
_BYTES_MAX = 256 * 1024 * 1024


def read_module(path: Path) -> bytes:
    """Return the Wasm bytes of a file; raise ``Invalid`` if it can't be read or compiled, or is no Wasm."""
    is_text = path.suffix == ".wat"
    try:
        data = read_bounded(path, _BYTES_MAX, begins_with=b"" if is_text else _MAGIC)
    except OSError as error:
        raise Invalid(f"{path}: can't be read: {error.strerror}") from error
    if is_text:
        return _compiled(data, path)
    if not data.startswith(_MAGIC):
        raise Invalid(f"{path}: this is no WebAssembly: it has to begin with the bytes 00 61 73 6d")
    return data


def _compiled(text: bytes, path: Path) -> bytes:
    import wasmtime  # noqa: PLC0415  only for text

    try:
        return bytes(wasmtime.wat2wasm(text))
    except UnicodeDecodeError as error:
        raise Invalid(f"{path}: {error}") from error
    except wasmtime.WasmtimeError as error:
        # The engine has read text of no file.
        raise Invalid(f"{path}: {str(error).replace('<anon>', str(path))}") from error


def default_export(data: bytes, what: str) -> str:
    """Choose the function to run: the entry of a program, else ``main``, else the only one there is.

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
    if found.obstacles:
        raise Invalid(
            f"{what}: it can't run here: {'; '.join(found.obstacles)}; for an external runtime that offers "
            "it, name the function with --name"
        )
    listed = ", ".join(functions) or "none"
    raise Invalid(f"{what}: which of its exported functions is to run ({listed})? say it with --name")
