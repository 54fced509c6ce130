"""Making messages smaller that are larger than the broker takes."""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from propeller.core.failures import ErrorKind
from propeller.wire.fleet.codec import encode
from propeller.wire.fleet.from_proplet import InvokeResults, Logs, Results

#: How many characters of an error are left.
_ERROR_LENGTH = 1000
#: The size of a log message without its text.
_AROUND_TEXT_BYTES = 1024
#: The most bytes that JSON writes a character with.
_CHARACTER_BYTES = 6


def cut_down(report: Results | InvokeResults, why: str) -> bool:
    """Turn a result into a failure, or shorten an error; False if there is nothing to cut."""
    if report.results:
        report.results, report.results_encoding = "", UNSET
        report.error = f"the result's message {why}, or write less"
        if isinstance(report, Results):
            report.error_kind = ErrorKind.OUTPUT
        return True
    error = report.error or ""
    shorter = f"{error[:_ERROR_LENGTH]} … (cut, because the message {why})"
    if len(shorter) >= len(error):
        return False
    report.error = shorter
    return True


def small_enough(messages: Iterable[Logs], room_bytes: int) -> list[Logs]:
    """Cut pieces of logs that have more text than there is room for."""
    found: list[Logs] = []
    pending = list(messages)[::-1]
    while pending:
        one = pending.pop()
        if _is_small(one.text, room_bytes - _AROUND_TEXT_BYTES):
            found.append(one)
        else:
            pending += halves_of(one)[::-1]
    return found


def _is_small(text: str, room_bytes: int) -> bool:
    return len(text) < 2 or len(text) * _CHARACTER_BYTES <= room_bytes or len(encode(text)) <= room_bytes


def halves_of(message: Logs) -> list[Logs]:
    """Cut a piece of a log in two."""
    middle = len(message.text) // 2
    first, second = message.text[:middle], message.text[middle:]
    # Where what was no text had been replaced, this is not exact; that only orders the pieces.
    offset = message.offset + len(first.encode())
    return [
        msgspec.structs.replace(message, text=first, is_cut=False),
        msgspec.structs.replace(message, text=second, offset=offset),
    ]
