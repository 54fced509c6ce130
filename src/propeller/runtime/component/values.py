"""Converts values of the component model between Python and the engine.

The package's own conversion asks for all types again at each call, takes a microsecond for each byte of a
list, and tells the cases of a variant apart by the Python type of the payload: it takes true for a number
where an earlier case has one. Here a type becomes a pair of functions, once.

=============== =================================================================
type            in Python
=============== =================================================================
integers        int
f32, f64        float
char, string    str
list<u8>        bytes
list            list
record          dictionary
tuple           tuple
variant         Case (variants.py)
option          the value or None; of an option: Some or None
result          Ok or Err
enum            str
flags           set of str
own, borrow     the resource's number, of one that the host has (lowered: own only)
=============== =================================================================
"""

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component
from wasmtime.component._enter import enter_wasm

from propeller.runtime.component import wit
from propeller.runtime.component.variants import Case, Err, Ok, Some

#: Numbers of the types of the host's resources.
RESOURCES = {
    name: number
    for number, name in enumerate(
        (
            "error pollable input-stream output-stream terminal-input terminal-output descriptor "
            "directory-entry-stream network resolve-address-stream tcp-socket udp-socket "
            "incoming-datagram-stream outgoing-datagram-stream fields incoming-request "
            "outgoing-request request-options response-outparam incoming-response incoming-body "
            "future-trailers outgoing-response outgoing-body future-incoming-response"
        ).split(),
        start=1,
    )
}


#: Converts the engine's value to Python's; the second argument is the store's context.
Lift = Callable[[Any, Any], Any]
#: Writes Python's value, the first argument, into the engine's, the second.
Lower = Callable[[Any, Any, Any], None]

_VALUE_BYTES = ctypes.sizeof(ffi.wasmtime_component_val_t)
_PAYLOAD_AT = ffi.wasmtime_component_val_t.of.offset

#: A null pointer.
_NOTHING: Any = None

_PLAIN: dict[str, tuple[str, int]] = {
    "bool": ("boolean", ffi.WASMTIME_COMPONENT_BOOL.value),
    **{
        name: (name, getattr(ffi, f"WASMTIME_COMPONENT_{name.upper()}").value)
        for name in ("s8", "s16", "s32", "s64", "u8", "u16", "u32", "u64", "f32", "f64")
    },
}


def call(
    function: component.Func, store: wasmtime.Store, type_: wit.Function, arguments: Sequence[Any]
) -> Any:
    """Call an exported function; give its result, or None.

    Raises:
        wasmtime.Trap, wasmtime.WasmtimeError: The guest failed.
        Exception: What a function raised that was bound by the package and that the guest called.

    """
    count = len(type_.params)
    given = (ffi.wasmtime_component_val_t * count)()
    result = ffi.wasmtime_component_val_t()
    context = store._context()  # noqa: SLF001  the package has no other way
    try:
        for i, ((_, of), item) in enumerate(zip(type_.params, arguments, strict=True)):
            converters(of)[1](item, given[i], context)
        enter_wasm(
            lambda: ffi.wasmtime_component_func_call(
                ctypes.byref(function._func),  # noqa: SLF001
                context,
                given,
                count,
                ctypes.byref(result),
                int(type_.result is not None),
            )
        )
        return None if type_.result is None else converters(type_.result)[0](result, context)
    finally:
        # A value that was not set is a bool, which has nothing to be freed.
        for value in (*given, result):
            ffi.wasmtime_component_val_delete(ctypes.byref(value))


@functools.cache
def converters(type_: wit.Type) -> tuple[Lift, Lower]:
    """Give the functions that convert values of a type, there and back."""
    match type_:
        case wit.Primitive("string"):
            return _text("string", ffi.WASMTIME_COMPONENT_STRING.value)
        case wit.Primitive("char"):
            return _char()
        case wit.Primitive(name) if name in _PLAIN:
            return _plain(*_PLAIN[name])
        case wit.Enum():
            return _text("enumeration", ffi.WASMTIME_COMPONENT_ENUM.value)
        case wit.List(wit.Primitive("u8")):
            return _octets()
        case wit.List(element):
            return _list(*converters(element))
        case wit.Tuple(elements):
            return _tuple([converters(each) for each in elements])
        case wit.Record(fields):
            return _record([(name, *converters(each)) for name, each in fields])
        case wit.Option(wit.Option() as inner):
            return _option_of_option(*converters(inner))
        case wit.Option(payload):
            return _option(*converters(payload))
        case wit.Result(ok, err):
            return _result(_side(ok), _side(err))
        case wit.Variant(cases):
            return _variant({name: _side(each) for name, each in cases})
        case wit.Flags():
            return _flags()
        case wit.Handle(name):
            return _handle(RESOURCES[name])
    raise TypeError(f"values of the type {wit.type_text(type_)} can't be converted")


