"""Values of components: text to what wasmtime wants, what it gives to text."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from propeller.errors import Invalid
from propeller.runtime.component import wit
from propeller.runtime.component.calls import Parameters
from propeller.runtime.component.wave import parse, render
from propeller.runtime.component.wit import (
    Enum,
    Flags,
    Function,
    List,
    Option,
    Primitive,
    Result,
    Tuple,
    Variant,
)
from tests.runtime.component.helpers import PRIMITIVES, TYPES, call, identity, is_same, loaded, values

BOOL, U8, U32, S8, F32, F64 = map(Primitive, "bool u8 u32 s8 f32 f64".split())
CHAR, STRING = Primitive("char"), Primitive("string")
POINT = wit.Record((("x", U32), ("note-of", Option(STRING))))
#: Cases that only their names tell apart, if true is a number.
NUMBER = Variant((("number", U8), ("flag", BOOL)))
SHAPE = Variant((("none", None), ("circle", F64), ("named", STRING)))


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (BOOL, "true"),
        (S8, "-128"),
        (Primitive("u64"), "18446744073709551615"),
        (F64, "1"),
        (F64, "2.5"),
        (F32, "0.1"),
        (F64, "nan"),
        (F32, "-inf"),
        (CHAR, "'x'"),
        (CHAR, r"'\''"),
        (STRING, r'"Hello, \"you\"\n\t\\ it\'s \u{0} ☃"'),
        (List(U8), "[1, 2]"),
        (List(STRING), "[]"),
        (Tuple((U32, STRING)), '(1, "a")'),
        (POINT, '{x: 1, note-of: some("n")}'),
        (POINT, "{x: 1}"),
        (wit.Record((("a", Option(U8)),)), "{:}"),
        (SHAPE, "circle(0.5)"),
        (SHAPE, "%none"),
        (Enum(("ok", "not-found")), "%ok"),
        (Enum(("ok", "not-found")), "not-found"),
        (Flags(("read", "write")), "{read, write}"),
        (Flags(("read", "write")), "{}"),
        (Option(U8), "some(1)"),
        (Option(U8), "none"),
        (Option(Option(U8)), "none"),
        (Option(Option(U8)), "some(none)"),
        (Option(Option(U8)), "some(some(1))"),
        (NUMBER, "flag(true)"),
        (NUMBER, "number(1)"),
        (Result(Option(U8), STRING), 'err("x")'),
        (Result(Option(U8), STRING), "ok(none)"),
        (Result(U8, STRING), 'err("x")'),
        (Result(U8, U8), "err(1)"),
        (Result(None, None), "ok"),
        (Result(None, STRING), "ok"),
    ],
)
def test_values_come_through_a_component_as_they_were_written(type_, text):
    component, interface = loaded(identity(type_))
    of = interface.function(interface.choose("same"))
    (value,) = Parameters(of, "same").read([f"[{text}]"])
    assert of.result is not None
    assert render(call(component, of, value), of.result) == f"[{text}]"


@pytest.mark.parametrize(
    ("core", "types"),
    [
        ("one", "bool s8 u8 s16 u16 s32 u32 char".split()),
        ("long", ["s64", "u64"]),
        ("single", ["f32"]),
        ("double", ["f64"]),
    ],
)
def test_primitives_outside_of_a_list(core, types):
    for name in types:
        component, interface = loaded(identity(Primitive(name), core))
        text = {"bool": "true", "char": "'ß'"}.get(name, "7")
        value = call(component, interface.function(("same",)), parse(text, Primitive(name)))
        assert render(value, Primitive(name)) == text


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_any_value_of_any_type_comes_through_a_component(data):
    type_ = data.draw(TYPES)
    value = data.draw(st.lists(values(type_), max_size=3))
    list_of = List(type_)
    value = bytes(value) if type_ == U8 else value
    text = render(value, list_of)
    component, interface = loaded(identity(type_))
    of = interface.function(("same",))
    assert of.result == list_of
    given = parse(text, list_of)
    assert is_same(given, value)
    taken = call(component, of, given)
    assert is_same(taken, given)
    assert render(taken, list_of) == text


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_what_is_written_can_be_read(data):
    type_ = data.draw(TYPES)
    value = data.draw(values(type_))
    assert is_same(parse(render(value, type_), type_), value)


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_only_invalid_is_raised_whatever_the_text(data):
    type_ = data.draw(TYPES)
    good = render(data.draw(values(type_)), type_)
    some = data.draw(
        st.sampled_from(['"', '"""\n', "{", "[", "(", "'", "//", ",", ":", "\\", "\ud800", "🎈", "%"])
    )
    at = data.draw(st.integers(0, len(good)))
    cut = data.draw(st.integers(0, 3))
    for text in (data.draw(st.text(max_size=12)), good[:at] + some + good[at + cut :], good[:at]):
        with contextlib.suppress(Invalid):
            parse(text, type_)


