"""Cursors as texts, which clients hand back as they are."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TypeVar

import msgspec

from propeller.errors import Invalid
from propeller.store.port import Cursor, TaskCursor

AnyCursor = TypeVar("AnyCursor", Cursor, TaskCursor)

_INT64_MAX = 2**63 - 1


def read_cursor(given: str, kind: type[AnyCursor]) -> AnyCursor | None:
    """Read a cursor; None for ``""``, which is none; raise ``Invalid`` for what no answer gave."""
    if not given:
        return None
    try:
        cursor = msgspec.json.decode(urlsafe_b64decode(given + "=" * (-len(given) % 4)), type=kind)
        if 0 <= cursor[0] <= _INT64_MAX:
            return cursor
    except (binascii.Error, ValueError, msgspec.DecodeError):
        pass
    raise Invalid("cursor: it is none; give the next_cursor of the page before, as it is")


def write_cursor(cursor: Cursor | TaskCursor) -> str:
    return urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")
