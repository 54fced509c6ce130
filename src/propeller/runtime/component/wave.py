"""Values of components as text (WAVE) and back; pure.

A type guides the reading, so a value is nested no deeper than its type is (``wit.DEPTH_MAX``). The table in
values.py shows them in Python.

Source: README.md and wave_ebnf.md of the crate wasm-wave, whose version 0.252 the reference prints with
(contract: runtime.md 4.2). It refuses, and this takes: names like keywords without ``%`` where nothing
else can be meant, and ``{}`` for a record whose fields may all be left out.
"""

from typing import Any

from propeller.errors import Invalid
from propeller.runtime.component import wit
from propeller.runtime.component.wave_readers import reader_of
from propeller.runtime.component.wave_tokens import Fault, TokenReader
from propeller.runtime.component.wave_writers import writer_of


def parse(text: str, type_: wit.Type) -> Any:
    """Read a value.

    Raises:
        Invalid: The text is no value of the type; the message points at the character.

    """
    try:
        reader = TokenReader(text)
        value = reader_of(type_)(reader)
        reader.end()
    except Fault as fault:
        raise fault.invalid(text) from None
    return value


def render(value: Any, type_: wit.Type) -> str:
    """Write a value that a guest gave.

    Raises:
        Invalid: The type has no text form.

    """
    return writer_of(type_)(value)


def check(function: wit.Function, name: str) -> None:
    """Raise ``Invalid`` where a parameter or the result of a function has no text form.

    The result is checked too, so that no guest runs in vain.
    """
    results = () if function.result is None else (function.result,)
    for type_ in (*(type_ for _, type_ in function.params), *results):
        if (strange := wit.without_text(type_)) is not None:
            signature = wit.function_text(name, function)
            raise Invalid(
                f"values of {wit.type_text(strange)} have no text form, so this can't be called: {signature}"
            )


def arguments(function: wit.Function, name: str, inputs: list[str]) -> list[Any]:
    """Read the arguments of a function.

    Args:
        function: Its type.
        name: As the user calls it, for messages.
        inputs: One text for each parameter.

    Raises:
        Invalid: An input does not fit, there are too many or too few, or ``check`` raises it.

    """
    if len(inputs) != len(function.params):
        raise Invalid(
            f"Argument count mismatch for '{name}': expected {len(function.params)} but got {len(inputs)}; "
            f"it is {wit.function_text(name, function)}"
        )
    check(function, name)
    values = []
    for number, (text, (param, type_)) in enumerate(zip(inputs, function.params, strict=True), 1):
        try:
            values.append(parse(text, type_))
        except Invalid as error:
            raise Invalid(
                f"parameter {number} ({param}) of {name} is of type {wit.type_text(type_)}: {error}"
            ) from None
    return values