@pytest.mark.parametrize(
    ("type_", "text", "as_written"),
    [
        (POINT, "{ note-of: none, x: 1, } // a point", "{x: 1}"),
        (POINT, '{\n  // where\n  %x: 1,\n  note-of: "n"\n}', '{x: 1, note-of: some("n")}'),
        (Option(U8), "1", "some(1)"),
        (Result(U8, STRING), "1", "ok(1)"),
        (Result(Flags(("ok",)), None), "{ok}", "ok({ok})"),
        (Option(SHAPE), "%none", "some(%none)"),
        (Option(SHAPE), "none", "none"),
        (List(U32), "[1,2,]", "[1, 2]"),
        (Tuple((U8, U8)), "(1,2,)", "(1, 2)"),
        (Flags(("a", "b", "c")), "{c,a,}", "{a, c}"),
        (F64, "6.022e+2", "602.2"),
        (F64, "-0", "-0"),
        (U32, " 10\n", "10"),
        (STRING, '"""\nA line\n"""', '"A line"'),
        (STRING, '"""\r\n    In\r\n      deeper \\u{41}""\r\n  """', r'"  In\n    deeper A\"\""'),
        (STRING, r'"\u{1F388}\r\'"', r'"🎈\r\'"'),
        (STRING, '"e\u0301\u200d\u00a0"', r'"e\u{301}\u{200d}\u{a0}"'),
        (CHAR, "'\"'", r"'\"'"),
    ],
)
def test_other_ways_to_write_a_value(type_, text, as_written):
    assert render(parse(text, type_), type_) == as_written


@pytest.mark.parametrize(
    ("type_", "text", "message"),
    [
        (STRING, "John Doe", "expected a string in double quotes at character 1:\n  John Doe\n  ^"),
        (List(U8), "[1, 256]", "expected a whole number from 0 to 255 at character 5:\n  [1, 256]\n      ^"),
        (U8, "-1", "expected a whole number from 0 to 255 at character 1:"),
        (U8, "007", "expected a whole number from 0 to 255 at character 1:"),
        (U8, "1.0", "expected a whole number from 0 to 255 at character 1:"),
        (U8, "9" * 9999, "expected a whole number from 0 to 255 at character 1:"),
        (F32, "1e39", "expected a decimal number that an f32 can hold, nan, inf or -inf at character 1:"),
        (U8, "1 2", "expected the end of the value at character 3:\n  1 2\n    ^"),
        (U8, "", "expected a whole number from 0 to 255 at character 1:\n  \n  ^"),
        (BOOL, "True", "expected true or false at character 1:"),
        (POINT, "{}", "the field x is missing at character 2:"),
        (POINT, "{x: 1, y: 2}", "there is no field y; the fields are x, note-of at character 8:"),
        (POINT, "{x: 1, x: 2}", "the field x is there twice; the fields are x, note-of at character 8:"),
        (POINT, "{x 1}", "expected a colon and the value of x at character 4:"),
        (SHAPE, "square(1)", "expected one of none, circle(…), named(…) at character 1:"),
        (SHAPE, "circle", "expected a parenthesis and the value of circle at character 7:"),
        (SHAPE, "circle(1", "expected the closing parenthesis at character 9:"),
        (Flags(("a",)), "{a, a}", "the flag a is there twice at character 5:"),
        (Option(Option(U8)), "1", "expected some(…) or none at character 1:"),
        (Result(None, U8), "1", "expected ok or err, with what belongs to it at character 1:"),
        (Tuple((U8, U8)), "(1)", "expected a comma: it is a tuple of 2 in parentheses at character 3:"),
        (Tuple((U8,)), "(1, 2)", "expected the closing parenthesis: it is a tuple of 1 in parentheses"),
        (List(U8), "[1 2]", "expected a comma or ] at character 4:"),
        (List(U8), "[,]", "expected a whole number from 0 to 255 at character 2:"),
        (STRING, '"abc', "the string that begins here has no end: expected a closing quote at character 1:"),
        (STRING, '"a\nb"', r"a line end inside of a string has to be written \n at line 1, character 3:"),
        (STRING, r'"\x"', r"expected one of \n \r \t \" \' \\ \u{…} at character 2:"),
        (STRING, r'"\u{d800}"', "there is no such character at character 2:"),
        (STRING, '"\ud800"', "half of a surrogate pair is no character"),
        (STRING, '"""x\n"""', 'expected a line end behind """ at line 1, character 4:'),
        (STRING, '"""\nx\n  """', 'expected 2 spaces, as before the closing """ at line 2, character 1:'),
        (CHAR, "'ab'", "expected one character in single quotes at character 1:"),
        (CHAR, "''", "expected one character in single quotes at character 1:"),
        (wit.Handle("file", is_borrowed=False), "1", "values of own<file> have no text form"),
    ],
)
def test_messages_point_at_the_character(type_, text, message):
    with pytest.raises(Invalid) as found:
        parse(text, type_)
    assert str(found.value).startswith(message)


