"""The Python values of types with several cases (see the table in values.py)."""

from typing import Any, NamedTuple


class Ok(NamedTuple):
    value: Any = None


class Err(NamedTuple):
    value: Any = None


class Case(NamedTuple):
    name: str
    payload: Any = None


class Some(NamedTuple):
    """The payload of an option of options, which may be None itself."""

    value: Any
