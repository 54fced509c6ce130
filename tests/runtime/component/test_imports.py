"""Imports of components that nobody has validated."""

import wasmtime

from propeller.runtime.component.imports import foreign_imports
from propeller.runtime.core_module.binary import BinaryReader

HEADER = b"\0asm\x0d\0\1\0"
#: A section of 24,514 types, the first an enumeration whose name is the head of the next section.
GOES_ON = b"\7\6\xc2\xbf\1" + b"\x6d\1\5"


def test_no_byte_of_a_damaged_component_is_read_twice(monkeypatch):
    read = []

    def counted(reader, plain=BinaryReader.byte):
        read.append(None)
        return plain(reader)

    monkeypatch.setattr(BinaryReader, "byte", counted)
    wasm = HEADER + GOES_ON * 50 + b"\x7f" * 30_000
    assert foreign_imports(wasm) == []
    assert len(read) <= len(wasm)


def test_imports_behind_other_sections_are_found():
    text = '(component (type $t (enum "a")) (core module) (import "a:b/c" (func)))'
    assert foreign_imports(bytes(wasmtime.wat2wasm(text))) == ["a:b/c"]
