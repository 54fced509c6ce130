"""Takes the modules out of a large body before it is decoded.

A decoder that has begun with a body goes through all of it, and no other part of the program runs meanwhile.
Most of a large body is modules in base64, which need no JSON decoder. So each module is replaced by a short
random text, which can't be in the body by chance, and is decoded piece by piece.
"""

import binascii
import os
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256

#: Bytes of the shortest text that is taken out.
_LONG = 4096
#: Bytes that are scanned in one step; other threads get their turn between steps.
_STEP = 1 << 20
_KEY = b'"file"'
_VALUE = re.compile(rb'\s{0,64}:\s{0,64}"')
#: Of base64 in JSON: its lines may have ends, and some writers escape each slash.
_ESCAPES = {rb"\n": b"\n", rb"\r": b"\r", rb"\t": b"\t", rb"\/": b"/"}
#: May stand in base64; all but the first only escaped.
_SPACES = b" \n\r\t"


class Lifted:
    """The modules that were taken out of a body, by the text that replaces each."""

    def __init__(self, files: Mapping[str, memoryview] | None = None) -> None:
        self._files = files or {}
        self._asked: set[str] = set()

    def find(self, text: str) -> memoryview | None:
        """Give the base64 that this text replaces; None if it replaces none."""
        found = self._files.get(text)
        if found is not None:
            self._asked.add(text)
        return found

    @property
    def is_used_up(self) -> bool:
        """True if each was asked for. If not, one was no module, and the decoded body is wrong."""
        return len(self._asked) == len(self._files)


def lift(body: bytes) -> tuple[bytes, Lifted]:
    """Take out the long texts under ``file``; return the rest of the body, and these texts."""
    mark = os.urandom(16).hex()
    view = memoryview(body)
    files: dict[str, memoryview] = {}
    rest: list[bytes | memoryview] = []
    at = 0
    for start, end in _long_files(body):
        name = f"{mark}{len(files)}"
        files[name] = _unescaped(view[start:end])
        rest += [view[at:start], name.encode()]
        at = end
    return b"".join([*rest, view[at:]]) if files else body, Lifted(files)


def _long_files(body: bytes) -> Iterator[tuple[int, int]]:
    """Find the begin and end of each. The key can't be inside a text: its quotes would be escaped there."""
    at = _find(body, _KEY, 0)
    while at >= 0:
        value = _VALUE.match(body, at + len(_KEY))
        if value is None:
            at = _find(body, _KEY, at + len(_KEY))
            continue
        start = value.end()
        end = _find(body, b'"', start)
        if end < 0:
            return
        if end - start >= _LONG and _is_plain(body, start, end):
            yield start, end
        at = _find(body, _KEY, end + 1)


def _is_plain(body: bytes, start: int, end: int) -> bool:
    """Say whether a text has no escapes but those of base64, and nothing that JSON wants escaped."""
    if any(_find(body, bytes([space]), start, end) >= 0 for space in _SPACES[1:]):
        return False
    if _find(body, b"\\", start, end) < 0:
        return True
    return _count(body, b"\\", start, end) == sum(_count(body, escape, start, end) for escape in _ESCAPES)


def _count(body: bytes, wanted: bytes, start: int, end: int) -> int:
    """Count bytes as ``bytes.count`` does, in steps; they must not be able to overlap themselves."""
    reach = len(wanted) - 1
    return sum(body.count(wanted, at, min(at + _STEP + reach, end)) for at in range(start, end, _STEP))


def _unescaped(text: memoryview) -> memoryview:
    """Replace each escape by its meaning, in steps."""
    pieces: list[bytes] = []
    at = 0
    while at < len(text):
        piece = bytes(text[at : at + _STEP])
        if piece.endswith(b"\\"):  # the other half comes along
            piece = bytes(text[at : at + _STEP + 1])
        at += len(piece)
        for escape, meant in _ESCAPES.items():
            piece = piece.replace(escape, meant)
        pieces.append(piece)
    return memoryview(b"".join(pieces))


def _find(body: bytes, wanted: bytes, start: int, end: int | None = None) -> int:
    """Find bytes as ``bytes.find`` does, in steps."""
    end = len(body) if end is None else end
    while start < end:
        found = body.find(wanted, start, min(start + _STEP + len(wanted) - 1, end))
        if found >= 0:
            return found
        start += _STEP
    return -1


def from_base64(text: bytes | memoryview) -> bytes:
    """Decode strictly but for white space, in steps; raise ``ValueError`` that says what is wrong."""
    pieces: list[bytes] = []
    rest, is_padded = b"", False
    for start in range(0, len(text), _STEP):
        rest += bytes(text[start : start + _STEP]).translate(None, _SPACES)
        if is_padded and rest:
            raise binascii.Error("Excess data after padding")
        whole = len(rest) if start + _STEP >= len(text) else len(rest) // 4 * 4
        piece, rest = rest[:whole], rest[whole:]
        is_padded = piece.endswith(b"=")
        pieces.append(binascii.a2b_base64(piece, strict_mode=True))
    return b"".join(pieces)


def sum_of(text: memoryview) -> bytes:
    return sha256(text).digest()
