"""The JSON of the sandbox that a task asks for: its limits and grants."""

from typing import Annotated

import msgspec

from propeller.wire.http.schema import like

Size = int | Annotated[str, like("Such as 64MiB.")]


class LimitsField(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Limits of a task; those that are left out are up to its proplet."""

    memory: Annotated[Size, like("Linear memory, bytes.")] | None = None
    fuel: Annotated[int, like("Units of computing, about one an instruction.")] | None = None
    output: Annotated[Size, like("Standard output that is kept as the result, bytes.")] | None = None
    table: Annotated[int, like("Elements of each table.")] | None = None
    stack: Annotated[Size, like("Bytes.")] | None = None
    instances: Annotated[int, like("Core instances inside of a component.")] | None = None


class DirField(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A directory of the proplet's machine."""

    host: str
    guest: Annotated[str, like("Where the guest finds it; left out: the same.")] | None = None
    mode: Annotated[str, like("ro or rw; left out: ro.", enum=["ro", "rw"])] | None = None


class GrantsField(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The parts of its proplet's machine that the task may use."""

    dirs: list[DirField] = []
    http: Annotated[list[str], like("Hosts it may send requests to.")] = []
    listen: bool = False
    clock: Annotated[bool, like("False: the clock stands at 0.")] = True
    random: Annotated[bool | int, like("False: none; a number: the seed of a fixed stream.")] = True
