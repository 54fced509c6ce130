"""Gives the interface of a compiled component: wasmtime's types, translated to those of ``wit``.

Wasmtime's C interface can't express some types (maps, lists of fixed length); the Python package raises
``TypeError`` for those that it does not know, and a type with such a part becomes opaque. The payload of a
stream or a future is asked for through the C interface, because the package takes none for ``bool``.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import wasmtime
from wasmtime import _ffi
from wasmtime import component as host
from wasmtime.component._types import ComponentExtern, valtype_from_ptr

from propeller.runtime.component import wit
from propeller.runtime.component.interface import ComponentInterface, Items

#: Bounds the size of a type, which is a graph in a component and a tree here: a small component can name a
#: huge tree.
_NODES_MAX = 100_000

_PRIMITIVES: dict[type[host.ValType], str] = {
    host.Bool: "bool",
    host.S8: "s8",
    host.S16: "s16",
    host.S32: "s32",
    host.S64: "s64",
    host.U8: "u8",
    host.U16: "u16",
    host.U32: "u32",
    host.U64: "u64",
    host.F32: "f32",
    host.F64: "f64",
    host.Char: "char",
    host.String: "string",
}


class Translator:
    """Translates the types of one component."""

    def __init__(self) -> None:
        #: The resources that were met, with their names.
        self.resources: list[tuple[str, host.ResourceType]] = []
        self._nodes = 0

    def function(self, function: host.FuncType) -> wit.Function:
        try:
            params = tuple((name, self.type(param)) for name, param in function.params)
        except TypeError:
            # It does not say which one, so all of them are unknown.
            params = (("…", wit.Opaque("unknown")),)
        try:
            result = function.result
        except TypeError:
            return wit.Function(params, wit.Opaque("unknown"))
        return wit.Function(params, None if result is None else self.type(result))

    def type(self, type_: host.ValType, depth: int = 0) -> wit.Type:
        self._nodes += 1
        if depth >= wit.DEPTH_MAX or self._nodes > _NODES_MAX:
            return wit.Opaque("too-deep" if depth >= wit.DEPTH_MAX else "too-large")
        name = _PRIMITIVES.get(type(type_))
        if name is not None:
            return wit.Primitive(name)
        try:
            return self._composed(type_, depth + 1)
        except TypeError:
            return wit.Opaque(type(type_).__name__.removesuffix("Type").lower() + "-of-unknown")

    def _composed(self, type_: host.ValType, depth: int) -> wit.Type:
        def of(part: host.ValType) -> wit.Type:
            return self.type(part, depth)

        def maybe(part: host.ValType | None) -> wit.Type | None:
            return None if part is None else self.type(part, depth)

        match type_:
            case host.ListType():
                return wit.List(of(type_.element))
            case host.RecordType():
                return wit.Record(tuple((name, of(field)) for name, field in type_.fields))
            case host.TupleType():
                return wit.Tuple(tuple(map(of, type_.elements)))
            case host.VariantType():
                return wit.Variant(tuple((name, maybe(case)) for name, case in type_.cases))
            case host.EnumType():
                return wit.Enum(tuple(type_.names))
            case host.OptionType():
                return wit.Option(of(type_.payload))
            case host.ResultType():
                return wit.Result(maybe(type_.ok), maybe(type_.err))
            case host.FlagsType():
                return wit.Flags(tuple(type_.names))
            case host.OwnType() | host.BorrowType():
                return wit.Handle(self._name_of(type_.ty), isinstance(type_, host.BorrowType))
            case host.StreamType():
                return wit.Channel("stream", maybe(_payload(_ffi.wasmtime_component_stream_type_ty, type_)))
            case host.FutureType():
                return wit.Channel("future", maybe(_payload(_ffi.wasmtime_component_future_type_ty, type_)))
            case host.ErrorContext():
                return wit.Opaque("error-context")
        raise TypeError(f"{type(type_)} is unknown")

    def _name_of(self, resource: host.ResourceType) -> str:
        return next((name for name, one in self.resources if one == resource), "resource")


def component_interface(component: host.Component, engine: wasmtime.Engine) -> ComponentInterface:
    """Read the exports and imports of a component."""
    translator = Translator()
    # Imports come first, because exports use their resources.
    imports = _items(component.type.imports(engine), engine, translator)
    return ComponentInterface(_items(component.type.exports(engine), engine, translator), imports)


def _items(externs: dict[str, ComponentExtern], engine: wasmtime.Engine, translator: Translator) -> Items:
    """Sort items by kind. Types inside of core modules are not asked for: see core_module/interface.py."""
    functions: dict[str, wit.Function] = {}
    instances: dict[str, dict[str, wit.Function]] = {}
    others: dict[str, str] = {}
    types = {name: _type_of(extern) for name, extern in externs.items()}
    translator.resources += [
        (name, type_) for name, type_ in types.items() if isinstance(type_, host.ResourceType)
    ]
    for name, type_ in types.items():
        match type_:
            case host.FuncType():
                functions[name] = translator.function(type_)
            case host.ComponentInstanceType():
                instances[name] = _items(type_.exports(engine), engine, translator).functions
            case host.ComponentType():
                others[name] = "component"
            case host.ModuleType():
                others[name] = "core module"
            case host.ResourceType():
                others[name] = "resource"
            case _:
                others[name] = "type"
    return Items(functions, instances, others)


def _type_of(extern: ComponentExtern) -> host.ComponentItem | None:
    try:
        item: host.ComponentItem = extern.ty
    except TypeError:  # a type that wasmtime's interface can't express
        return None
    return item


def _payload(
    ask: Callable[[Any, Any], bool], channel: host.StreamType | host.FutureType
) -> host.ValType | None:
    found = _ffi.wasmtime_component_valtype_t()
    return valtype_from_ptr(found) if ask(channel.ptr(), ctypes.byref(found)) else None
