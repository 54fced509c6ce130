"""Gives back what it is given, for every kind of value; see world.wit."""

from componentize_py_types import Err


def same(self, value):
    return value


def outcome(self, value):
    """A function that gives a result fails by raising."""
    if isinstance(value, Err):
        raise value
    return value.value


class WitWorld:
    echo_bool = echo_s8 = echo_u8 = echo_s16 = echo_u16 = echo_s32 = echo_u32 = echo_s64 = echo_u64 = same
    echo_f32 = echo_f64 = echo_char = echo_string = echo_bytes = echo_strings = same
    echo_record = echo_tuple = echo_variant = echo_enum = echo_flags = echo_nested = same
    echo_option = echo_option_option = same
    echo_result = echo_result_empty = echo_result_error = outcome

    def two(self, first, second):
        return first, second

    def nothing(self):
        pass

    def fail(self):
        raise RuntimeError("failed as asked")


class Prices:
    def total(self, items):
        return sum(item.price * item.count for item in items)
