"""The imports and exports of a core module, read from its bytes.

Wasmtime's Python package could tell them too, but its C interface ends the process (``abort``) at a type that
it can't express, such as v128 or a reference to a struct, even if that function is never called.

The form of the module is not checked. Runners read interfaces after wasmtime has validated it, and imports
before that, where an ``IndexError`` or ``UnicodeDecodeError`` means that it is damaged. The manager reads no
more than the head of a module, which nobody has validated (``interface_in``). So whatever the bytes are, none
is read again and again, and a number in them is held to a bound before it is a size or a count of anything.

Source: WebAssembly core specification 3.0, section 5 (binary format).
"""

from collections.abc import Container, Iterator
from typing import NamedTuple

import msgspec

from propeller.runtime.core_module import assemblyscript
from propeller.runtime.core_module.assemblyscript import SET_COUNT
from propeller.runtime.core_module.binary import BinaryReader

_TYPE, _IMPORT, _FUNCTION, _TABLE, _MEMORY, _EXPORT, _CODE = 1, 2, 3, 4, 5, 7, 10
_HEADER = b"\0asm\1\0\0\0"
_HEADER_BYTES = len(_HEADER)
#: More than the interfaces of compilers take, and little enough to be read in a few milliseconds.
HEAD_BYTES = 256 * 1024
#: The engine takes no more types, imports and exports, each, nor more parameters of a function, or results.
_ENTRIES_MAX, _VALUES_MAX = 1_000_000, 1000
#: Of types, imports and exports in a head: more than compilers make.
_ENTRIES_IN_HEAD_MAX = 10_000
#: The sizes of a page as powers of two: the usual one, and the one of the proposal for others.
_PAGE_BITS, _PAGE_BITS_OF_BYTES = 16, 0
#: More bytes have no room in a file of the cache, nor in any memory.
_MEMORY_BYTES_MAX = 2**64 - 1
_KINDS = ("function", "table", "memory", "global", "tag")
_TYPES = {
    0x7F: "i32",
    0x7E: "i64",
    0x7D: "f32",
    0x7C: "f64",
    0x7B: "v128",
    0x70: "funcref",
    0x6F: "externref",
    0x6E: "anyref",
    0x69: "exnref",
}
_REF, _REF_NULL = 0x64, 0x63
_REC, _SUB, _SUB_FINAL, _FUNC, _STRUCT, _ARRAY = 0x4E, 0x50, 0x4F, 0x60, 0x5F, 0x5E


class Signature(NamedTuple):
    """The types of a function, as the text format names them."""

    params: tuple[str, ...]
    results: tuple[str, ...]

    def of(self, name: str) -> str:
        results = f" -> {', '.join(self.results)}" if self.results else ""
        return f"{name}({', '.join(self.params)}){results}"


class Memory(msgspec.Struct, frozen=True, array_like=True):
    """A linear memory that a module has of its own."""

    #: At the beginning.
    least_bytes: int
    #: None where it may grow for ever.
    most_bytes: int | None


class Interface(msgspec.Struct, frozen=True):
    #: Exported functions, in the module's order.
    functions: dict[str, Signature]
    #: Other exports: name → ``memory``, ``global``, ``table`` or ``tag``.
    others: dict[str, str]
    #: The imports, by module and field.
    imports: list[tuple[str, str]]
    #: Its own memories, exported or not.
    memories: list[Memory] = []
    #: A name for each memory that is exported.
    exported_memories: list[str] = []
    #: How many parameters have to be given, of each exported function some of whose parameters may be left
    #: out, by the convention of AssemblyScript.
    required: dict[str, int] = {}

    @property
    def name_count(self) -> int:
        """The number of exports and imports."""
        return len(self.functions) + len(self.others) + len(self.imports)

    @property
    def reads_stdin(self) -> bool:
        """True if it can read standard input."""
        return any(field == "fd_read" for _, field in self.imports)

    @property
    def counts_arguments(self) -> bool:
        """True if it has to be told the number of arguments of each call, as modules of AssemblyScript."""
        return self.functions.get(SET_COUNT) == _SET_COUNT_TYPE


