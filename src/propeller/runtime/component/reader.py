"""The interface of a component, read from its bytes without the engine.

It is what ``component_interface`` gives for the compiled component, or None at the first part that is unknown
here. A component is followed like a program, section by section, and a nested one each time that it is
instantiated; so a resource is the same wherever it comes to.

The bytes are not validated. Steps are counted, so that no file takes more than a fraction of a second;
nested core modules are passed over by their size.

Source: component model, ``Binary.md`` and ``Explainer.md``.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeVar

from propeller.runtime.component import wit
from propeller.runtime.component.definitions import (
    COMPONENT,
    CORE,
    FUNCTION,
    INSTANCE,
    LEVELS_MAX,
    TYPE,
    Function,
    Naming,
    Node,
    Resource,
    Scope,
    Unknown,
    composed,
)
from propeller.runtime.component.interface import ComponentInterface
from propeller.runtime.core_module.binary import BinaryReader

_HEADER = b"\0asm\x0d\0\1\0"
#: Real components take less than ten thousand.
_STEPS_MAX = 20_000
#: Of a name each so many bytes are a step, since they are copied.
_STEP_BYTES = 16

#: Sections that define nothing but what is of the core: custom, modules, their instances, their types.
_OF_CORE = (0, 1, 2, 3)
_COMPONENT_SECTION = 4
_CORE_MODULE = 0x11
_NAME_FORM_MAX = 2

_PRIMITIVES = {
    0x7F - at: composed(lambda name=name: wit.Primitive(name))
    for at, name in enumerate("bool s8 u8 s16 u16 s32 u32 s64 u64 f32 f64 char string".split())
}

_T = TypeVar("_T")


class _Frame:
    """The definitions of a component, or of declarations, by sort and index."""

    def __init__(self, parent: "_Frame | None" = None, given: Scope | None = None) -> None:
        self.parent = parent
        #: The arguments of an instantiation; None where imports stay open.
        self.given = given
        self.spaces: dict[int, list[Any]] = {sort: [] for sort in (FUNCTION, TYPE, COMPONENT, INSTANCE)}
        self.imports: Scope = {}
        self.exports: Scope = {}

    def add(self, sort: int, item: Any) -> None:
        """Give a definition the next index; those of the core have their own, and nobody asks for them."""
        if sort != CORE:
            self.spaces[sort].append(item)

    def outer(self, count: int) -> "_Frame":
        frame = self
        while count:
            if frame.parent is None:
                raise Unknown
            frame, count = frame.parent, count - 1
        return frame

    def of(self, sort: int, index: int, kind: type[_T]) -> _T:
        found = self.spaces[sort][index]
        if not isinstance(found, kind):
            raise Unknown
        return found


class _Declarations(NamedTuple):
    """The type of an instance or of a component, followed anew wherever it is used."""

    sort: int
    at: int
    frame: _Frame


class _Component(NamedTuple):
    at: int
    end: int
    #: Of the component around it.
    frame: _Frame | None


class _CountedReader(BinaryReader):
    """A reader that reports its steps."""

    def __init__(self, data: bytes, at: int, count: Callable[[int], None]) -> None:
        super().__init__(data, at)
        self._count = count

    def name(self) -> str:
        name = super().name()
        self._count(len(name) // _STEP_BYTES)
        return name

    def component_name(self) -> str:
        if self._data[self.at] > _NAME_FORM_MAX:
            raise Unknown
        return super().component_name()

    def each(self) -> Iterator[None]:
        """Stop before each element of a vector."""
        for _ in range(self.number()):
            self._count(1)
            yield


def interface_in(wasm: bytes) -> ComponentInterface | None:
    """Read the interface of a whole component; None where it can't be told, or this is no component."""
    if not wasm.startswith(_HEADER):
        return None
    try:
        frame = _Reading(wasm).component(_Component(0, len(wasm), None), None)
        naming = Naming(len(wasm))
        # Imports come first, because exports use their resources.
        imports = naming.items(frame.imports)
        return ComponentInterface(naming.items(frame.exports), imports)
    except (IndexError, KeyError, UnicodeDecodeError, Unknown):
        return None


