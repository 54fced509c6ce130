"""How text is kept: PostgreSQL's has no U+0000, which texts of guests and clients may have.

It is written as U+0001 and ``0``, and U+0001 itself as U+0001 and ``1``. That loses nothing, and keeps
the order of texts. Text in JSON has both escaped; the function ``json_of`` of the schema reads
them in the same way.

Each connection does that to every text, but not to those in arrays: these go through ``array``.
"""

import re
from collections.abc import Iterable

_ESCAPED = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0001([01])")


def encode(text: str) -> bytes:
    """Give a text as the database gets it."""
    return _kept(text).encode()


def decode(data: bytes) -> str:
    """Give a text of the database as it was."""
    text = bytes(data).decode()
    if "\1" in text:
        text = text.replace("\x010", "\0").replace("\x011", "\1")
    return text


def decode_json(data: bytes) -> bytes:
    """Give JSON that the database has written as it would be of the texts as they were."""
    return _ESCAPED.sub(rb"\1\\u000\2", data) if b"\\u0001" in data else data


def array(texts: Iterable[str | None]) -> list[str | None]:
    """Give texts for a parameter that is an array."""
    return [text and _kept(text) for text in texts]


def _kept(text: str) -> str:
    if "\0" in text or "\1" in text:
        text = text.replace("\1", "\x011").replace("\0", "\x010")
    return text
