"""Values of components as text (WAVE) and back; pure.

A type guides the reading, so a value is nested no deeper than its type is (``wit.DEPTH_MAX``). The table in
values.py shows them in Python.

Source: README.md and wave_ebnf.md of the crate wasm-wave, whose version 0.252 the reference prints with
(contract: runtime.md 4.2). It refuses, and this takes: names like keywords without ``%`` where nothing
else can be meant, and ``{}`` for a record whose fields may all be left out.
"""

from collections.abc import Callable
from typing import Any

from propeller.runtime.component import wit
from propeller.runtime.component.wave_readers import reader_of
from propeller.runtime.component.wave_tokens import Fault, TokenReader
from propeller.runtime.component.wave_writers import writer_of


def parse(text: str, type_: wit.Type) -> Any:
    """Read a value.

    Raises:
        Invalid: The text is no value of the type; the message points at the character.

    """
    return parser_of(type_)(text)


def parser_of(type_: wit.Type) -> Callable[[str], Any]:
    """Make the parser of a type's values, which does what ``parse`` does for any number of texts.

    Raises:
        Invalid: The type has no text form.

    """
    read = reader_of(type_)

    def parse_one(text: str) -> Any:
        try:
            reader = TokenReader(text)
            value = read(reader)
            reader.end()
        except Fault as fault:
            raise fault.invalid(text) from None
        return value

    return parse_one


def render(value: Any, type_: wit.Type) -> str:
    """Write a value that a guest gave.

    Raises:
        Invalid: The type has no text form.

    """
    return writer_of(type_)(value)
