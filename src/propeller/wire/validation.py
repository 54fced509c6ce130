"""Reads the messages of msgspec about values of a wrong shape; callers put them in their own words."""

import re
from typing import NamedTuple

import msgspec

#: The way to write an input that is neither text nor a number.
OTHER_INPUTS = (
    'write other values as the text that a component takes (WAVE): "true", "[1, 2]", "{a: 1}"; '
    'the result of a parent is {"from": "its id"}'
)

_AT = re.compile(r"^(?P<what>.*) - at `(?:key in )?\$\.?(?P<where>.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


class Problem(NamedTuple):
    """A value with a wrong shape."""

    #: Path of the value, such as ``tasks[3].limits.memory``; ``[...]`` is some key, ``""`` the whole.
    where: str
    #: As msgspec says it, without the path.
    message: str
    is_unknown_field: bool = False


def problem_of(error: msgspec.ValidationError) -> Problem:
    found = _AT.match(str(error))
    message, where = (found["what"], found["where"]) if found else (str(error), "")
    if unknown := _UNKNOWN.fullmatch(message):
        return Problem(".".join(filter(None, (where, unknown[1]))), "there is no such field", True)
    return Problem(where, message)