class _Reading:
    """Follows one file."""

    def __init__(self, wasm: bytes) -> None:
        self._wasm = wasm
        #: No more steps than bytes: a small file that takes many lets them be repeated.
        self._left = min(_STEPS_MAX, len(wasm))
        self._levels = 0
        self._sections: dict[int, Callable[[_Frame, _CountedReader], None]] = {
            5: self._instance,
            6: self._alias,
            7: self._type,
            8: _canonical,
            10: self._import,
            11: self._export,
        }

    def _count(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise Unknown

    def _reader(self, at: int) -> _CountedReader:
        return _CountedReader(self._wasm, at, self._count)

    def _enter(self) -> None:
        self._levels += 1
        if self._levels > LEVELS_MAX:
            raise Unknown

    def component(self, component: _Component, given: Scope | None) -> _Frame:
        """Follow a component, which is instantiated with these arguments; with None its imports stay open."""
        self._enter()
        frame = _Frame(component.frame, given)
        reader = self._reader(component.at + len(_HEADER))
        if not self._wasm.startswith(_HEADER, component.at):
            raise Unknown
        while reader.at < component.end:
            self._count(1)
            section, size = reader.byte(), reader.number()
            end = reader.at + size
            if end > component.end:
                raise Unknown
            if section == _COMPONENT_SECTION:
                frame.add(COMPONENT, _Component(reader.at, end, frame))
            elif section not in _OF_CORE:
                define = self._sections[section]
                for _ in reader.each():
                    define(frame, reader)
                if reader.at != end:
                    raise Unknown
            reader.at = end
        self._levels -= 1
        return frame

    def _declared(self, declarations: _Declarations, actual: Scope | None) -> tuple[Scope, int]:
        """Follow the declarations of a type; give its exports, and where it ends.

        Args:
            declarations: The type.
            actual: The exports of the instance that is given for it, which has the resources; None for new
                ones.

        """
        self._enter()
        frame = _Frame(declarations.frame)
        reader = self._reader(declarations.at)
        for _ in reader.each():
            form = reader.byte()
            if form == 1:
                self._type(frame, reader)
            elif form == 2:
                self._alias(frame, reader)
            elif form == 3 and declarations.sort == COMPONENT:
                self._import(frame, reader)
            elif form == 4:
                name = reader.component_name()
                sort, item = self._described(frame, reader, None if actual is None else actual[name])
                frame.add(sort, item)
                frame.exports[name] = sort, item
            else:
                raise Unknown
        self._levels -= 1
        return frame.exports, reader.at

    def _described(
        self, frame: _Frame, reader: _CountedReader, actual: tuple[int, Any] | None
    ) -> tuple[int, Any]:
        """Read the type of an import or an export; give its sort, and an item of that type.

        Args:
            frame: The frame that it stands in.
            reader: The reader, which is at it.
            actual: What is given for it; None where nothing is.

        """
        sort = reader.byte()
        if actual is not None and actual[0] != sort:
            raise Unknown
        if sort == CORE:
            if reader.byte() != _CORE_MODULE:
                raise Unknown
            reader.number()
            return sort, None
        if sort == TYPE:
            return sort, _bounded(frame, reader, actual)
        if sort == FUNCTION:
            return sort, frame.of(TYPE, reader.number(), Function)
        declarations = frame.of(TYPE, reader.number(), _Declarations)
        if declarations.sort != sort:
            raise Unknown
        if sort == COMPONENT:
            return sort, declarations
        return sort, self._declared(declarations, None if actual is None else actual[1])[0]

    def _import(self, frame: _Frame, reader: _CountedReader) -> None:
        name = reader.component_name()
        sort, item = self._described(frame, reader, None if frame.given is None else frame.given[name])
        frame.add(sort, item)
        if not isinstance(item, Node):  # the type of a value is not given by anybody
            frame.imports[name] = sort, item

    def _export(self, frame: _Frame, reader: _CountedReader) -> None:
        name = reader.component_name()
        sort, item = _reference(frame, reader)
        if reader.byte():
            as_sort, as_item = self._described(frame, reader, None)
            # What a type of its own does to the resources of an instance is not followed.
            is_other_resource = isinstance(item, Resource) and item is not as_item
            if as_sort != sort or sort in (INSTANCE, COMPONENT) or is_other_resource:
                raise Unknown
            item = as_item
        frame.add(sort, item)
        frame.exports[name] = sort, item

    def _instance(self, frame: _Frame, reader: _CountedReader) -> None:
        form = reader.byte()
        exports: Scope
        if form == 0:
            component = frame.of(COMPONENT, reader.number(), _Component)
            given = {reader.name(): _reference(frame, reader) for _ in reader.each()}
            exports = self.component(component, given).exports
        elif form == 1:
            exports = {reader.component_name(): _reference(frame, reader) for _ in reader.each()}
        else:
            raise Unknown
        frame.add(INSTANCE, exports)

    @staticmethod
    def _alias(frame: _Frame, reader: _CountedReader) -> None:
        sort = reader.byte()
        if sort == CORE:
            reader.byte()
        target, index = reader.byte(), reader.number()
        if target == 2:
            of_outer = reader.number()
            if sort in (TYPE, COMPONENT):
                frame.add(sort, frame.outer(index).spaces[sort][of_outer])
            elif sort != CORE:
                raise Unknown
            return
        name = reader.name()
        if target > 1:
            raise Unknown
        if sort != CORE:
            actual, item = frame.of(INSTANCE, index, dict)[name]
            if target != 0 or actual != sort:
                raise Unknown
            frame.add(sort, item)

    def _type(self, frame: _Frame, reader: _CountedReader) -> None:
        form = reader.byte()
        if form in _DECLARATIONS:
            declarations = _Declarations(_DECLARATIONS[form], reader.at, frame)
            _, reader.at = self._declared(declarations, None)
            frame.add(TYPE, declarations)
        elif form in _PRIMITIVES:
            frame.add(TYPE, _PRIMITIVES[form])
        else:
            frame.add(TYPE, _TYPES[form](frame, reader))


def _bounded(frame: _Frame, reader: _CountedReader, actual: tuple[int, Any] | None) -> Any:
    """Read the bound of a type: it is equal to another, or some resource."""
    bound = reader.byte()
    if bound == 0:
        return frame.spaces[TYPE][reader.number()]
    resource = Resource() if actual is None else actual[1]
    if bound != 1 or not isinstance(resource, Resource):
        raise Unknown
    return resource


def _reference(frame: _Frame, reader: _CountedReader) -> tuple[int, Any]:
    """Read a sort and an index."""
    sort = reader.byte()
    if sort == CORE:
        reader.byte()
        reader.number()
        return sort, None
    return sort, frame.spaces[sort][reader.number()]


def _canonical(frame: _Frame, reader: _CountedReader) -> None:
    """Read a definition of the canonical ABI; one that lifts defines a function, others one of the core."""
    form = reader.byte()
    if form in (0, 1):
        if reader.byte():
            raise Unknown
        reader.number()
        for _ in reader.each():
            option = reader.byte()
            if option in (3, 4, 5):  # the memory, the allocator, what is called afterwards
                reader.number()
            elif option > 2:
                raise Unknown
        if form == 0:
            frame.add(FUNCTION, frame.of(TYPE, reader.number(), Function))
    elif form in (2, 3, 4):  # of resources
        reader.number()
    else:
        raise Unknown


def _value(frame: _Frame, reader: _CountedReader) -> Node:
    """Read the type of a value: a primitive, or the index of a type."""
    byte = reader.byte()
    if byte in _PRIMITIVES:
        return _PRIMITIVES[byte]
    if 0x40 <= byte < 0x80:
        raise Unknown
    reader.at -= 1
    return frame.of(TYPE, reader.number(), Node)


def _optional(frame: _Frame, reader: _CountedReader) -> Node | None:
    present = reader.byte()
    if present > 1:
        raise Unknown
    return _value(frame, reader) if present else None


def _labelled(frame: _Frame, reader: _CountedReader) -> tuple[tuple[str, ...], list[Node]]:
    """Read fields or parameters; give their names, and their types."""
    found = [(reader.name(), _value(frame, reader)) for _ in reader.each()]
    return tuple(name for name, _ in found), [node for _, node in found]


def _function(frame: _Frame, reader: _CountedReader) -> Function:
    names, nodes = _labelled(frame, reader)
    params = tuple(zip(names, nodes, strict=True))
    if reader.byte() == 0:
        return Function(params, _value(frame, reader))
    if reader.byte():
        raise Unknown
    return Function(params, None)


def _record(frame: _Frame, reader: _CountedReader) -> Node:
    names, nodes = _labelled(frame, reader)
    return composed(lambda *types: wit.Record(tuple(zip(names, types, strict=True))), *nodes)


def _variant(frame: _Frame, reader: _CountedReader) -> Node:
    names, nodes = [], []
    for _ in reader.each():
        names.append(reader.name())
        nodes.append(_optional(frame, reader))
        if reader.byte():
            raise Unknown
    return composed(lambda *types: wit.Variant(tuple(zip(names, types, strict=True))), *nodes)


def _tuple(frame: _Frame, reader: _CountedReader) -> Node:
    return composed(lambda *types: wit.Tuple(types), *[_value(frame, reader) for _ in reader.each()])


def _names(make: Callable[[tuple[str, ...]], wit.Type]) -> Callable[[_Frame, _CountedReader], Node]:
    def read(_frame: _Frame, reader: _CountedReader) -> Node:
        names = tuple(reader.name() for _ in reader.each())
        return composed(lambda: make(names))

    return read


def _handle(*, is_borrowed: bool) -> Callable[[_Frame, _CountedReader], Node]:
    def read(frame: _Frame, reader: _CountedReader) -> Node:
        resource = frame.of(TYPE, reader.number(), Resource)
        return Node(lambda name: wit.Handle(name, is_borrowed), resource=resource)

    return read


def _resource(_frame: _Frame, reader: _CountedReader) -> Resource:
    reader.byte()
    if reader.byte():  # its destructor
        reader.number()
    return Resource()


#: What the types of components and of instances begin with.
_DECLARATIONS = {0x41: COMPONENT, 0x42: INSTANCE}
#: Readers of all other types but primitives, by their first byte.
_TYPES: dict[int, Callable[[_Frame, _CountedReader], Any]] = {
    0x72: _record,
    0x71: _variant,
    0x70: lambda frame, reader: composed(wit.List, _value(frame, reader)),
    0x6F: _tuple,
    0x6E: _names(wit.Flags),
    0x6D: _names(wit.Enum),
    0x6B: lambda frame, reader: composed(wit.Option, _value(frame, reader)),
    0x6A: lambda frame, reader: composed(wit.Result, _optional(frame, reader), _optional(frame, reader)),
    0x69: _handle(is_borrowed=False),
    0x68: _handle(is_borrowed=True),
    0x66: lambda frame, reader: composed(partial(wit.Channel, "stream"), _optional(frame, reader)),
    0x65: lambda frame, reader: composed(partial(wit.Channel, "future"), _optional(frame, reader)),
    0x40: _function,
    0x3F: _resource,
}