def _side(type_: wit.Type | None) -> tuple[Lift, Lower] | None:
    return None if type_ is None else converters(type_)


def _plain(field: str, number: int) -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> Any:
        return getattr(value.of, field)

    def lower(item: Any, value: Any, context: Any) -> None:
        setattr(value.of, field, item)
        value.kind = number

    return lift, lower


def _char() -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> str:
        return chr(value.of.character)

    def lower(item: str, value: Any, context: Any) -> None:
        value.of.character = ord(item)
        value.kind = ffi.WASMTIME_COMPONENT_CHAR.value

    return lift, lower


def _text(field: str, number: int) -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> str:
        return _read(getattr(value.of, field))

    def lower(item: str, value: Any, context: Any) -> None:
        setattr(value.of, field, ffi.str_to_capi(item))
        value.kind = number

    return lift, lower


def _read(name: Any) -> str:
    return ctypes.string_at(name.data, name.size).decode()


def _octets() -> tuple[Lift, Lower]:
    octet = bytes([ffi.WASMTIME_COMPONENT_U8.value])

    def lift(value: Any, context: Any) -> bytes:
        items = value.of.list
        return ctypes.string_at(items.data, items.size * _VALUE_BYTES)[_PAYLOAD_AT::_VALUE_BYTES]

    def lower(item: bytes, value: Any, context: Any) -> None:
        size = len(item)
        image = bytearray(size * _VALUE_BYTES)
        image[::_VALUE_BYTES] = octet * size
        image[_PAYLOAD_AT::_VALUE_BYTES] = item
        items = ffi.wasmtime_component_vallist_t()
        ffi.wasmtime_component_vallist_new_uninit(ctypes.byref(items), size)
        ctypes.memmove(items.data, bytes(image), len(image))
        value.of.list = items
        value.kind = ffi.WASMTIME_COMPONENT_LIST.value

    return lift, lower


def _list(lift_item: Lift, lower_item: Lower) -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> list[Any]:
        items = value.of.list
        return [lift_item(items.data[i], context) for i in range(items.size)]

    def lower(item: Any, value: Any, context: Any) -> None:
        items = ffi.wasmtime_component_vallist_t()
        ffi.wasmtime_component_vallist_new_uninit(ctypes.byref(items), len(item))
        for i, each in enumerate(item):
            lower_item(each, items.data[i], context)
        value.of.list = items
        value.kind = ffi.WASMTIME_COMPONENT_LIST.value

    return lift, lower


def _tuple(elements: list[tuple[Lift, Lower]]) -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> tuple[Any, ...]:
        data = value.of.tuple.data
        return tuple(lift(data[i], context) for i, (lift, _) in enumerate(elements))

    def lower(item: tuple[Any, ...], value: Any, context: Any) -> None:
        items = ffi.wasmtime_component_valtuple_t()
        ffi.wasmtime_component_valtuple_new_uninit(ctypes.byref(items), len(elements))
        for i, ((_, lower_item), each) in enumerate(zip(elements, item, strict=True)):
            lower_item(each, items.data[i], context)
        value.of.tuple = items
        value.kind = ffi.WASMTIME_COMPONENT_TUPLE.value

    return lift, lower


def _record(fields: list[tuple[str, Lift, Lower]]) -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> dict[str, Any]:
        data = value.of.record.data
        return {name: lift(data[i].val, context) for i, (name, lift, _) in enumerate(fields)}

    def lower(item: dict[str, Any], value: Any, context: Any) -> None:
        items = ffi.wasmtime_component_valrecord_t()
        ffi.wasmtime_component_valrecord_new_uninit(ctypes.byref(items), len(fields))
        for i, (name, _, lower_item) in enumerate(fields):
            items.data[i].name = ffi.str_to_capi(name)
            lower_item(item[name], items.data[i].val, context)
        value.of.record = items
        value.kind = ffi.WASMTIME_COMPONENT_RECORD.value

    return lift, lower


