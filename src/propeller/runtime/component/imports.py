"""Imports of a component that proplets do not offer, read from its bytes before it is compiled.

Compiling a large component takes long, and is in vain where it can't begin. The bytes are not validated, and
may have parts in them that are unknown here: then no import is reported, and the engine decides.

Source: component model, ``Binary.md``.
"""

import contextlib
import re
from collections.abc import Callable, Iterable

from propeller.runtime.component.interface import Items
from propeller.runtime.core_module.binary import BinaryReader

#: The interfaces of WASI 0.2 that proplets offer.
_WASI = re.compile(r"wasi:(?:cli|clocks|filesystem|http|io|random|sockets)/[a-z-]+@0\.2\.\d+")
_ALIASES, _TYPES, _IMPORTS, _EXPORTS = 6, 7, 10, 11
_CORE_MODULE, _FUNCTION, _VALUE, _TYPE, _COMPONENT, _INSTANCE = range(6)
_PRIMITIVES = {0x64, *range(0x73, 0x80)}


def is_offered(instance: str) -> bool:
    return _WASI.fullmatch(instance) is not None


def foreign_in(imports: Items) -> list[str]:
    """Name the imports that are not offered; an instance of types alone needs nothing."""
    foreign = [name for name, group in imports.instances.items() if group and not is_offered(name)]
    foreign += imports.functions
    return foreign + [name for name, kind in imports.others.items() if kind != "type"]


def in_words(foreign: Iterable[str]) -> list[str]:
    return [f"it imports {name}, which is not offered" for name in foreign]


def foreign_imports(wasm: bytes) -> list[str]:
    """Name a component's imports that are not offered, as far as can be seen without compiling it."""
    found = _Imports()
    with contextlib.suppress(IndexError, UnicodeDecodeError, RecursionError, _Unknown):
        found.read(wasm)
    return found.foreign


class _Unknown(Exception):
    """The component has a part that is unknown here."""


class _Imports:
    """Reads the sections that tell the types of imported instances."""

    def __init__(self) -> None:
        self.foreign: list[str] = []
        #: For each type, whether it is one of an instance that has functions.
        self._types: list[bool] = []

    def read(self, wasm: bytes) -> None:
        sections = BinaryReader(wasm, 8)
        while sections.at < len(wasm):
            section, size = sections.byte(), sections.number()
            begin = sections.at
            sections.at += size
            if section in (_ALIASES, _TYPES, _IMPORTS, _EXPORTS):
                one = (self._alias, self._type, self._import, self._export)[
                    (_ALIASES, _TYPES, _IMPORTS, _EXPORTS).index(section)
                ]
                # A damaged section that went on in the next ones would have them read again and again.
                reader = BinaryReader(wasm[begin : sections.at])
                for _ in range(reader.number()):
                    one(reader)

    def _alias(self, reader: BinaryReader) -> None:
        if _alias(reader) == _TYPE:
            self._types.append(False)

    def _type(self, reader: BinaryReader) -> None:
        self._types.append(_type(reader))

    def _import(self, reader: BinaryReader) -> None:
        name = reader.component_name()
        kind, of = _described(reader)
        if kind == _TYPE:
            self._types.append(False)
            if of >= 0:  # equal to another type, so that nothing has to be offered
                return
        elif kind == _INSTANCE and (is_offered(name) or not self._types[of]):
            return
        self.foreign.append(name)

    def _export(self, reader: BinaryReader) -> None:
        reader.component_name()
        kind = reader.byte()
        if kind == 0:
            reader.byte()
        reader.number()
        if reader.byte():
            _described(reader)
        if kind == _TYPE:
            self._types.append(False)


def _alias(reader: BinaryReader) -> int:
    """Read an alias; give its sort."""
    sort = reader.byte()
    if sort == 0:
        reader.byte()
    target = reader.byte()
    reader.number()
    if target in (0, 1):
        reader.name()
    elif target == 2:
        reader.number()
    else:
        raise _Unknown
    return sort


def _described(reader: BinaryReader) -> tuple[int, int]:
    """Read a description: a sort, and the index of a type; -1 for a new resource."""
    kind = reader.byte()
    if kind == _CORE_MODULE:
        reader.byte()
    elif kind in (_VALUE, _TYPE):
        is_new = reader.byte() == (1 if kind == _TYPE else 0)
        if is_new and kind == _TYPE:
            return kind, -1
    elif kind not in (_FUNCTION, _COMPONENT, _INSTANCE):
        raise _Unknown
    return kind, reader.number()


def _type(reader: BinaryReader) -> bool:
    """Read a type; say whether it is one of an instance that has functions."""
    form = reader.byte()
    if form == 0x42:
        return _instance(reader)
    if form in _PRIMITIVES:
        return False
    if form not in _FORMS:
        raise _Unknown
    _FORMS[form](reader)
    return False


def _instance(reader: BinaryReader) -> bool:
    found = [_declares_function(reader, reader.byte()) for _ in range(reader.number())]
    return any(found)


def _declares_function(reader: BinaryReader, form: int) -> bool:
    if form == 1:
        _type(reader)
    elif form == 2:
        _alias(reader)
    elif form == 4:
        reader.component_name()
        return _described(reader)[0] == _FUNCTION
    else:
        raise _Unknown
    return False


def _component(reader: BinaryReader) -> None:
    for _ in range(reader.number()):
        form = reader.byte()
        if form == 3:
            reader.component_name()
            _described(reader)
        else:
            _declares_function(reader, form)


def _labelled(reader: BinaryReader) -> None:
    reader.name()
    reader.number()


def _optional(reader: BinaryReader) -> None:
    if reader.byte():
        reader.number()


def _case(reader: BinaryReader) -> None:
    reader.name()
    _optional(reader)
    reader.byte()


def _result(reader: BinaryReader) -> None:
    _optional(reader)
    _optional(reader)


def _function(reader: BinaryReader) -> None:
    _several(_labelled)(reader)
    if reader.byte():
        reader.byte()
    else:
        reader.number()


def _resource(reader: BinaryReader) -> None:
    reader.byte()
    _optional(reader)


def _several(read: Callable[[BinaryReader], object]) -> Callable[[BinaryReader], None]:
    def read_all(reader: BinaryReader) -> None:
        for _ in range(reader.number()):
            read(reader)

    return read_all


#: Readers of types, by their first byte.
_FORMS: dict[int, Callable[[BinaryReader], object]] = {
    0x72: _several(_labelled),
    0x71: _several(_case),
    0x70: BinaryReader.number,
    0x6F: _several(BinaryReader.number),
    0x6E: _several(BinaryReader.name),
    0x6D: _several(BinaryReader.name),
    0x6B: BinaryReader.number,
    0x6A: _result,
    0x69: BinaryReader.number,
    0x68: BinaryReader.number,
    0x66: _optional,
    0x65: _optional,
    0x43: _function,
    0x41: _component,
    0x40: _function,
    0x3F: _resource,
}