_SET_COUNT_TYPE = Signature(("i32",), ())


class Import(NamedTuple):
    module: str
    field: str
    #: ``function``, ``table``, ``memory``, ``global`` or ``tag``.
    kind: str
    #: As in the text format, where that has a name for it.
    type: str


def imports_of(wasm: bytes) -> list[Import]:
    """Read the imports of a valid core module with their types."""
    types: list[Signature | None] = []
    imports: list[Import] = []
    for section, reader in _sections(wasm, (_TYPE, _IMPORT)):
        if section == _TYPE:
            for group in reader.several(reader.types, _ENTRIES_MAX):
                types += group
        else:
            for module, field, kind, type_ in reader.several(reader.imported, _ENTRIES_MAX):
                signature = types[type_] if isinstance(type_, int) else None
                text = signature.of("func") if signature else str(type_)
                imports.append(Import(module, field, kind, text))
    return imports


def interface_of(wasm: bytes, *, entries_max: int = _ENTRIES_MAX) -> Interface:
    """Read the interface of a valid core module.

    Args:
        wasm: The module.
        entries_max: The most types, imports and exports that it may have, each.

    """
    types: list[Signature | None] = []
    imports: list[tuple[str, str]] = []
    type_of: list[int] = []
    functions: dict[str, Signature] = {}
    others: dict[str, str] = {}
    memories: list[Memory] = []
    exported_memories: dict[int, str] = {}
    index_of: dict[str, int] = {}
    for section, reader in _sections(wasm, (_TYPE, _IMPORT, _FUNCTION, _MEMORY, _EXPORT)):
        if section == _TYPE:
            for group in reader.several(reader.types, entries_max):
                types += group
        elif section == _IMPORT:
            for module, field, _, type_ in reader.several(reader.imported, entries_max):
                imports.append((module, field))
                if isinstance(type_, int):
                    type_of.append(type_)
        elif section == _FUNCTION:
            type_of += reader.several(reader.number)
        elif section == _MEMORY:
            memories = reader.several(reader.memory)
        else:
            for name, kind, index in reader.several(reader.exported, entries_max):
                signature = types[type_of[index]] if kind == 0 else None
                if signature is None:
                    others[name] = _KINDS[kind]
                else:
                    functions[name] = signature
                    index_of[name] = index
                if _KINDS[kind] == "memory":
                    exported_memories.setdefault(index, name)
    found = Interface(functions, others, imports, memories, list(exported_memories.values()))
    if not found.counts_arguments:
        return found
    return msgspec.structs.replace(found, required=_required(wasm, functions, index_of, len(type_of)))


def _required(
    wasm: bytes, functions: dict[str, Signature], index_of: dict[str, int], count: int
) -> dict[str, int]:
    """Read from a module's code how many parameters have to be given, of each function that says so.

    Args:
        wasm: The module.
        functions: Its exported functions.
        index_of: The index of each.
        count: The number of its functions, which begin with the imported ones.

    """
    bodies = [body for _, reader in _sections(wasm, (_CODE,)) for body in reader.several(reader.body)]
    imported = count - len(bodies)
    own = {name: index - imported for name, index in index_of.items() if index >= imported}
    if SET_COUNT not in own:
        return {}
    least = assemblyscript.required({at: bodies[at] for at in own.values()}, bodies[own[SET_COUNT]])
    return {
        name: least[at] for name, at in own.items() if at in least and least[at] < len(functions[name].params)
    }


def interface_in(head: bytes) -> Interface | None:
    """Read the interface from the first ``HEAD_BYTES`` of any file; None where it exports nothing there.

    Exports stand in front of the code. It is None, too, of a component, of a damaged module, and of one that
    has much more than compilers make.
    """
    head = head[:HEAD_BYTES]
    if not head.startswith(_HEADER):
        return None
    try:
        interface = interface_of(head, entries_max=_ENTRIES_IN_HEAD_MAX)
    except (IndexError, UnicodeDecodeError):
        return None
    has_exports = interface.functions or interface.others
    return interface if has_exports else None


