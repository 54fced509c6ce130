"""What kind of Wasm a file holds and what it exports, from its sections and without compiling it.

Nobody has validated the file, so everything is checked, and nothing that it may say takes long or much
memory; of what is no export only the size is read.

Source: WebAssembly core specification 3.0, section 5; component model, ``Binary.md``.
"""

import enum
from pathlib import Path
from typing import BinaryIO, NamedTuple

from propeller.errors import Invalid

_MAGIC = b"\0asm"
_CORE, _COMPONENTS = b"\x01\0\0\0", (b"\x0a\0\x01\0", b"\x0d\0\x01\0")
_CORE_EXPORTS, _COMPONENT_EXPORTS = 7, 11
#: More than compilers make; what is beyond is not worth a proplet's time.
_SECTIONS_MAX = 50_000
_EXPORTS_BYTES_MAX = 4 * 1024 * 1024
_HTTP = "wasi:http/incoming-handler"


class Kind(enum.Enum):
    MODULE = enum.auto()
    COMPONENT = enum.auto()
    #: A component that answers HTTP requests.
    SERVER = enum.auto()


class Outline(NamedTuple):
    kind: Kind
    #: Exported functions; of a component all that it exports.
    exports: frozenset[str]

    @property
    def is_program(self) -> bool:
        """Whether nothing but a program's entry can be meant, as with the embedded runtime."""
        return "_start" in self.exports and all(name.startswith("_") for name in self.exports)


def outline_of(path: Path) -> Outline:
    """Read a module's outline.

    Raises:
        Invalid: The file can't be read or is not Wasm.

    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
            if head[:4] != _MAGIC or head[4:] not in (_CORE, *_COMPONENTS):
                raise Invalid(
                    f"module {path.name} is not WebAssembly: it begins with {head.hex(' ') or 'nothing'}"
                )
            if head[4:] == _CORE:
                return Outline(Kind.MODULE, frozenset(_exports(file, _CORE_EXPORTS)))
            names = frozenset(_exports(file, _COMPONENT_EXPORTS))
    except OSError as error:
        raise Invalid(f"module {path.name} can't be read: {error.strerror}") from error
    except (IndexError, UnicodeDecodeError) as error:
        raise Invalid(f"module {path.name} is damaged: its exports can't be read, or are too many") from error
    # Who only imports the interface asks others for it: no server.
    serves = any(name.partition("@")[0] == _HTTP for name in names)
    return Outline(Kind.SERVER if serves else Kind.COMPONENT, names)


def _exports(file: BinaryIO, wanted: int) -> list[str]:
    names: list[str] = []
    left_bytes = _EXPORTS_BYTES_MAX
    for _ in range(_SECTIONS_MAX):
        section = file.read(1)
        if not section:
            return names
        size = _number_from(file)
        if section[0] == wanted:
            left_bytes -= size
            if left_bytes < 0:
                break
            reader = Reader(file.read(size))
            read = reader.core_export if wanted == _CORE_EXPORTS else reader.component_export
            names += [name for _ in range(reader.number()) if (name := read()) is not None]
        else:
            file.seek(size, 1)
    raise IndexError


def _number_from(file: BinaryIO) -> int:
    digits = bytearray()
    while len(digits) < 5 and (digit := file.read(1)):
        digits += digit
        if digit[0] < 0x80:
            break
    return Reader(digits).number()


class Reader:
    """Reads from the front; ``IndexError`` where nothing is left."""

    def __init__(self, data: bytes | bytearray, at: int = 0) -> None:
        self._data = data
        self.at = at

    def byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def number(self) -> int:
        """Read LEB128, unsigned; of a signed one the right number of bytes."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > 63:
                return value

    def text(self) -> str:
        size = self.number()
        self.at += size
        if self.at > len(self._data):
            raise IndexError
        return self._data[self.at - size : self.at].decode()

    def component_name(self) -> str:
        """Name an import or export of a component."""
        form, name = self.byte(), self.text()
        if form == 2:  # a version's suffix has a place of its own
            self.text()
        return name

    def core_export(self) -> str | None:
        name, kind = self.text(), self.byte()
        self.number()
        return name if kind == 0 else None

    def component_export(self) -> str:
        name = self.component_name()
        if self.byte() == 0:  # an export of the core: which sort
            self.byte()
        self.number()
        if self.byte():
            self._description()
        return name

    def _description(self) -> None:
        """Skip the type that an export was given."""
        kind = self.byte()
        if kind == 0:
            self.byte()
        if kind not in (2, 3) or self.byte() == 0 or kind == 2:
            self.number()
