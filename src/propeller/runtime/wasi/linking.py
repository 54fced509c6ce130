"""A linker for a component that has to do with HTTP: each function that it imports, from our tables."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import wasmtime
from wasmtime import StoreContext, component
from wasmtime.component import _types as component_types

from propeller.runtime import wit
from propeller.runtime.component_interface import ComponentInterface
from propeller.runtime.wasi import basics, fields, io, messages, outgoing
from propeller.runtime.wasi.session import current
from propeller.runtime.wasi.values import RESOURCES, from_guest, to_guest


class _PerThread(threading.local):
    """A set of its own for each thread."""

    def __init__(self) -> None:
        self._items: set[type] = set()
        self.add, self.clear = self._items.add, self._items.clear

    def __iter__(self) -> Iterator[type]:
        return iter(self._items)


# The package finds the case of a variant with one set that all threads share, and so may take it for another.
component_types.case_test_cache = _PerThread()  # type: ignore[assignment]

#: By interface without version, then by function. The first argument is the session.
_FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {}
for _table in (io.FUNCTIONS, basics.FUNCTIONS, fields.FUNCTIONS, messages.FUNCTIONS, outgoing.FUNCTIONS):
    for _interface, _functions in _table.items():
        _FUNCTIONS.setdefault(_interface, {}).update(_functions)

#: Which resources an interface defines.
_RESOURCES = {
    "wasi:io/error": ("error",),
    "wasi:io/poll": ("pollable",),
    "wasi:io/streams": ("input-stream", "output-stream"),
    "wasi:cli/terminal-input": ("terminal-input",),
    "wasi:cli/terminal-output": ("terminal-output",),
    "wasi:filesystem/types": ("descriptor", "directory-entry-stream"),
    "wasi:http/types": tuple(name for name in RESOURCES if RESOURCES[name] >= RESOURCES["fields"]),
}


def linker_for(
    engine: wasmtime.Engine, loaded: component.Component, interface: ComponentInterface
) -> component.Linker:
    """Make the linker; what it imports and nobody here knows ends a guest that calls it."""
    linker = component.Linker(engine)
    with linker.root() as root:
        for name, group in interface.imports.instances.items():
            plain = name.partition("@")[0]
            ours = _FUNCTIONS.get(plain, {})
            resources = _RESOURCES.get(plain, ())
            if not ours and not resources:
                continue
            with root.add_instance(name) as instance:
                for resource in resources:
                    kind = component.ResourceType.host(RESOURCES[resource])
                    instance.add_resource(resource, kind, lambda _, number: current().drop(number))
                for function, type_ in group.items():
                    if function in ours:
                        instance.add_func(function, _wrapped(ours[function], type_))
    linker.allow_shadowing = True
    linker.define_unknown_imports_as_traps(loaded)
    return linker


def _wrapped(function: Callable[..., Any], type_: wit.Function) -> Callable[..., Any]:
    types = [of for _, of in type_.params]

    def call(store: StoreContext, *given: Any) -> Any:
        session = current()
        try:
            arguments = [from_guest(store, of, value) for of, value in zip(types, given, strict=True)]
            result = function(session, *arguments)
            return None if type_.result is None else to_guest(type_.result, result)
        except Exception as error:
            # Kept here: the package would keep it where another thread might find it.
            session.failure = session.failure or error
            raise wasmtime.WasmtimeError(f"{type(error).__name__}: {error}") from error

    return call
