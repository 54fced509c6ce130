"""Python functions as imports of components.

The package's own way keeps the last exception in a variable of the process, from where it may come out in
another thread's guest. Here it stays in the session.
"""

import ctypes
import itertools
from collections.abc import Callable
from typing import Any

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime.component import LinkerInstance

from propeller.runtime.component import wit
from propeller.runtime.component.values import Lift, Lower, converters
from propeller.runtime.wasi.session import current


class _Import:
    """One function and the converters of its values, which are made when it is first called."""

    def __init__(self, function: Callable[..., Any], type_: wit.Function) -> None:
        self.function = function
        self._type = type_
        self._converters: tuple[list[Lift], Lower | None] | None = None

    def converters(self) -> tuple[list[Lift], Lower | None]:
        if self._converters is None:
            result = self._type.result
            lower = None if result is None else converters(result)[1]
            self._converters = [converters(of)[0] for _, of in self._type.params], lower
        return self._converters


#: The functions by the numbers under which the engine knows them.
_imports: dict[int, _Import] = {}
_numbers = itertools.count(1)


def _called(
    number: int, context: Any, _type: Any, given: Any, _count: int, results: Any, _result_count: int
) -> int:
    # The engine drops its values after this call, and owns those that it is given.
    session = current()
    try:
        import_ = _imports[number]
        lifts, lower = import_.converters()
        arguments = [lift(given[i], context) for i, lift in enumerate(lifts)]
        result = import_.function(session, *arguments)
        if lower is not None:
            lower(result, results[0], context)
    except BaseException as error:
        session.failure = session.failure or error
        failed = wasmtime.WasmtimeError(f"{type(error).__name__}: {error}")
        return ctypes.cast(failed._consume(), ctypes.c_void_p).value or 0  # noqa: SLF001
    return 0


def _forget(number: int) -> None:
    _imports.pop(number, None)


_on_call = ffi.wasmtime_component_func_callback_t(_called)
_on_end = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_forget)


def add_function(
    instance: LinkerInstance, name: str, function: Callable[..., Any], type_: wit.Function
) -> None:
    """Offer a function under a name; its first argument is the session."""
    number = next(_numbers)
    _imports[number] = _Import(function, type_)
    encoded = name.encode()
    error = ffi.wasmtime_component_linker_instance_add_func(
        instance.ptr(), ctypes.create_string_buffer(encoded), len(encoded), _on_call, number, _on_end
    )
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)  # noqa: SLF001
