"""Masking secrets in what guests print. Pure.

Every place where a value occurs becomes ``***``; places that overlap become one. A value is also found as
JSON writes it, with its quotes, backslashes and line ends escaped. In a stream a value may come in pieces:
what may be the begin of one is held back until more comes.
"""

import json
from collections.abc import Iterable, Iterator
from typing import TypeVar

MASK = "***"
#: A shorter value would turn up everywhere in what a guest prints.
CHARS_MIN = 4

_MASK = MASK.encode()
_HEAD_BYTES = 4
_PART_BYTES = 8

T = TypeVar("T", str, bytes)


class Mask:
    """The values that are masked in one run."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values for form in _forms(value)}
        #: The longest first, so that the first place found is the farthest back.
        self._forms = sorted((form.encode() for form in forms), key=len, reverse=True)

    def whole(self, text: T) -> T:
        """Mask a whole text, or bytes."""
        if isinstance(text, bytes):
            return MaskedStream(self).take(text, is_last=True)
        return (
            MaskedStream(self)
            .take(text.encode(errors="surrogatepass"), is_last=True)
            .decode(errors="surrogatepass")
        )

    def parts(self, text: str) -> str:
        """Mask parts of values too: a text that was cut may begin or end inside one.

        A part is at least ``_PART_BYTES`` long, or a whole value.
        """
        data = text.encode(errors="surrogatepass")
        windows: dict[int, set[bytes]] = {}
        for form in self._forms:
            size = min(len(form), _PART_BYTES)
            found = windows.setdefault(size, set())
            found.update(form[at : at + size] for at in range(len(form) - size + 1))
        given, at, end = bytearray(), 0, -1
        for here in range(len(data) + 1):
            for size, known in windows.items():
                if data[here : here + size] in known:
                    end = max(end, here + size)
            if end > here:
                continue
            if end == here:
                given += _MASK
                at = here
            given += data[at : here + 1]
            at = here + 1
        return given.decode(errors="replace")

    def places(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Find where values are: begins and ends, in order; those that overlap are one."""
        found = sorted(place for form in self._forms for place in _places(data, form))
        begin = end = -1
        for first, last in found:
            if first < end:
                end = max(end, last)
                continue
            if end > 0:
                yield begin, end
            begin, end = first, last
        if end > 0:
            yield begin, end

    def unfinished(self, data: bytes) -> int:
        """Find where what may be the begin of a value begins; the length of the data if it ends in none."""
        return min((_unfinished(data, form) for form in self._forms), default=len(data))


class MaskedStream:
    """Masks a stream that comes in pieces."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        #: What is held back.
        self._held = b""
        #: How many bytes at its front a mask that was given already stands for.
        self._covered = 0

    @property
    def holds_some(self) -> bool:
        """True if something is held back that no mask stands for yet."""
        return len(self._held) > self._covered

    def take(self, data: bytes, *, is_last: bool = False) -> bytes:
        """Give what can be given now; all that is left if it is the last piece."""
        data = self._held + data
        until = len(data) if is_last else self._mask.unfinished(data)
        given = bytearray()
        at = self._covered
        for begin, end in self._mask.places(data):
            if begin < self._covered:  # it goes on in the mask that was given
                at = max(at, end)
                continue
            if begin >= until:
                break
            given += data[at:begin] + _MASK
            at = end
        given += data[at:until]
        self._held = data[until:]
        self._covered = max(at - until, 0)
        return bytes(given)


def _forms(value: str) -> Iterator[str]:
    yield value
    for is_ascii in (True, False):
        yield json.dumps(value, ensure_ascii=is_ascii)[1:-1]


def _places(data: bytes, form: bytes) -> Iterator[tuple[int, int]]:
    at = data.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = data.find(form, at + 1)


def _unfinished(data: bytes, form: bytes) -> int:
    """Find the first place from which on the data is a begin of this form, and not all of it."""
    start = max(len(data) - len(form) + 1, 0)
    head = form[:_HEAD_BYTES]
    at = data.find(head, start)
    while at >= 0:
        if form.startswith(data[at:]):
            return at
        at = data.find(head, at + 1)
    for at in range(max(start, len(data) - len(head) + 1), len(data)):
        if form.startswith(data[at:]):
            return at
    return len(data)
