"""The exports of a core module's instance, each looked up by its name."""

import ctypes
from collections.abc import Sequence

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime._extern import wrap_extern
from wasmtime._func import enter_wasm

from propeller.runtime.core_module.interface import Signature

_KINDS = {
    "i32": ffi.WASMTIME_I32.value,
    "i64": ffi.WASMTIME_I64.value,
    "f32": ffi.WASMTIME_F32.value,
    "f64": ffi.WASMTIME_F64.value,
}


class Exports:
    """Exports of one instance.

    The package's own mapping asks for all of them when it is made, and for each the engine counts from the
    first: an instance with 20,000 took 10 s.
    """

    def __init__(self, store: wasmtime.Store, instance: wasmtime.Instance) -> None:
        self._store = store
        self._instance = instance

    def function(self, name: str) -> wasmtime.Func:
        found = self._named(name)
        assert isinstance(found, wasmtime.Func)
        return found

    def call(self, name: str, signature: Signature, values: Sequence[int | float]) -> list[int | float]:
        """Call a function that takes and returns numbers; raise what the guest did wrong.

        The package's own call asks the engine for the type of the function and holds each value to every
        type that there is, which takes longer than all else in a quick call.
        """
        params, results = signature
        given = (ffi.wasmtime_val_t * len(params))()
        for slot, type_, value in zip(given, params, values, strict=True):
            slot.kind = _KINDS[type_]
            setattr(slot.of, type_, value)
        returned = (ffi.wasmtime_val_t * len(results))()
        function = self.function(name)
        with enter_wasm(self._store) as trap:
            error = ffi.wasmtime_func_call(
                self._store._context(),  # noqa: SLF001
                ctypes.byref(function._func),  # noqa: SLF001
                given,
                len(params),
                returned,
                len(results),
                trap,
            )
            if error:
                raise wasmtime.WasmtimeError._from_ptr(error)  # noqa: SLF001
        return [getattr(slot.of, type_) for slot, type_ in zip(returned, results, strict=True)]

    def memory(self, name: str) -> wasmtime.Memory:
        found = self._named(name)
        assert isinstance(found, wasmtime.Memory)
        return found

    def _named(self, name: str) -> object:
        encoded, item = name.encode(), ffi.wasmtime_extern_t()
        is_there = ffi.wasmtime_instance_export_get(
            self._store._context(),  # noqa: SLF001
            ctypes.byref(self._instance._instance),  # noqa: SLF001
            ctypes.create_string_buffer(encoded),
            len(encoded),
            ctypes.byref(item),
        )
        if not is_there:
            raise KeyError(name)
        return wrap_extern(item)
