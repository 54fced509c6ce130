"""A linker with Propeller's own WASI: it has each function that a component imports, from the tables."""

from collections.abc import Callable
from typing import Any

import wasmtime
from wasmtime import component

from propeller.runtime.component.interface import ComponentInterface
from propeller.runtime.component.values import RESOURCES
from propeller.runtime.wasi import basics, fields, files, io, messages, outgoing, sockets
from propeller.runtime.wasi.binding import add_function
from propeller.runtime.wasi.session import current

#: By interface, without its version, then by function. The first argument is the session.
FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {}
for _module in (io, basics, files, fields, messages, outgoing, sockets):
    for _interface, _functions in _module.FUNCTIONS.items():
        FUNCTIONS.setdefault(_interface, {}).update(_functions)

#: The resources that an interface defines.
_RESOURCES = {
    "wasi:io/error": ("error",),
    "wasi:io/poll": ("pollable",),
    "wasi:io/streams": ("input-stream", "output-stream"),
    "wasi:cli/terminal-input": ("terminal-input",),
    "wasi:cli/terminal-output": ("terminal-output",),
    "wasi:filesystem/types": ("descriptor", "directory-entry-stream"),
    "wasi:sockets/network": ("network",),
    "wasi:sockets/ip-name-lookup": ("resolve-address-stream",),
    "wasi:sockets/tcp": ("tcp-socket",),
    "wasi:sockets/udp": ("udp-socket", "incoming-datagram-stream", "outgoing-datagram-stream"),
    "wasi:http/types": tuple(name for name in RESOURCES if RESOURCES[name] >= RESOURCES["fields"]),
}


def linker_for(
    engine: wasmtime.Engine, loaded: component.Component, interface: ComponentInterface
) -> component.Linker:
    """Make the linker; an imported function that is in no table ends a guest that calls it."""
    linker = component.Linker(engine)
    with linker.root() as root:
        for name, group in interface.imports.instances.items():
            plain = name.partition("@")[0]
            offered = FUNCTIONS.get(plain, {})
            resources = _RESOURCES.get(plain, ())
            if not offered and not resources:
                continue
            with root.add_instance(name) as instance:
                for resource in resources:
                    kind = component.ResourceType.host(RESOURCES[resource])
                    instance.add_resource(resource, kind, lambda _, number: current().drop(number))
                for function, type_ in group.items():
                    if function in offered:
                        add_function(instance, function, offered[function], type_)
    linker.allow_shadowing = True
    linker.define_unknown_imports_as_traps(loaded)
    return linker
