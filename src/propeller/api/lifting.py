"""Takes the modules out of a large body before it is decoded.

A decoder that has begun with a body goes through all of it, and nothing else of the program runs meanwhile.
Most of a large body is modules in base64, which need no decoder of JSON: here each of them gives its place to
a short random text, which can't be in the body by chance, and is decoded piece by piece.
"""

import binascii
import os
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256

#: A shorter text stays where it is.
_LONG = 4096
#: Bytes that are scanned in one step, between which other threads get their turn.
_STEP = 1 << 20
_KEY = b'"file"'
_VALUE = re.compile(rb'\s{0,64}:\s{0,64}"')


class Lifted:
    """The modules that were taken out of a body, by the text that stands in the place of each."""

    def __init__(self, files: Mapping[str, memoryview] | None = None) -> None:
        self._files = files or {}
        self._asked: set[str] = set()

    def find(self, text: str) -> memoryview | None:
        """Give the base64 that this text stands for; None where it stands for itself."""
        found = self._files.get(text)
        if found is not None:
            self._asked.add(text)
        return found

    @property
    def is_used_up(self) -> bool:
        """Whether each was asked for. If not, one was no module, and the decoded body is not the sent one."""
        return len(self._asked) == len(self._files)


def lift(body: bytes) -> tuple[bytes, Lifted]:
    """Take out what stands under ``file`` and is long; return what is left of the body, and that."""
    mark = os.urandom(16).hex()
    view = memoryview(body)
    files: dict[str, memoryview] = {}
    rest: list[bytes | memoryview] = []
    at = 0
    for start, end in _long_files(body):
        name = f"{mark}{len(files)}"
        files[name] = view[start:end]
        rest += [view[at:start], name.encode()]
        at = end
    return b"".join([*rest, view[at:]]) if files else body, Lifted(files)


def _long_files(body: bytes) -> Iterator[tuple[int, int]]:
    """Find where they begin and end. The key can't be part of a text: there its quotes would be escaped."""
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
        if end - start >= _LONG and _find(body, b"\\", start, end) < 0:
            yield start, end
        at = _find(body, _KEY, end + 1)


def _find(body: bytes, wanted: bytes, start: int, end: int | None = None) -> int:
    """Do what ``bytes.find`` does, with breaks."""
    end = len(body) if end is None else end
    while start < end:
        found = body.find(wanted, start, min(start + _STEP + len(wanted) - 1, end))
        if found >= 0:
            return found
        start += _STEP
    return -1


def from_base64(text: bytes | memoryview) -> bytes:
    """Decode strictly, with breaks; raise ``ValueError`` that says what is wrong."""
    pieces = []
    for start in range(0, len(text), _STEP):
        piece = text[start : start + _STEP]
        if len(piece) == _STEP and start + _STEP < len(text) and piece[-1] == ord("="):
            raise binascii.Error("Excess data after padding")
        pieces.append(binascii.a2b_base64(piece, strict_mode=True))
    return b"".join(pieces)


def sum_of(text: memoryview) -> bytes:
    return sha256(text).digest()