def test_a_long_line_is_cut_around_the_place():
    with pytest.raises(Invalid) as found:
        parse(f"[{'1, ' * 500}x{', 1' * 500}]", List(U8))
    lines = str(found.value).splitlines()
    assert lines[0].endswith("at character 1502:")
    assert lines[1][len(lines[2]) - 1] == "x"
    assert len(lines[1]) < 80


GREET = Function((("count", U32), ("name", STRING)), STRING)


def test_arguments_are_counted_and_named():
    assert Parameters(GREET, "greet").read(["10", '"Jo"']) == [10, "Jo"]
    with pytest.raises(
        Invalid, match=r"^Argument count mismatch for 'greet': expected 2 but got 0; it is "
    ) as found:
        Parameters(GREET, "greet").read([])
    assert str(found.value).endswith("greet: func(count: u32, name: string) -> string")
    with pytest.raises(Invalid) as found:
        Parameters(GREET, "greet").read(["1", "John Doe"])
    assert str(found.value) == (
        "parameter 2 (name) of greet is of type string: "
        "expected a string in double quotes at character 1:\n  John Doe\n  ^"
    )


def test_nobody_is_called_whose_result_can_not_be_shown():
    opened = Function((), Result(wit.Handle("file", is_borrowed=False), STRING))
    with pytest.raises(
        Invalid, match=r"values of own<file> have no text form.*open: func\(\) -> result<own<file>"
    ):
        Parameters(opened, "open").read([])


def test_deep_types_neither_recurse_without_end_nor_fail():
    type_ = U8
    for _ in range(wit.DEPTH_MAX):
        type_ = Option(type_)
    text = "some(" * wit.DEPTH_MAX + "1" + ")" * wit.DEPTH_MAX
    assert render(parse(text, type_), type_) == text
    with pytest.raises(Invalid):
        parse("[" * 100_000, List(List(U8)))


@given(PRIMITIVES)
def test_each_primitive_has_a_reader_and_a_writer(type_):
    with pytest.raises(Invalid):
        parse("?", type_)


def test_big_values():
    text = "[" + ", ".join(f'(some({n}), "{n}\\n")' for n in range(30_000)) + "]"
    type_ = List(Tuple((Option(U32), STRING)))
    assert render(parse(text, type_), type_) == text
    long = '"' + "a\\n" * 500_000 + '"'
    assert render(parse(long, STRING), STRING) == long
    assert parse("//" * 100_000 + "\n" * 100_000 + "1", U8) == 1
