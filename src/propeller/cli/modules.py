"""Module files: ``.wasm`` as they are, ``.wat`` compiled first; and the choice of the function to run."""

import base64
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from propeller.cli.reading import read_bounded
from propeller.client.errors import ApiError
from propeller.errors import Invalid, PropellerError

if TYPE_CHECKING:
    from propeller.client.api import Client
    from propeller.client.shapes import Task

_MAGIC = b"\0asm"
#: Larger than what a manager takes.
_BYTES_MAX = 256 * 1024 * 1024
#: Up to this size in all, modules are sent in the request that creates the tasks; above it, one by one.
INLINE_CHARS_MAX = 32 * 1024 * 1024


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


def create_task(
    client: "Client", fields: dict[str, Any], module: bytes | None, *, key: str | None = None
) -> "Task":
    """Create a task with its module, once for each idempotency key.

    A large module is sent by itself, as it is and not as base64 in JSON. If that fails, the task is deleted;
    with a key it stays, and gets its module when it is created again.
    """
    if module is None:
        return client.create_task(fields, key=key)
    if _fits_inline(module):
        return client.create_task(fields | _inline(module), key=key)
    created = client.create_task(fields, key=key)
    try:
        client.upload_task_file(created["id"], "module.wasm", module)
    except BaseException:
        if key is None:
            with contextlib.suppress(PropellerError):
                client.delete_task(created["id"])
        raise
    return created


def update_task(client: "Client", task_id: str, fields: dict[str, Any], module: bytes | None) -> "Task":
    """Change a task, and its module if one is given, which is sent as ``create_task`` does.

    A large module comes last: it is held to the fields that are for it. If it is refused, they have changed.
    """
    if module is None:
        return client.update_task(task_id, fields)
    if _fits_inline(module):
        return client.update_task(task_id, fields | _inline(module))
    client.update_task(task_id, fields)
    try:
        return client.upload_task_file(task_id, "module.wasm", module)
    except ApiError as error:
        changed = f"; the module has not changed, but these have: {', '.join(fields)}" if fields else ""
        raise ApiError(error.status, error.message + changed) from error


def _fits_inline(module: bytes) -> bool:
    return len(module) * 4 // 3 <= INLINE_CHARS_MAX


def _inline(module: bytes) -> dict[str, str]:
    return {"file": base64.b64encode(module).decode()}


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
