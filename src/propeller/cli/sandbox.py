"""Flags for the sandbox of a task: its timeout, its limits and its grants."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

TimeoutFlag = Annotated[str | None, typer.Option(help="How long the task may run: 30s, 1m30s.")]
LimitFlag = Annotated[
    list[str] | None,
    typer.Option(
        metavar="K=V", help="A limit: memory, fuel, output, table, stack, instances; may be repeated."
    ),
]
DirFlag = Annotated[
    list[str] | None,
    typer.Option("--dir", metavar="HOST[:GUEST][:rw]", help="A directory the task may use; may be repeated."),
]
HttpFlag = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST", help="A host the task may send requests to; may be repeated."),
]
ListenFlag = Annotated[bool, typer.Option("--listen", help="Let the module serve HTTP, until Ctrl-C.")]
SeedFlag = Annotated[int | None, typer.Option(help="A number that makes randomness the same each time.")]

LimitsFlag = Annotated[
    str | None,
    typer.Option(metavar="K=V,…", help="Limits: memory, fuel, output, table, stack, instances."),
]
GrantsFlag = Annotated[
    str | None,
    typer.Option(metavar="JSON", help='What the task may use: {"dirs": …, "http": …, "listen": …}.'),
]

_SIZES = ("memory", "output", "stack")


def limits_of(given: list[str]) -> dict[str, int | str]:
    """Read ``memory=64MiB`` and the like."""
    limits: dict[str, int | str] = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not value:
            raise typer.BadParameter(f"--limit: {text!r} has to be NAME=VALUE, as in memory=64MiB")
        if key in _SIZES:
            limits[key] = value
        elif value.isdecimal():
            limits[key] = int(value)
        else:
            raise typer.BadParameter(f"--limit: {key} has to be a number, not {value!r}")
    return limits


def grants_of(
    dirs: list[str] | None, http: list[str] | None, *, listen: bool, seed: int | None
) -> dict[str, Any]:
    """Put grants together from flags; empty where none is given."""
    grants: dict[str, Any] = {}
    if dirs:
        grants["dirs"] = [_dir(text) for text in dirs]
    if http:
        grants["http"] = http
    if listen:
        grants["listen"] = True
    if seed is not None:
        grants["random"] = seed
    return grants


def _dir(text: str) -> dict[str, str]:
    host, *rest = text.split(":")
    # A proplet has another working directory, and takes no path with ".." in it.
    found = {"host": os.path.normpath(Path(host).absolute())}
    if rest and rest[-1] in ("ro", "rw"):
        found["mode"] = rest.pop()
    if len(rest) > 1:
        raise typer.BadParameter(f"--dir: {text!r} has to be HOST, HOST:GUEST or HOST:GUEST:rw")
    return found | ({"guest": rest[0]} if rest else {})
