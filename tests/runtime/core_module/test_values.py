import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propeller.errors import Invalid
from propeller.runtime.core_module.values import to_text, to_wasm
from propeller.runtime.quoting import shown


def parsed(text, type_name):
    return to_wasm(text, type_name, export="f", number=1)


@pytest.mark.parametrize(
    ("text", "type_name", "value"),
    [
        ("0", "i32", 0),
        (" -7\n", "i32", -7),
        ("+7", "i32", 7),
        ("2147483647", "i32", 2147483647),
        ("-2147483648", "i32", -2147483648),
        ("4294967295", "i32", -1),
        ("2147483648", "i32", -2147483648),
        ("0xffffffff", "i32", -1),
        ("-0x10", "i32", -16),
        ("0X1f", "i64", 31),
        ("18446744073709551615", "i64", -1),
        ("-9223372036854775808", "i64", -(2**63)),
        ("3", "f64", 3.0),
        (".5", "f64", 0.5),
        ("5.", "f64", 5.0),
        ("-1e-3", "f64", -0.001),
        ("0.1", "f32", struct.unpack("<f", struct.pack("<f", 0.1))[0]),
        ("0x1.8p3", "f64", 12.0),
        ("-0X10", "f64", -16.0),
        ("0x1.p-149", "f32", 2.0**-149),
        ("0x1.fffffep+127", "f32", float.fromhex("0x1.fffffep+127")),
        # Likewise just above the middle, by a bit that an f64 has no place for.
        ("0x1.00000100000000001p0", "f32", 1.0 + 2**-23),
        ("inf", "f64", math.inf),
        ("-Infinity", "f32", -math.inf),
        # Rounded to an f64 first, this would end at 1.0: it lies just above the middle between two f32.
        ("1.000000059604644775390625000000000000000000001", "f32", 1.0 + 2**-23),
        ("1.000000059604644775390625", "f32", 1.0),
    ],
)
def test_what_may_be_typed(text, type_name, value):
    assert parsed(text, type_name) == value


def test_nan():
    assert math.isnan(parsed("NaN", "f32"))
    assert math.isnan(parsed("-nan", "f64"))


@pytest.mark.parametrize(
    ("text", "type_name"),
    [
        ("", "i32"),
        ("ten", "i32"),
        ("1.5", "i32"),
        ("4294967296", "i32"),
        ("-2147483649", "i32"),
        ("0x", "i32"),
        ("1_000", "i32"),
        ("١", "i32"),  # noqa: RUF001 - a digit, but not one of ours
        ("9" * 5000, "i64"),
        ("18446744073709551616", "i64"),
        ("", "f64"),
        (".", "f64"),
        ("1e", "f64"),
        ("1e999999999999", "f64"),
        ("1e39", "f32"),
        ("1e400", "f64"),
        ("0x", "f64"),
        ("0x.8", "f64"),
        ("0x1p128", "f32"),
        ("0x1p1024", "f64"),
        ("0x1p999999999", "f32"),
        ("infinite", "f32"),
    ],
)
def test_what_may_not_be_typed(text, type_name):
    with pytest.raises(Invalid, match=f"parameter 1 of f is of type {type_name}"):
        parsed(text, type_name)


def test_the_message_says_all():
    with pytest.raises(Invalid) as error:
        to_wasm("ten", "i32", export="main", number=2)
    assert str(error.value) == (
        "parameter 2 of main is of type i32 (a whole number from -2147483648 to 4294967295), "
        'but the input given is "ten"'
    )


@pytest.mark.parametrize(
    ("value", "type_name", "text"),
    [
        (3.0, "f64", "3"),
        (2.5, "f64", "2.5"),
        (-0.0, "f64", "-0"),
        (0.1, "f64", "0.1"),
        (1e21, "f64", "1000000000000000000000"),
        (1e-7, "f64", "0.0000001"),
        (100.0, "f32", "100"),
        (math.nan, "f64", "NaN"),
        (math.inf, "f32", "inf"),
        (-math.inf, "f64", "-inf"),
        (struct.unpack("<f", struct.pack("<f", 0.1))[0], "f32", "0.1"),
        (
            struct.unpack("<f", struct.pack("<f", 3.4028235e38))[0],
            "f32",
            "340282350000000000000000000000000000000",
        ),
        (2.0**-149, "f32", "0." + "0" * 44 + "1"),
        (16777216.0, "f32", "16777216"),
        (-5, "i64", "-5"),
    ],
)
def test_what_is_printed(value, type_name, text):
    assert to_text(value, type_name) == text


@given(st.integers(-(2**31), 2**31 - 1))
def test_i32_there_and_back(value):
    assert parsed(to_text(value, "i32"), "i32") == value
    assert parsed(hex(value & 0xFFFFFFFF), "i32") == value
    assert parsed(str(value & 0xFFFFFFFF), "i32") == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_i64_there_and_back(value):
    assert parsed(to_text(value, "i64"), "i64") == value
    assert parsed(str(value & (2**64 - 1)), "i64") == value


@given(st.floats(allow_nan=False))
def test_f64_there_and_back(value):
    text = to_text(value, "f64")
    assert "e" not in text
    assert struct.pack("<d", parsed(text, "f64")) == struct.pack("<d", value)


@given(st.floats(allow_nan=False, width=32))
def test_f32_there_and_back_in_at_most_nine_digits(value):
    text = to_text(value, "f32")
    assert "e" not in text
    assert len(text.strip("-0").replace(".", "").strip("0")) <= 9
    assert struct.pack("<f", parsed(text, "f32")) == struct.pack("<f", value)


@given(st.text(), st.sampled_from(["i32", "i64", "f32", "f64"]))
def test_any_text_is_a_number_or_a_sentence(text, type_name):
    try:
        assert isinstance(parsed(text, type_name), int if type_name[0] == "i" else float)
    except Invalid as error:
        assert "but the input given is" in str(error)  # noqa: PT017 - both ways are right


def test_long_inputs_are_cut_in_messages():
    assert shown('a"b\\') == '"a\\"b\\\\"'
    assert len(shown("x" * 1000)) < 100
    assert shown(["1"] * 10).endswith('"1", … (10 in all)]')
