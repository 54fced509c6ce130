"""The exports of a core module's instance, each looked up by its name."""

import ctypes

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime._extern import wrap_extern


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
