"""Readers of WAVE text (``wave.py``), one for each type.

A reader of a type is made once and then reads any number of values, as those of a list.
"""

import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from propeller.errors import Invalid
from propeller.runtime.component import wit
from propeller.runtime.component.variants import Case, Err, Ok, Some
from propeller.runtime.component.wave_tokens import TokenReader
from propeller.runtime.core_module.values import to_float

_Read = Callable[[TokenReader], Any]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,19})", re.ASCII)
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?|nan|-?inf", re.ASCII)
_NAMES_SHOWN_MAX = 12


def reader_of(type_: wit.Type) -> Callable[[TokenReader], Any]:
    """Make the reader of a type's values; it raises ``Fault``.

    Raises:
        Invalid: The type has no text form.

    """
    match type_:
        case wit.Primitive():
            return _primitive_reader(type_.name)
        case wit.List():
            return _list_reader(type_)
        case wit.Tuple():
            return _tuple_reader(type_)
        case wit.Record():
            return _record_reader(type_)
        case wit.Enum():
            return _enum_reader(type_)
        case wit.Flags():
            return _flags_reader(type_)
        case wit.Variant():
            return _variant_reader(type_)
        case wit.Option() | wit.Result():
            return _choice_reader(type_)
    raise Invalid(f"values of {wit.type_text(type_)} have no text form")


def _primitive_reader(name: str) -> _Read:
    match name:
        case "bool":
            return _read_bool
        case "char":
            return TokenReader.char
        case "string":
            return TokenReader.string
        case "f32" | "f64":
            return lambda reader: _read_float(reader, name)
    sign, bits = wit.INTEGERS[name]
    low, high = (0, 2**bits - 1) if sign == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def read(reader: TokenReader) -> int:
        at = reader.start()
        word = reader.word()
        value = int(word) if _INTEGER.fullmatch(word) else high + 1
        if not low <= value <= high:
            reader.fail(f"expected a whole number from {low} to {high}", at)
        return value

    return read


def _read_bool(reader: TokenReader) -> bool:
    at = reader.start()
    word = reader.keyword()
    if word not in {"true", "false"}:
        reader.fail("expected true or false", at)
    return word == "true"


def _read_float(reader: TokenReader, name: str) -> float:
    at = reader.start()
    word = reader.word()
    value = to_float(word, name) if _FLOAT.fullmatch(word) else None
    if value is None:
        reader.fail(f"expected a decimal number that an {name} can hold, nan, inf or -inf", at)
    return value


def _list_reader(type_: wit.List) -> _Read:
    element = reader_of(type_.element)
    make = bytes if type_.element == wit.Primitive("u8") else list

    def read(reader: TokenReader) -> Any:
        reader.expect("[", "a list in square brackets")
        return make([element(reader) for _ in reader.items("]")])

    return read


def _tuple_reader(type_: wit.Tuple) -> _Read:
    elements = [reader_of(element) for element in type_.elements]
    wanted = f"a tuple of {len(elements)} in parentheses"

    def read(reader: TokenReader) -> Any:
        reader.expect("(", wanted)
        values = []
        for number, element in enumerate(elements, 1):
            values.append(element(reader))
            if not reader.take(",") and number < len(elements):
                reader.fail(f"expected a comma: it is {wanted}")
        reader.expect(")", f"the closing parenthesis: it is {wanted}")
        return tuple(values)

    return read


def _record_reader(type_: wit.Record) -> _Read:
    fields = {name: reader_of(field) for name, field in type_.fields}
    optional = {name for name, field in type_.fields if isinstance(field, wit.Option)}
    names = _listed(fields)

    def read(reader: TokenReader) -> dict[str, Any]:
        reader.expect("{", f"a record in braces, with the fields {names}")
        given: dict[str, Any] = {}
        if reader.take(":"):
            reader.expect("}", "} behind {:")
        else:
            for _ in reader.items("}"):
                at = reader.start()
                name = reader.label(f"a field's name: {names}")
                if name not in fields or name in given:
                    problem = (
                        f"the field {name} is there twice" if name in given else f"there is no field {name}"
                    )
                    reader.fail(f"{problem}; the fields are {names}", at)
                reader.expect(":", f"a colon and the value of {name}")
                given[name] = fields[name](reader)
        for name in fields:
            if name not in given and name not in optional:
                reader.fail(f"the field {name} is missing", reader.at - 1)
        return {name: given.get(name) for name in fields}

    return read


def _enum_reader(type_: wit.Enum) -> _Read:
    names, wanted = frozenset(type_.names), _listed(type_.names)

    def read(reader: TokenReader) -> str:
        at = reader.start()
        name = reader.label(f"one of {wanted}")
        if name not in names:
            reader.fail(f"expected one of {wanted}", at)
        return name

    return read


def _flags_reader(type_: wit.Flags) -> _Read:
    name_of, wanted = _enum_reader(wit.Enum(type_.names)), _listed(type_.names)

    def read(reader: TokenReader) -> set[str]:
        reader.expect("{", f"flags in braces, of {wanted}")
        flags = set[str]()
        for _ in reader.items("}"):
            at = reader.start()
            name = name_of(reader)
            if name in flags:
                reader.fail(f"the flag {name} is there twice", at)
            flags.add(name)
        return flags

    return read


def _variant_reader(type_: wit.Variant) -> _Read:
    payloads = _payload_readers(type_.cases)
    wanted = _listed([name if of is None else f"{name}(…)" for name, of in type_.cases])

    def read(reader: TokenReader) -> Case:
        at = reader.start()
        name = reader.label(f"one of {wanted}")
        if name not in payloads:
            reader.fail(f"expected one of {wanted}", at)
        return Case(name, _payload(reader, name, payloads[name]))

    return read


def _choice_reader(type_: wit.Option | wit.Result) -> _Read:
    """Read an option or a result; the payload of ``some`` or ``ok`` may stand alone unless it is one too."""
    make: dict[str, Callable[[Any], Any]]
    inner: wit.Type | None
    if isinstance(type_, wit.Option):
        wanted, usual, inner = "some(…) or none", "some", type_.payload
        payloads = _payload_readers((("none", None), ("some", inner)))
        make = {"none": _same, "some": Some if isinstance(inner, wit.Option) else _same}
    else:
        wanted, usual, inner = "ok or err, with what belongs to it", "ok", type_.ok
        payloads = _payload_readers((("ok", inner), ("err", type_.err)))
        make = {"ok": Ok, "err": Err}
    flat = None if inner is None or isinstance(inner, wit.Option | wit.Result) else payloads[usual]

    def read(reader: TokenReader) -> Any:
        at = reader.start()
        name = reader.keyword()
        if name is not None and name in payloads:
            return make[name](_payload(reader, name, payloads[name]))
        reader.at = at
        if flat is None:
            reader.fail(f"expected {wanted}")
        return make[usual](flat(reader))

    return read


def _same(value: Any) -> Any:
    return value


def _payload_readers(cases: Iterable[tuple[str, wit.Type | None]]) -> dict[str, _Read | None]:
    return {name: None if of is None else reader_of(of) for name, of in cases}


def _payload(reader: TokenReader, name: str, payload: _Read | None) -> Any:
    """Read the payload behind the name of a case."""
    if payload is None:
        return None
    reader.expect("(", f"a parenthesis and the value of {name}")
    value = payload(reader)
    reader.expect(")", "the closing parenthesis")
    return value


def _listed(names: Any) -> str:
    more = len(names) - _NAMES_SHOWN_MAX
    return ", ".join(islice(names, _NAMES_SHOWN_MAX)) + (f" and {more} more" if more > 0 else "")
