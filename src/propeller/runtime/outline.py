"""The outline of a Wasm file: its kind and its exports, read from its sections without the engine.

The file is not validated, so everything is checked, and no content of it takes long or much memory; of other
sections only the size is read.

Source: WebAssembly core specification 3.0, section 5; component model, ``Binary.md``.
"""

import enum
from pathlib import Path
from typing import BinaryIO, NamedTuple

from propeller.errors import Invalid
from propeller.runtime.core_module.binary import BinaryReader

_MAGIC = b"\0asm"
_CORE, _COMPONENTS = b"\x01\0\0\0", (b"\x0a\0\x01\0", b"\x0d\0\x01\0")
_CORE_EXPORTS, _COMPONENT_EXPORTS = 7, 11
#: More sections than compilers make.
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
    #: Exported functions; all exports of a component.
    exports: frozenset[str]

    @property
    def is_program(self) -> bool:
        """True if every name means the program's entry, as in the embedded runtime."""
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
    # A component that only imports the handler is no server.
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
            reader = BinaryReader(file.read(size))
            read = _core_export if wanted == _CORE_EXPORTS else _component_export
            names += [name for _ in range(reader.number()) if (name := read(reader)) is not None]
        else:
            file.seek(size, 1)
    raise IndexError


def _number_from(file: BinaryIO) -> int:
    digits = bytearray()
    while len(digits) < 5 and (digit := file.read(1)):
        digits += digit
        if digit[0] < 0x80:
            break
    return BinaryReader(digits).number()


def _core_export(reader: BinaryReader) -> str | None:
    name, kind = reader.name(), reader.byte()
    reader.number()
    return name if kind == 0 else None


def _component_export(reader: BinaryReader) -> str:
    name = reader.component_name()
    if reader.byte() == 0:  # an export of the core: which sort
        reader.byte()
    reader.number()
    if reader.byte():
        _skip_description(reader)
    return name


def _skip_description(reader: BinaryReader) -> None:
    """Skip the type that an export was given."""
    kind = reader.byte()
    if kind == 0:
        reader.byte()
    if kind not in (2, 3) or reader.byte() == 0 or kind == 2:
        reader.number()