def without_code(wasm: bytes, *, tables: bool = True) -> bytes:
    """Give a valid module's imports, tables and memories as a module of their own.

    An instance of it asks for as much as one of the module, but there is nothing to compile. A table that is
    filled with functions can't be in it.
    """
    kept = (_TYPE, _IMPORT, *((_TABLE,) if tables else ()), _MEMORY)
    reader = BinaryReader(wasm, _HEADER_BYTES)
    found = bytearray(wasm[:_HEADER_BYTES])
    while (start := reader.at) < len(wasm):
        section, size = reader.byte(), reader.number()
        reader.at += size
        if section in kept:
            found += wasm[start : reader.at]
    return bytes(found)


def _sections(wasm: bytes, wanted: Container[int]) -> Iterator[tuple[int, "_SectionReader"]]:
    """Give the id of each section that is wanted, and a reader of its content, which ends where it ends."""
    reader = BinaryReader(wasm, _HEADER_BYTES)
    while reader.at < len(wasm):
        section, size = reader.byte(), reader.number()
        begin = reader.at
        reader.at += size
        if section in wanted:
            yield section, _SectionReader(wasm[begin : reader.at])


class _SectionReader(BinaryReader):
    """Reads the content of a core module's sections."""

    def type(self) -> str:
        byte = self.byte()
        if byte in {_REF, _REF_NULL}:
            heap = self.number()
            return f"(ref {'null ' if byte == _REF_NULL else ''}{heap})"
        return _TYPES.get(byte) or f"type {byte:#x}"

    def field(self) -> str:
        name = self.type()
        return f"(mut {name})" if self.byte() else name

    def types(self) -> list[Signature | None]:
        """Read an entry of the type section, one type or a group; None for each that is no function's."""
        form = self.byte()
        if form == _REC:
            return self.several(lambda: self._one_type(self.byte()), _ENTRIES_MAX)
        return [self._one_type(form)]

    def _one_type(self, form: int) -> Signature | None:
        if form in {_SUB, _SUB_FINAL}:
            self.several(self.number)
            form = self.byte()
        if form == _FUNC:
            params, results = self.several(self.type, _VALUES_MAX), self.several(self.type, _VALUES_MAX)
            return Signature(tuple(params), tuple(results))
        if form == _STRUCT:
            self.several(self.field)
        elif form == _ARRAY:
            self.field()
        else:
            raise IndexError
        return None

    def imported(self) -> tuple[str, str, str, int | str]:
        """Read an import: module, field, kind, and its type; for a function the index of its type."""
        module, field, kind = self.name(), self.name(), _KINDS[self.byte()]
        if kind == "function":
            return module, field, kind, self.number()
        if kind == "table":
            element = self.type()
            return module, field, kind, f"{self.limits()} {element}"
        if kind == "memory":
            return module, field, kind, self.limits()
        if kind == "global":
            return module, field, kind, self.field()
        self.byte()
        self.number()
        return module, field, kind, ""

    def limits(self) -> str:
        least, most, _ = self._limits()
        return str(least) if most is None else f"{least} {most}"

    def memory(self) -> Memory:
        least, most, page_bits = self._limits()
        if page_bits not in {_PAGE_BITS, _PAGE_BITS_OF_BYTES}:
            raise IndexError
        bytes_most = None if most is None else min(most << page_bits, _MEMORY_BYTES_MAX)
        return Memory(min(least << page_bits, _MEMORY_BYTES_MAX), bytes_most)

    def _limits(self) -> tuple[int, int | None, int]:
        """Read the least number of pages or elements, the most, and the size of a page as a power of two."""
        flags = self.byte()
        least = self.number()
        most = self.number() if flags & 1 else None
        return least, most, self.number() if flags & 8 else _PAGE_BITS

    def body(self) -> bytes:
        """Read the code of a function, which begins with its local variables."""
        size = self.number()
        self.at += size
        if self.at > len(self._data):
            raise IndexError
        return bytes(self._data[self.at - size : self.at])

    def exported(self) -> tuple[str, int, int]:
        return self.name(), self.byte(), self.number()
