"""The inspection of a Wasm file: its kind, its needs on a proplet, and an example of its call."""

from collections.abc import Callable
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec
import wasmtime
from wasmtime.component import Component

from propeller.errors import Invalid
from propeller.runtime.component import imports as components
from propeller.runtime.component import wit
from propeller.runtime.component.interface import ComponentInterface, Items, spelling
from propeller.runtime.component.types import component_interface
from propeller.runtime.component.wave_examples import example_of
from propeller.runtime.core_module.interface import (
    Import,
    Interface,
    imports_of,
    interface_of,
    without_code,
)
from propeller.runtime.core_module.values import type_names
from propeller.runtime.failures import CanNotBegin
from propeller.runtime.guest_run import Limits
from propeller.runtime.runner.assemblyscript import hint_for
from propeller.runtime.runner.beginning import check_beginning
from propeller.runtime.runner.cache import new_engine
from propeller.runtime.runner.component_program import ComponentProgram, ComponentWorld
from propeller.runtime.runner.core_program import CoreProgram, CoreWorld, is_offered

Kind = Literal["module", "command", "reactor", "component", "component-command", "component-http"]

_WASI_1 = "wasi_snapshot_preview1"
#: Those of a guest whose task and whose owner ask for none.
_LIMITS = Limits()
#: How many imports are named that are not offered.
_NAMED_MAX = 3
#: Longer examples of values are left out.
_EXAMPLE_CHARS_MAX = 400


class Item(msgspec.Struct, frozen=True):
    """One import or export."""

    name: str
    #: Such as ``function``, ``memory`` or ``instance``.
    kind: str
    #: The type as text, with a function's parameters and results; empty where there is none.
    type: str = ""


class Need(msgspec.Struct, frozen=True):
    """An import or an ability that has to be granted, or that is not offered; or a limit to be raised."""

    #: The field of a task, such as ``grants.dirs`` or ``limits.memory``; empty where it is not offered.
    grant: str
    text: str


class Example(msgspec.Struct, frozen=True):
    """One way to call it."""

    #: The task's name; empty for the usual entry.
    name: str
    inputs: list[str]


class Parameter(msgspec.Struct, frozen=True):
    #: Empty in core modules, which have types only.
    name: str
    type: str
    #: A value as an input has it; empty where the type has no text form, or only a long one.
    example: str


class ExportedFunction(msgspec.Struct, frozen=True):
    """An exported function that is meant to be called."""

    #: As a task names it.
    name: str
    params: list[Parameter]
    #: Types.
    results: list[str]


class Inspection(msgspec.Struct, frozen=True):
    kind: Kind
    #: Bytes.
    size: int
    #: ``sha256:<hex>``
    digest: str
    imports: list[Item]
    exports: list[Item]
    #: Those exports that a task may name; none of a program.
    functions: list[ExportedFunction]
    needs: list[Need]
    #: The reasons why it can't run here; empty if it can.
    obstacles: list[str]
    #: None if it can't be called: there is nothing to call, or it answers HTTP.
    example: Example | None


def inspect(wasm: bytes) -> Inspection:
    """Inspect a module or component; a component is compiled for that.

    Raises:
        Invalid: It is no WebAssembly, or is not valid for this proplet's engine.

    """
    engine = new_engine(stack_bytes=_LIMITS.stack_bytes, is_quick=True)
    try:
        if wasm[4:8] == b"\x0d\0\1\0":
            made = Component(engine, wasm)
            return _component(wasm, made, component_interface(made, engine), engine)
        wasmtime.Module.validate(engine, wasm)
    except wasmtime.WasmtimeError as error:
        raise Invalid(f"not valid: {str(error).strip()[:2000]}") from error
    return _module(wasm, interface_of(wasm), imports_of(wasm), engine)


class _Beginning(NamedTuple):
    """The findings of a runner about the beginning of a guest with the usual limits."""

    needs: list[Need]
    obstacles: list[str]


def _beginning(engine: wasmtime.Engine, program: Callable[[], CoreProgram | ComponentProgram]) -> _Beginning:
    """Have a runner's own code link a program and begin with it."""
    try:
        check_beginning(engine, program(), _LIMITS, None)
    except CanNotBegin as refusal:
        text = str(refusal).partition("\n")[0]
        return (
            _Beginning([Need(refusal.raised_by, text)], []) if refusal.raised_by else _Beginning([], [text])
        )
    except Invalid as refusal:
        return _Beginning([], [str(refusal).partition("\n")[0]])
    return _Beginning([], [])


def _module(wasm: bytes, interface: Interface, imports: list[Import], engine: wasmtime.Engine) -> Inspection:
    wasi = [one.field for one in imports if one.module == _WASI_1]
    needs = []
    if any(field.startswith("path_") for field in wasi):
        needs.append(Need("grants.dirs", "may ask for files: directories have to be granted"))
    if any(field.startswith("sock_") for field in wasi):
        needs.append(Need("", "sockets are not offered: calls of them fail"))
    obstacles = _foreign(imports)
    if not obstacles:
        beginning = _beginning(engine, lambda: _without_code(wasm, interface, engine))
        needs += beginning.needs
        obstacles = beginning.obstacles
    functions = {name: signature.of("func") for name, signature in interface.functions.items()}
    kind: Kind = "command" if "_start" in functions else "reactor" if "_initialize" in functions else "module"
    return Inspection(
        kind=kind,
        size=len(wasm),
        digest=f"sha256:{sha256(wasm).hexdigest()}",
        imports=[Item(f"{one.module}.{one.field}", one.kind, one.type) for one in imports],
        exports=[
            *(Item(name, "function", type_) for name, type_ in functions.items()),
            *(Item(name, other) for name, other in interface.others.items()),
        ],
        functions=[] if kind == "command" else _module_functions(interface),
        needs=needs,
        obstacles=obstacles,
        example=None if obstacles else _module_example(interface),
    )