def _boxed(lower: Lower, item: Any, context: Any) -> Any:
    value = ffi.wasmtime_component_val_t()
    lower(item, value, context)
    return ffi.wasmtime_component_val_new(ctypes.byref(value))


def _option(lift_item: Lift, lower_item: Lower) -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> Any:
        some = value.of.option
        return lift_item(some.contents, context) if some else None

    def lower(item: Any, value: Any, context: Any) -> None:
        value.of.option = _NOTHING if item is None else _boxed(lower_item, item, context)
        value.kind = ffi.WASMTIME_COMPONENT_OPTION.value

    return lift, lower


def _option_of_option(lift_item: Lift, lower_item: Lower) -> tuple[Lift, Lower]:
    return _option(
        lambda value, context: Some(lift_item(value, context)),
        lambda item, value, context: lower_item(item.value, value, context),
    )


def _result(ok: tuple[Lift, Lower] | None, err: tuple[Lift, Lower] | None) -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> Ok | Err:
        result = value.of.result
        side = ok if result.is_ok else err
        payload = None if side is None else side[0](result.val.contents, context)
        return Ok(payload) if result.is_ok else Err(payload)

    def lower(item: Any, value: Any, context: Any) -> None:
        is_ok = not isinstance(item, Err)
        side = ok if is_ok else err
        result = ffi.wasmtime_component_valresult_t()
        result.is_ok = is_ok
        result.val = _NOTHING if side is None else _boxed(side[1], item.value, context)
        value.of.result = result
        value.kind = ffi.WASMTIME_COMPONENT_RESULT.value

    return lift, lower


def _variant(cases: dict[str, tuple[Lift, Lower] | None]) -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> Case:
        variant = value.of.variant
        tag = _read(variant.discriminant)
        side = cases[tag]
        return Case(tag, None if side is None else side[0](variant.val.contents, context))

    def lower(item: Case, value: Any, context: Any) -> None:
        side = cases[item.name]
        variant = ffi.wasmtime_component_valvariant_t()
        variant.val = _NOTHING if side is None else _boxed(side[1], item.payload, context)
        variant.discriminant = ffi.str_to_capi(item.name)
        value.of.variant = variant
        value.kind = ffi.WASMTIME_COMPONENT_VARIANT.value

    return lift, lower


def _flags() -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> set[str]:
        flags = value.of.flags
        return {_read(flags.data[i]) for i in range(flags.size)}

    def lower(item: Any, value: Any, context: Any) -> None:
        flags = ffi.wasmtime_component_valflags_t()
        ffi.wasmtime_component_valflags_new_uninit(ctypes.byref(flags), len(item))
        for i, each in enumerate(item):
            flags.data[i] = ffi.str_to_capi(each)
        value.of.flags = flags
        value.kind = ffi.WASMTIME_COMPONENT_FLAGS.value

    return lift, lower


def _handle(type_number: int) -> tuple[Lift, Lower]:
    def lift(value: Any, context: Any) -> int:
        host = ctypes.POINTER(ffi.wasmtime_component_resource_host_t)()
        _check(ffi.wasmtime_component_resource_any_to_host(context, value.of.resource, ctypes.byref(host)))
        number: int = ffi.wasmtime_component_resource_host_rep(host)
        ffi.wasmtime_component_resource_host_delete(host)
        return number

    def lower(item: int, value: Any, context: Any) -> None:
        host = ffi.wasmtime_component_resource_host_new(True, item, type_number)
        resource = ctypes.POINTER(ffi.wasmtime_component_resource_any_t)()
        error = ffi.wasmtime_component_resource_host_to_any(context, host, ctypes.byref(resource))
        ffi.wasmtime_component_resource_host_delete(host)
        _check(error)
        value.of.resource = resource
        value.kind = ffi.WASMTIME_COMPONENT_RESOURCE.value

    return lift, lower


def _check(error: Any) -> None:
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)  # noqa: SLF001  the package has no other way
