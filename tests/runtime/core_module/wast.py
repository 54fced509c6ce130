"""Scripts of the official tests (``.wast``): which function is called with what, and what has to come of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

DIRECTORY = Path(__file__).parents[3] / ".spec"

_TOKEN = re.compile(r';;[^\n]*|\(;.*?;\)|"(?:[^"\\]|\\.)*"|[()]|[^\s()";]+', re.DOTALL)

Form = list[Any]


class Value(NamedTuple):
    type: str
    text: str


class Assertion(NamedTuple):
    """One call; ``wanted`` is its result, ``nan`` among the texts of floats, or else ``trap`` the words of a trap."""

    module: str
    export: str
    inputs: list[Value]
    wanted: Value | None
    trap: str
    source: str


def assertions(name: str) -> Iterator[Assertion]:
    """Read those of a script that say what a call of a function returns, or that it traps.

    Modules that remember something between calls are left out, because each of our tasks has an instance of its own.
    """
    module = ""
    for source, form in _forms((DIRECTORY / f"{name}.wast").read_text()):
        if form[0] == "module":
            module = (
                "" if re.search(r"\((?:import|memory|global|table)|\bbinary\b|\bquote\b", source) else source
            )
        elif str(form[0]).startswith(("assert_return", "assert_trap")) and form[1][0] == "invoke" and module:
            _, export, *inputs = form[1]
            if isinstance(export, str) and export.startswith('"'):
                yield _assertion(module, export.strip('"'), inputs, form, source)


def _assertion(module: str, export: str, inputs: Form, form: Form, source: str) -> Assertion:
    wanted, trap = None, ""
    if form[0] == "assert_trap":
        trap = str(form[2]).strip('"')
    elif "nan" in str(form[0]):  # assert_return_canonical_nan, assert_return_arithmetic_nan
        wanted = Value("f32" if re.search(r"f32\.const", source) else "f64", "nan")
    elif len(form) > 2:
        wanted = _value(form[2])
    return Assertion(module, export, [_value(one) for one in inputs], wanted, trap, source)


def _value(form: str | Form) -> Value:
    operation, text = form
    return Value(str(operation).removesuffix(".const"), str(text))


def _forms(text: str) -> Iterator[tuple[str, Form]]:
    """Split a script into its parts, each with its text."""
    stack: list[Form] = [[]]
    start = 0
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word.startswith((";;", "(;")):
            continue
        if word == "(":
            if len(stack) == 1:
                start = token.start()
            stack.append([])
        elif word == ")":
            done = stack.pop()
            stack[-1].append(done)
            if len(stack) == 1:
                yield text[start : token.end()], done
        else:
            stack[-1].append(word)
