"""Converts text to values of core Wasm and back; pure.

Inputs are what users type: decimal or ``0x``, signed or unsigned, floats with ``nan`` and ``inf``. Results
are what Rust's ``{}`` prints, because that is what the reference's runtimes print (contract: runtime.md 4.1
and 5).
"""

import math
import re
import struct
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from propeller.errors import Invalid
from propeller.runtime.quoting import shown

type_names = frozenset({"i32", "i64", "f32", "f64"})

_INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|([0-9]+))", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_HEX_FLOAT = re.compile(
    r"([+-]?)0[xX]([0-9a-fA-F]+)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?[0-9]{1,9}))?", re.ASCII
)
_NOT_FINITE = re.compile(r"[+-]?(?:inf|infinity|nan)", re.ASCII | re.IGNORECASE)
_DIGITS_MAX = 1000
_SMALLEST_NORMAL_F32 = 2.0**-126


def to_wasm(text: str, type_name: str, *, export: str, number: int) -> int | float:
    """Convert one input.

    Args:
        text: The user's; spaces around it do not matter.
        type_name: ``i32``, ``i64``, ``f32`` or ``f64``.
        export: The function's name, for the message.
        number: The number of the parameter, from 1, for the message.

    Raises:
        Invalid: The text is no such number, or does not fit the type.

    """
    value = (
        _integer(text, 32 if type_name == "i32" else 64) if type_name[0] == "i" else to_float(text, type_name)
    )
    if value is None:
        raise Invalid(
            f"parameter {number} of {export} is of type {type_name} ({_wanted(type_name)}), "
            f"but the input given is {shown(text)}"
        )
    return value


def to_text(value: float, type_name: str) -> str:
    """Write one result as Rust's ``{}`` does: no exponent, floats in the fewest digits that name them."""
    if type_name[0] == "i":
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    digits = repr(float(value)) if type_name == "f64" else _shortest_f32(value)
    text = format(Decimal(digits), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _wanted(type_name: str) -> str:
    if type_name[0] == "i":
        bits = int(type_name[1:])
        return f"a whole number from {-(2 ** (bits - 1))} to {2**bits - 1}"
    return "a number, decimal or as 0x1.8p3, inf or nan"


def _integer(text: str, bits: int) -> int | None:
    match = _INTEGER.fullmatch(text.strip())
    if match is None or len(text) > _DIGITS_MAX:
        return None
    value = int(match[2], 16) if match[2] else int(match[3])
    value = -value if match[1] == "-" else value
    if not -(1 << (bits - 1)) <= value < 1 << bits:
        return None
    return value - (1 << bits) if value >= 1 << (bits - 1) else value


def to_float(text: str, type_name: str) -> float | None:
    """Read an ``f32`` or ``f64``; None for other text, or a number too large for the type."""
    text = text.strip()
    if _NOT_FINITE.fullmatch(text):
        return float(text)
    if len(text) > _DIGITS_MAX or not (_FLOAT.fullmatch(text) or _HEX_FLOAT.fullmatch(text)):
        return None
    value = _nearest_f64(text) if type_name == "f64" else _nearest_f32(text)
    return None if math.isinf(value) else value


def _nearest_f64(text: str) -> float:
    if "x" not in text.lower():
        return float(text)
    try:
        return float.fromhex(text)
    except OverflowError:
        return math.inf


def _exact(text: str) -> Fraction:
    match = _HEX_FLOAT.fullmatch(text)
    if match is None:
        return Fraction(Decimal(text))
    sign, whole, part, power = match.groups(default="")
    value = int(whole + part, 16) * Fraction(2) ** (int(power or 0) - 4 * len(part))
    return -value if sign == "-" else value


def _nearest_f32(text: str) -> float:
    """Round the text itself to an f32; rounded to an f64 first, it would sometimes end one step off.

    The f64 that the f32 is made from is chosen by "round to odd", which makes a second rounding harmless.
    """
    near = _nearest_f64(text)
    if 1e-60 < abs(near) < 1e60:
        exact, found = _exact(text), Fraction(near)
        if exact != found and not _mantissa(near) & 1:
            near = math.nextafter(near, math.inf if exact > found else -math.inf)
    return _as_f32(near)


def _mantissa(value: float) -> int:
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits


def _as_f32(value: float) -> float:
    try:
        single: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return single


def _shortest_f32(value: float) -> str:
    if abs(value) >= _SMALLEST_NORMAL_F32 and abs(math.frexp(value)[0]) != 0.5:
        # Numbers that are as close to their neighbour below as to the one above are named best by their
        # nearest decimal, if one of that length does; six digits always come back as they were.
        for digits in (6, 7, 8, 9):
            text = f"{value:.{digits}g}"
            if _nearest_f32(text) == value:
                return text
    exact = Decimal(value)
    for digits in range(1, 9):
        for rounding in (ROUND_HALF_EVEN, ROUND_FLOOR, ROUND_CEILING):
            text = str(Context(prec=digits, rounding=rounding).create_decimal(exact))
            if _nearest_f32(text) == value:
                return text
    return str(Context(prec=9).create_decimal(exact))
