"""``propeller inspect``: shows what a Wasm file is, what it needs, and how to call it."""

import asyncio
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.text import Text

from propeller.cli import formatting
from propeller.cli.commands import command, new_app
from propeller.cli.modules import read_module
from propeller.cli.session import Session
from propeller.errors import Invalid

if TYPE_CHECKING:
    from propeller.runtime.inspection import Inspection

app = new_app()

_KINDS = {
    "module": "core module: functions to be called by name",
    "command": "WASI preview 1 command: a program",
    "reactor": "WASI preview 1 reactor: functions to be called by name, after _initialize",
    "component": "component: functions to be called by name",
    "component-command": "component, WASI command: a program",
    "component-http": "component that answers HTTP requests",
}
_FILE_SUFFIXES = (".wasm", ".wat")


@command(app, is_client=False)
def inspect(
    session: Session,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A .wasm or .wat file, an image's reference or a URL.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what a module is, what it needs, and how to call it."""
    from propeller.runtime.inspection import inspect as look_at  # noqa: PLC0415  it loads wasmtime

    data = _module(file)
    try:
        found = look_at(data)
    except Invalid as error:
        raise Invalid(f"{file}: {error}") from error
    if as_json or session.as_json:
        session.show_json({"file": file, **msgspec.to_builtins(found), "command": _command(file, found)})
    else:
        session.out.print(_view(session, file, found))


def _module(name: str) -> bytes:
    """Read the file of this name; if there is none, fetch the image or the URL that it may name."""
    path = Path(name)
    if path.exists() or not _is_elsewhere(name):
        return read_module(path)
    from propeller.assembly import fetch_once  # noqa: PLC0415  the servers take long to load

    data = asyncio.run(fetch_once(name, os.environ))
    if not data.startswith(b"\0asm"):
        raise Invalid(f"{name}: this is no WebAssembly: it has to begin with the bytes 00 61 73 6d")
    return data


def _is_elsewhere(name: str) -> bool:
    """Say whether a name is an image's reference or a URL, and not that of a file that is missing."""
    if name.startswith(("http://", "https://")):
        return True
    host, slash, _ = name.partition("/")
    is_path = name.startswith((".", "/", "~")) or name.endswith(_FILE_SUFFIXES)
    return not is_path and (":" in name or "@" in name or ("." in host and bool(slash)))


def _view(session: Session, file: str, found: "Inspection") -> RenderableType:
    needs = [f"{need.grant}: {need.text}" if need.grant else need.text for need in found.needs]
    lines: list[tuple[str, str | Text]] = [
        ("file", formatting.plain(file)),
        ("kind", _KINDS[found.kind]),
        ("size", formatting.size(found.size)),
        ("digest", found.digest),
        ("needs", "\n".join(needs)),
        ("can't run", Text("\n".join(map(formatting.plain, found.obstacles)), style="red")),
        ("call it", formatting.plain(_command(file, found))),
    ]
    parts: list[RenderableType] = [session.lines(lines)]
    for heading, items in (("EXPORT", found.exports), ("IMPORT", found.imports)):
        if items:
            table = session.table(heading, "KIND", "TYPE")
            for item in items:
                table.add_row(formatting.plain(item.name), item.kind, formatting.plain(item.type))
            parts += ["", table]
    return Group(*parts)


def _command(file: str, found: "Inspection") -> str:
    """Write a command that calls a module; ``""`` if there is none. ``run`` takes files only."""
    where = file if Path(file).exists() else "FILE"
    if found.kind == "component-http" and not found.obstacles:
        return shlex.join(["propeller", "run", where, "--listen"])
    if found.example is None:
        return ""
    name = ["--name", found.example.name] if found.example.name else []
    return shlex.join(["propeller", "run", where, *name, *found.example.inputs])
