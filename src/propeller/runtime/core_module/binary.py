"""A reader of Wasm binaries: the encoding that core modules and components share.

Source: WebAssembly core specification 3.0, section 5.2; component model, ``Binary.md``.
"""

from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
#: A byte of LEB128 has 7 bits of the number; no number in a binary has more than 64.
_SHIFT_MAX = 63
#: Of the elements of a vector, by the format.
_COUNT_MAX = 2**32 - 1


class BinaryReader:
    """Reads from the front; raises ``IndexError`` at the end, and for what can't be there."""

    def __init__(self, data: bytes | bytearray, at: int = 0) -> None:
        self._data = data
        self.at = at

    def byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def number(self) -> int:
        """Read an unsigned LEB128; a signed one is skipped correctly, but its value is wrong."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > _SHIFT_MAX:
                return value

    def name(self) -> str:
        size = self.number()
        self.at += size
        if self.at > len(self._data):
            raise IndexError
        return self._data[self.at - size : self.at].decode()

    def component_name(self) -> str:
        """Read the name of an import or export of a component."""
        form, name = self.byte(), self.name()
        if form == 2:  # a version's suffix has a place of its own
            self.name()
        return name

    def several(self, read: Callable[[], _T], most: int = _COUNT_MAX) -> list[_T]:
        """Read a vector: its length, which is no more than ``most``, then its elements."""
        count = self.number()
        if count > most:
            raise IndexError
        return [read() for _ in range(count)]
