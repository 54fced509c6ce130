"""Reads the messages of msgspec about values of a wrong shape; callers put them in their own words."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

#: The way to write an input that is neither text nor a number.
OTHER_INPUTS = (
    'write other values as the text that a component takes (WAVE): "true", "[1, 2]", "{a: 1}"; '
    'the result of a parent is {"from": "its id"}'
)

_AT = re.compile(r"^(?P<what>.*) - at `(?:key in )?\$\.?(?P<where>.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_INPUT = re.compile(r".*?\binputs\[\d+\]")
_STEP = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
#: A longer name is no typing error, and takes long to compare.
_NAME_CHARS_MAX = 64


class Problem(NamedTuple):
    """A value with a wrong shape."""

    #: Path of the value, such as ``tasks[3].limits.memory``; ``[...]`` is some key, ``""`` the whole.
    where: str
    #: As msgspec says it, without the path.
    message: str
    is_unknown_field: bool = False


def input_of(where: str) -> str:
    """Give the path of the input that a path leads to or into; ``""`` where it leads elsewhere."""
    found = _INPUT.match(where)
    return found[0] if found else ""


def problem_of(error: msgspec.ValidationError, shape: Any) -> Problem:
    """Take an error apart; ``shape`` is what the whole should have been."""
    found = _AT.match(str(error))
    message, where = (found["what"], found["where"]) if found else (str(error), "")
    if unknown := _UNKNOWN.fullmatch(message):
        hint = known_instead(unknown[1], _fields_at(shape, where))
        return Problem(".".join(filter(None, (where, unknown[1]))), f"there is no such field; {hint}", True)
    return Problem(where, message)


def known_instead(name: str, known: Sequence[str]) -> str:
    """Say which of the known names somebody may have meant, or which there are."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7) if len(name) <= _NAME_CHARS_MAX else ()
    if near:
        return f"did you mean {near[0]}?"
    return f"there are {', '.join(sorted(known))}" if known else "there are none"


def _fields_at(shape: Any, where: str) -> list[str]:
    """List the fields that the object at a path may have; those that only answers have are left out."""
    kinds = _alternatives(inspect.type_info(shape))
    for step in _STEP.findall(where):
        kinds = [one for kind in kinds for inner in _inside(kind, step) for one in _alternatives(inner)]
    return [
        field.encode_name
        for kind in kinds
        if isinstance(kind, inspect.StructType)
        for field in kind.fields
        if not _is_read_only(field.type)
    ]


def _alternatives(kind: inspect.Type) -> list[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        return _alternatives(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [one for part in kind.types for one in _alternatives(part)]
    return [kind]


def _inside(kind: inspect.Type, step: str) -> Iterable[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        return [field.type for field in kind.fields if field.encode_name == step]
    return [kind.item_type] if isinstance(kind, inspect.ListType | inspect.VarTupleType) else []


def _is_read_only(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.Metadata) and bool((kind.extra_json_schema or {}).get("readOnly"))
