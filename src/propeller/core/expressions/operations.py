"""What operators and functions of expressions do with values; pure, and bounded in time and memory.

A value is what JSON has. Each operation counts its work, so that no expression runs long: a unit is one value
that is looked at, or 1,024 characters; 128 where they are searched.
"""

import math
from collections.abc import Callable
from typing import Any

import msgspec

#: The most work of one evaluation, in units; some 20 ms.
WORK_MAX = 20_000
#: The most characters of a text that an expression makes.
TEXT_CHARS_MAX = 262_144
#: How deep values may be nested.
DEPTH_MAX = 60
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class Unable(Exception):
    """An expression can't be evaluated; the message is a sentence for the user."""


class Run(msgspec.Struct):
    """One evaluation."""

    #: ``results`` and ``states``, each by parent.
    variables: dict[str, dict[str, Any]]
    work: int = 0

    def spend(self, units: int) -> None:
        self.work += units
        if self.work > WORK_MAX:
            raise Unable("it has too much to look at; compare less, or let a task do it")


def kind_of(value: Any) -> str:
    """Name the kind of a value, for messages."""
    if value is None:
        return "null"
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "a value"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "a text"),
    (list, "a list"),
    (dict, "an object"),
)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def truth(value: Any, of: str) -> bool:
    if isinstance(value, bool):
        return value
    raise Unable(f"{of} takes true or false, not {kind_of(value)}")


def equal(run: Run, left: Any, right: Any, depth: int = 0) -> bool:
    """Compare values; those of different kinds differ, but for numbers."""
    if depth > DEPTH_MAX:
        raise Unable(f"a value is nested more than {DEPTH_MAX} levels deep")
    run.spend(1)
    if isinstance(left, str) and isinstance(right, str):
        run.spend(min(len(left), len(right)) // 1024)
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            equal(run, one, other, depth + 1) for one, other in zip(left, right, strict=True)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            equal(run, one, right[key], depth + 1) for key, one in left.items()
        )
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)


