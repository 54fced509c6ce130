"""Writers of WAVE text (``wave.py``), one for each type."""

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from propeller.errors import Invalid
from propeller.runtime.component import wit
from propeller.runtime.component.variants import Case, Err, Ok, Some
from propeller.runtime.core_module.values import to_text

_Write = Callable[[Any], str]

_KEYWORDS = frozenset({"true", "false", "inf", "nan", "some", "none", "ok", "err"})
_QUOTED = {"\\": r"\\", '"': r"\"", "'": r"\'", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


def writer_of(type_: wit.Type) -> Callable[[Any], str]:
    """Make the writer of a type's values.

    Raises:
        Invalid: The type has no text form.

    """
    match type_:
        case wit.Primitive():
            return _primitive_writer(type_.name)
        case wit.List():
            element = writer_of(type_.element)
            return lambda value: f"[{', '.join(map(element, value))}]"
        case wit.Tuple():
            elements = [writer_of(element) for element in type_.elements]
            return lambda value: (
                f"({', '.join(write(one) for write, one in zip(elements, value, strict=True))})"
            )
        case wit.Record():
            return _record_writer(type_)
        case wit.Enum():
            return case_name
        case wit.Flags():
            return lambda value: f"{{{', '.join(name for name in type_.names if name in value)}}}"
        case wit.Variant():
            return _variant_writer(type_)
        case wit.Option():
            return _option_writer(type_)
        case wit.Result():
            return _result_writer(type_)
    raise Invalid(f"values of {wit.type_text(type_)} have no text form")


def _primitive_writer(name: str) -> _Write:
    match name:
        case "bool":
            return lambda value: "true" if value else "false"
        case "f32" | "f64":
            return lambda value: to_text(value, name).lower()
        case "char":
            return lambda value: f"'{_quoted(value)}'"
        case "string":
            return lambda value: f'"{_quoted(value)}"'
    return str


def _record_writer(type_: wit.Record) -> _Write:
    writers = [(name, writer_of(field), isinstance(field, wit.Option)) for name, field in type_.fields]

    def write(value: dict[str, Any]) -> str:
        fields = []
        for name, field, is_option in writers:
            if not (is_option and value[name] is None):
                fields.append(f"{name}: {field(value[name])}")
        return f"{{{', '.join(fields) or ':'}}}"

    return write


def _variant_writer(type_: wit.Variant) -> _Write:
    writers = {name: _case_writer(case_name(name), of) for name, of in type_.cases}

    def write(value: Case) -> str:
        return writers[value.name](value.payload)

    return write


def _option_writer(type_: wit.Option) -> _Write:
    write_some = _case_writer("some", type_.payload)

    def write(value: Any) -> str:
        if value is None:
            return "none"
        return write_some(value.value if isinstance(value, Some) else value)

    return write


def _result_writer(type_: wit.Result) -> _Write:
    write_ok, write_err = _case_writer("ok", type_.ok), _case_writer("err", type_.err)

    def write(value: Ok | Err) -> str:
        return (write_ok if isinstance(value, Ok) else write_err)(value.value)

    return write


def _case_writer(name: str, payload: wit.Type | None) -> _Write:
    if payload is None:
        return lambda _: name
    write_payload = writer_of(payload)
    return lambda value: f"{name}({write_payload(value)})"


def case_name(name: str) -> str:
    return f"%{name}" if name in _KEYWORDS else name


def _quoted(text: str) -> str:
    return "".join(map(_quoted_char, text))


@lru_cache(4096)
def _quoted_char(char: str) -> str:
    quoted = _QUOTED.get(char)
    if quoted is not None:
        return quoted
    is_shown = char.isprintable() and unicodedata.category(char) not in {"Mn", "Me"}
    return char if is_shown else f"\\u{{{ord(char):x}}}"
