"""Types of components' values and functions as data, and their text in WIT.

They are stored beside compiled code, so they hold no object of wasmtime. Wasmtime does not give the names
that records, variants, enums and flags have in their interface, so these are written in full:
``record{x: u32, y: u32}``.

Source: component model, design/mvp/WIT.md.
"""

from collections.abc import Iterator

import msgspec

INTEGERS = {f"{sign}{bits}": (sign, bits) for sign in "su" for bits in (8, 16, 32, 64)}

#: Types are cut below this depth, which bounds all recursion over a type or a value.
DEPTH_MAX = 50

_SHOWN_MAX = 400


class _Type(msgspec.Struct, frozen=True, array_like=True):
    pass


class Primitive(_Type, frozen=True, tag="primitive"):
    #: ``bool``, ``char``, ``string``, ``f32``, ``f64``, or one of ``INTEGERS``.
    name: str


class List(_Type, frozen=True, tag="list"):
    element: "Type"


class Record(_Type, frozen=True, tag="record"):
    fields: tuple[tuple[str, "Type"], ...]


class Tuple(_Type, frozen=True, tag="tuple"):
    elements: tuple["Type", ...]


class Variant(_Type, frozen=True, tag="variant"):
    #: Each case with the type of its payload, or None where it has none.
    cases: tuple[tuple[str, "Type | None"], ...]


class Enum(_Type, frozen=True, tag="enum"):
    names: tuple[str, ...]


class Option(_Type, frozen=True, tag="option"):
    payload: "Type"


class Result(_Type, frozen=True, tag="result"):
    ok: "Type | None"
    err: "Type | None"


class Flags(_Type, frozen=True, tag="flags"):
    names: tuple[str, ...]


class Handle(_Type, frozen=True, tag="handle"):
    """A resource; values of it have no text form."""

    #: The resource's name, where it could be found; else ``resource``.
    name: str
    is_borrowed: bool


class Channel(_Type, frozen=True, tag="channel"):
    """A stream or a future; values of it have no text form."""

    #: ``stream`` or ``future``.
    kind: str
    payload: "Type | None"


class Opaque(_Type, frozen=True, tag="opaque"):
    """A type that is known by name only; values of it have no text form."""

    name: str


Type = (
    Primitive | List | Record | Tuple | Variant | Enum | Option | Result | Flags | Handle | Channel | Opaque
)


class Function(msgspec.Struct, frozen=True, array_like=True):
    params: tuple[tuple[str, Type], ...]
    result: Type | None


def type_text(type_: Type) -> str:
    """Write a type as WIT does, cut to a readable length."""
    text = _written(type_)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def function_text(name: str, function: Function) -> str:
    """Write a function as WIT does: ``greet: func(name: string) -> string``."""
    return f"{name}: {signature_text(function)}"


def signature_text(function: Function) -> str:
    """Write a function without its name: ``func(name: string) -> string``."""
    params = ", ".join(f"{param}: {type_text(type_)}" for param, type_ in function.params)
    result = "" if function.result is None else f" -> {type_text(function.result)}"
    return f"func({params}){result}"


def without_text(type_: Type) -> Type | None:
    """Find the first part of a type whose values have no text form."""
    if isinstance(type_, Handle | Channel | Opaque):
        return type_
    return next((found for part in parts(type_) if (found := without_text(part)) is not None), None)


def parts(type_: Type) -> Iterator[Type]:
    """Give the direct parts of a type."""
    if isinstance(type_, List):
        yield type_.element
    elif isinstance(type_, Tuple):
        yield from type_.elements
    elif isinstance(type_, Option):
        yield type_.payload
    elif isinstance(type_, Record):
        yield from (field for _, field in type_.fields)
    elif isinstance(type_, Variant):
        yield from (payload for _, payload in type_.cases if payload is not None)
    elif isinstance(type_, Result):
        yield from (payload for payload in (type_.ok, type_.err) if payload is not None)


def _written(type_: Type) -> str:
    if isinstance(type_, Primitive | Opaque):
        return type_.name
    if isinstance(type_, Enum | Flags):
        return f"{'enum' if isinstance(type_, Enum) else 'flags'}{{{', '.join(type_.names)}}}"
    if isinstance(type_, Record):
        fields = ", ".join(f"{name}: {_written(field)}" for name, field in type_.fields)
        return f"record{{{fields}}}"
    if isinstance(type_, Variant):
        cases = (name if of is None else f"{name}({_written(of)})" for name, of in type_.cases)
        return f"variant{{{', '.join(cases)}}}"
    if isinstance(type_, Handle):
        return f"{'borrow' if type_.is_borrowed else 'own'}<{type_.name}>"
    if isinstance(type_, Channel):
        return type_.kind if type_.payload is None else f"{type_.kind}<{_written(type_.payload)}>"
    if isinstance(type_, Result):
        return _written_result(type_)
    kind = {List: "list", Tuple: "tuple", Option: "option"}[type(type_)]
    return f"{kind}<{', '.join(map(_written, parts(type_)))}>"


def _written_result(type_: Result) -> str:
    ok = "_" if type_.ok is None else _written(type_.ok)
    if type_.err is not None:
        return f"result<{ok}, {_written(type_.err)}>"
    return "result" if type_.ok is None else f"result<{ok}>"