def _foreign(imports: list[Import]) -> list[str]:
    """Say of each module from which something is imported that is not offered what that is."""
    fields: dict[str, list[str]] = {}
    for one in imports:
        if not is_offered(one.module, one.field):
            fields.setdefault(one.module, []).append(one.field)
    found = []
    for module, names in fields.items():
        more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
        listed = ", ".join(names[:_NAMED_MAX]) + more
        hint = hint_for(f"{module}.{name}" for name in names)
        found.append(f"it imports {listed} from {module}, which is not offered{hint}")
    return found


def _without_code(wasm: bytes, interface: Interface, engine: wasmtime.Engine) -> CoreProgram:
    """Make a program that asks for what a module asks for, without compiling the module."""
    try:
        module = wasmtime.Module(engine, without_code(wasm))
    except wasmtime.WasmtimeError:  # its tables are filled with its functions
        module = wasmtime.Module(engine, without_code(wasm, tables=False))
    return CoreProgram(CoreWorld(engine), module, interface)


def _module_functions(interface: Interface) -> list[ExportedFunction]:
    return [
        ExportedFunction(
            name,
            [
                Parameter("", type_, str(number) if type_ in type_names else "")
                for number, type_ in enumerate(params, start=1)
            ],
            list(results),
        )
        for name, (params, results) in interface.functions.items()
        if not is_plumbing(name)
    ]


def _module_example(interface: Interface) -> Example | None:
    if "_start" in interface.functions:
        return Example("", [])
    usual = [name for name in ("main", *interface.functions) if name in interface.functions]
    for name in usual:
        params, results = interface.functions[name]
        if not is_plumbing(name) and type_names.issuperset((*params, *results)):
            return Example(name, [str(number) for number in range(1, len(params) + 1)])
    return None


def is_plumbing(name: str) -> bool:
    """Say whether an exported function is meant for the host, by the conventions of toolchains."""
    return name.startswith(("_", "cabi_"))


def _component(
    wasm: bytes, made: Component, interface: ComponentInterface, engine: wasmtime.Engine
) -> Inspection:
    needs, obstacles = _needs(interface), components.in_words(components.foreign_in(interface.imports))
    if not obstacles:
        beginning = _beginning(engine, lambda: ComponentProgram(ComponentWorld(engine), made, interface))
        needs += beginning.needs
        obstacles = beginning.obstacles
    kind: Kind = "component"
    if interface.is_http_handler:
        kind = "component-http"
    elif interface.is_command:
        kind = "component-command"
    return Inspection(
        kind=kind,
        size=len(wasm),
        digest=f"sha256:{sha256(wasm).hexdigest()}",
        imports=_items(interface.imports),
        exports=_items(interface.exports),
        functions=_component_functions(interface) if kind == "component" else [],
        needs=needs,
        obstacles=obstacles,
        example=None if obstacles or kind == "component-http" else _component_example(interface),
    )


def _needs(interface: ComponentInterface) -> list[Need]:
    names = interface.imports.instances

    def imports(prefix: str) -> bool:
        return any(name.startswith(prefix) and components.is_offered(name) for name in names)

    needs = []
    if interface.is_http_handler:
        needs.append(Need("grants.listen", "answers HTTP requests: a port to listen on has to be granted"))
    if imports("wasi:filesystem/"):
        needs.append(Need("grants.dirs", "may ask for files: directories have to be granted"))
    if imports("wasi:http/outgoing-handler@"):
        needs.append(Need("grants.http", "may send HTTP requests: hosts have to be granted"))
    if imports("wasi:sockets/"):
        needs.append(Need("", "sockets are not offered: calls of them fail"))
    return needs


def _items(items: Items) -> list[Item]:
    found = [Item(name, "function", wit.signature_text(of)) for name, of in items.functions.items()]
    for instance, group in items.instances.items():
        found += [
            Item(f"{instance}#{name}", "function", wit.signature_text(of)) for name, of in group.items()
        ] or [Item(instance, "instance")]
    return found + [Item(name, kind) for name, kind in items.others.items()]


def _component_functions(interface: ComponentInterface) -> list[ExportedFunction]:
    found = []
    for path in interface.paths():
        function = interface.function(path)
        params = [Parameter(name, wit.type_text(type_), _value_of(type_)) for name, type_ in function.params]
        results = [] if function.result is None else [wit.type_text(function.result)]
        found.append(ExportedFunction(spelling(path), params, results))
    return found


def _value_of(type_: wit.Type) -> str:
    """Write a short value of a type; ``""`` where there is none."""
    text = "" if wit.without_text(type_) is not None else example_of(type_)
    return text if len(text) <= _EXAMPLE_CHARS_MAX else ""


def _component_example(interface: ComponentInterface) -> Example | None:
    if interface.is_command:
        return Example("", [])
    for path in interface.paths():
        function = interface.function(path)
        types = [type_ for _, type_ in function.params]
        results = [] if function.result is None else [function.result]
        if all(wit.without_text(type_) is None for type_ in (*types, *results)):
            return Example(_shortest(interface, path), [example_of(type_) for type_ in types])
    return None


def _shortest(interface: ComponentInterface, path: tuple[str] | tuple[str, str]) -> str:
    """Give the function's name alone where that is unambiguous."""
    try:
        return path[-1] if interface.choose(path[-1]) == path else spelling(path)
    except Invalid:
        return spelling(path)