def relate(run: Run, how: str, left: Any, right: Any) -> bool:
    """Carry out ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` and ``in``."""
    if how in ("==", "!="):
        return equal(run, left, right) == (how == "==")
    if how == "in":
        return _is_in(run, left, right)
    run.spend(1)
    is_text = isinstance(left, str) and isinstance(right, str)
    is_bool = isinstance(left, bool) and isinstance(right, bool)
    if not (is_text or is_bool or (_is_number(left) and _is_number(right))):
        raise Unable(f"{how} can't compare {kind_of(left)} with {kind_of(right)}")
    if is_text:
        run.spend(min(len(left), len(right)) // 1024)
    return _ORDER[how](left, right)


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _is_in(run: Run, wanted: Any, where: Any) -> bool:
    if isinstance(where, dict):
        run.spend(1)
        return isinstance(wanted, str) and wanted in where
    if isinstance(where, list):
        return any(equal(run, wanted, one) for one in where)
    raise Unable(f"in looks into a list or an object, not into {kind_of(where)}")


def calculate(run: Run, how: str, left: Any, right: Any) -> Any:
    """Carry out ``+``, ``-``, ``*``, ``/`` and ``%``."""
    run.spend(1)
    if how == "+" and isinstance(left, str) and isinstance(right, str):
        run.spend((len(left) + len(right)) // 1024)
        if len(left) + len(right) > TEXT_CHARS_MAX:
            raise Unable(f"+ would make a text of more than {TEXT_CHARS_MAX:,} characters")
        return left + right
    if how == "+" and isinstance(left, list) and isinstance(right, list):
        run.spend(len(left) + len(right))
        return left + right
    if not (_is_number(left) and _is_number(right)):
        raise Unable(f"{how} can't take {kind_of(left)} and {kind_of(right)}")
    if isinstance(left, float) != isinstance(right, float):
        raise Unable(f"{how} takes two whole numbers or two fractions; write double(…) or int(…)")
    try:
        found = _CALCULATIONS[how](left, right)
    except ZeroDivisionError:
        raise Unable(f"{how} divides by zero") from None
    return found if isinstance(found, float) else in_range(found)


def _quotient(left: Any, right: Any) -> Any:
    """Divide; whole numbers are cut towards zero."""
    if isinstance(left, float):
        return left / right
    found = abs(left) // abs(right)
    return found if (left < 0) == (right < 0) else -found


def _remainder(left: Any, right: Any) -> Any:
    if isinstance(left, float):
        raise Unable("% takes whole numbers")
    return left - right * _quotient(left, right)


_CALCULATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _quotient,
    "%": _remainder,
}


def in_range(number: int) -> int:
    if not _INT_MIN <= number <= _INT_MAX:
        raise Unable("a whole number is out of range: it has at most 64 bits")
    return number


def negative(value: Any) -> Any:
    if not _is_number(value):
        raise Unable(f"- can't take {kind_of(value)}")
    return -value if isinstance(value, float) else in_range(-value)


def item(run: Run, of: Any, key: Any) -> Any:
    """Give an item of a list by its number, or one of an object by its key."""
    run.spend(1)
    if isinstance(of, dict):
        if isinstance(key, str) and key in of:
            return of[key]
        raise Unable(f"there is no key {shown(key)}")
    if isinstance(of, list):
        if isinstance(key, bool) or not isinstance(key, int):
            raise Unable(f"the items of a list have whole numbers, not {kind_of(key)}")
        if 0 <= key < len(of):
            return of[key]
        raise Unable(f"there is no item {key} in a list of {len(of)}")
    raise Unable(f"{kind_of(of)} has no items")


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


# -- functions ---------------------------------------------------------------------------------------------


def _size(run: Run, of: Any) -> int:
    if not isinstance(of, str | list | dict):
        raise Unable(f"size takes a text, a list or an object, not {kind_of(of)}")
    return len(of)


def _of_texts(name: str, function: Callable[[str, str], bool]) -> Callable[[Run, Any, Any], bool]:
    def checked(run: Run, text: Any, part: Any) -> bool:
        if not (isinstance(text, str) and isinstance(part, str)):
            raise Unable(f"{name} takes texts, not {kind_of(part if isinstance(text, str) else text)}")
        run.spend(len(part) // 1024)
        return function(text, part)

    return checked


def _contains(run: Run, text: Any, part: Any) -> bool:
    if isinstance(text, str):
        run.spend(len(text) // 16)  # the search takes longer for some parts than for others
    return _FOUND_IN(run, text, part)


_FOUND_IN = _of_texts("contains", lambda text, part: part in text)


def _int(run: Run, of: Any) -> int:
    if isinstance(of, float) and math.isfinite(of):
        return in_range(int(of))
    if isinstance(of, int) and not isinstance(of, bool):
        return in_range(of)
    if isinstance(of, str) and len(of) <= 20 and of.removeprefix("-").isdecimal() and of.isascii():
        return in_range(int(of))
    raise Unable(f"int can't read {shown(of)}{_advice(of)}")


def _double(run: Run, of: Any) -> float:
    if _is_number(of):
        return float(of)
    if isinstance(of, str) and len(of) <= 400 and of.strip() == of and "_" not in of:
        try:
            return float(of)
        except ValueError:
            pass
    raise Unable(f"double can't read {shown(of)}{_advice(of)}")


def _advice(of: Any) -> str:
    is_spaced = isinstance(of, str) and of.strip() != of
    return "; write .trim() after it, which takes spaces and newlines off" if is_spaced else ""


def _string(run: Run, of: Any) -> str:
    if isinstance(of, str):
        return of
    if isinstance(of, bool):
        return "true" if of else "false"
    if _is_number(of):
        return str(of)
    raise Unable(f"string can't take {kind_of(of)}")


def _trim(run: Run, of: Any) -> str:
    if not isinstance(of, str):
        raise Unable(f"trim takes a text, not {kind_of(of)}")
    run.spend(len(of) // 1024)
    return of.strip()


#: By name: what it does, how many values it takes, and what kind it gives.
FUNCTIONS: dict[str, tuple[Callable[..., Any], int, str]] = {
    "size": (_size, 1, "a number"),
    "int": (_int, 1, "a number"),
    "double": (_double, 1, "a number"),
    "string": (_string, 1, "a text"),
}
#: The same, written after the first value: ``text.contains('x')``.
METHODS: dict[str, tuple[Callable[..., Any], int, str]] = {
    "size": (_size, 1, "a number"),
    "trim": (_trim, 1, "a text"),
    "contains": (_contains, 2, "true or false"),
    "startsWith": (_of_texts("startsWith", str.startswith), 2, "true or false"),
    "endsWith": (_of_texts("endsWith", str.endswith), 2, "true or false"),
}
