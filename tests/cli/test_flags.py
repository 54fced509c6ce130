"""What the texts of flags mean."""

import json

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from propeller.cli import options


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("a,", ["a", ""]),
        (",", ["", ""]),
        (" a, b", [" a", " b"]),
        ('"a,b",c', ["a,b", "c"]),
        ('a, "b,c"', ["a", "b,c"]),
        ('"say ""hi"""', ['say "hi"']),
        ('5"', ['5"']),
        ("a\nb,c", ["a\nb", "c"]),
        ('{"x":1}', ['{"x":1}']),
    ],
)
def test_lists_are_split_as_csv(text, parts):
    assert options.split(text, "--inputs") == parts


@pytest.mark.parametrize("text", ['"a', '"a"b', 'x,"a,b', '"'])
def test_quotes_that_do_not_match_are_refused(text):
    with pytest.raises(typer.BadParameter, match="--inputs: a quoted part does not end"):
        options.split(text, "--inputs")


@given(st.lists(st.text(), min_size=1))
def test_whatever_is_quoted_comes_back(parts):
    text = ",".join('"' + part.replace('"', '""') + '"' for part in parts)
    assert options.split(text, "--inputs") == parts


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("-5", -5),
        ("0", 0),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("9223372036854775807", 9223372036854775807),
        # What a number would not keep stays as it was typed.
        ("1.0", "1.0"),
        ("1e3", "1e3"),
        ("-0", "-0"),
        ("007", "007"),
        ("18446744073709551616", "18446744073709551616"),
        ("0.1000000000000000000001", "0.1000000000000000000001"),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("true", "true"),
        ("null", "null"),
        ('"x"', '"x"'),
        ("[" * 100_000, "[" * 100_000),
        ("", ""),
    ],
)
def test_numbers_are_sent_as_numbers(text, value):
    found = options.number_or_text(text)
    assert (found, type(found)) == (value, type(value))


@given(st.one_of(st.text(), st.floats().map(repr), st.integers().map(str)))
def test_whatever_is_typed_can_be_sent_and_is_not_changed(text):
    assert options.number_or_text(text) == text or json.dumps(options.number_or_text(text)) == text


def test_pairs():
    assert options.pairs(None, "--env") is None
    assert options.pairs([""], "--env") == {}
    assert options.pairs(["A=1,B=x=y", 'C="', '"D=1,2"'], "--env") == {
        "A": "1",
        "B": "x=y",
        "C": '"',
        "D": "1,2",
    }
    for wrong in ("A", "=1", "A=1,B"):
        with pytest.raises(typer.BadParameter, match="has to be KEY=VALUE"):
            options.pairs([wrong], "--env")
