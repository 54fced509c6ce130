"""Programs that are core modules: their linking, the functions that tasks name, and their calls."""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import msgspec
import wasmtime

from propeller.core.failures import ErrorKind
from propeller.core.sandbox import Grants
from propeller.errors import Invalid
from propeller.runtime.core_module.interface import Interface, Signature
from propeller.runtime.core_module.values import to_text, to_wasm, type_names
from propeller.runtime.failures import refused_as
from propeller.runtime.guest_run import GuestRun, Limits
from propeller.runtime.quoting import shown
from propeller.runtime.runner import traps
from propeller.runtime.wasi.clocks import CoreSources
from propeller.runtime.wasi.session import Session
from propeller.runtime.wasi.symlinks import CoreLinks

_WASI = "wasi_snapshot_preview1"
_LISTED_MAX = 20
#: The allocator of the component model's canonical ABI: old address, old size, alignment, new size.
_ALLOCATOR, _ALLOCATOR_TYPE = "cabi_realloc", Signature(("i32",) * 4, ("i32",))


class CoreWorld:
    """The imports that core modules are offered in one engine: WASI preview 1."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self.linker = wasmtime.Linker(engine)
        self.linker.define_wasi()
        self.links = CoreLinks(self.linker)
        #: For runs without the machine's own clock or randomness.
        self.restricted = self._with_own_links()
        self.sources = CoreSources(self.restricted)

    @cached_property
    def linking(self) -> wasmtime.Linker:
        """The linker for runs that may make links and have the machine's own clock and randomness."""
        return self._with_own_links()

    def _with_own_links(self) -> wasmtime.Linker:
        linker = wasmtime.Linker(self.linker.engine)
        linker.allow_shadowing = True
        linker.define_wasi()
        self.links.define(linker)
        return linker


class _Buffer(msgspec.Struct, frozen=True):
    """Bytes for a guest, which are two parameters: address and size."""

    data: bytes


class CoreCall:
    """One call; all is checked that can be before there is an instance."""

    #: Whether it runs on Propeller's own WASI (``propeller.runtime.wasi``), and so needs a session.
    wants_session = False
    session: Session | None = None

    def __init__(self, program: "CoreProgram", run: GuestRun) -> None:
        self._program = program
        self.name = program.choose(run.export)
        #: Whether its result is what it prints.
        self.is_command = program.is_command(self.name)
        self.wants_wasi = program.wants_wasi
        with refused_as(ErrorKind.INPUTS):
            self._arguments = [] if self.is_command else program.arguments(self.name, run.inputs)
        self._grants = run.grants

    def set_limits(self, store: wasmtime.Store, limits: Limits) -> None:
        self._program.set_limits(store, limits, self._grants)

    def __call__(self, store: wasmtime.Store) -> str:
        """Instantiate and call; give the values as text. Raises what the guest did wrong."""
        self._store = store
        self._memories: list[wasmtime.Memory] = []
        exports = self._program.instantiate(store, self._grants).exports(store)
        for name in self._program.memories:
            memory = exports[name]
            assert isinstance(memory, wasmtime.Memory)
            self._memories.append(memory)
        if self.is_command:
            _function(exports, "_start")(store)
            return ""
        if self.name != "_initialize" and self._program.is_plain("_initialize"):
            _function(exports, "_initialize")(store)
        arguments = self._placed(exports)
        value = _function(exports, self.name)(store, *arguments)
        types = self._program.functions[self.name].results
        values = [] if not types else [value] if len(types) == 1 else value
        return "".join(to_text(v, t) + "\n" for v, t in zip(values, types, strict=True))

    def _placed(self, exports: Mapping[str, Any]) -> list[int | float]:
        """Copy buffers into the guest's memory, where the guest allocates room for them."""
        placed: list[int | float] = []
        for argument in self._arguments:
            if isinstance(argument, _Buffer):
                size = len(argument.data)
                address = _function(exports, _ALLOCATOR)(self._store, 0, 0, 1, size)
                exports["memory"].write(self._store, argument.data, address & 0xFFFFFFFF)
                placed += [address, size]
            else:
                placed.append(argument)
        return placed

    def memory_bytes(self) -> int:
        """Give the size of the guest's memory; asked before its store is closed."""
        # A guest has one memory, perhaps exported by several names.
        return max((memory.data_len(self._store) for memory in self._memories), default=0)


class CoreProgram:
    """A module that is ready to be instantiated, any number of times.

    Raises:
        Invalid: It has imports that this proplet does not offer.

    """

    def __init__(self, world: CoreWorld, module: wasmtime.Module, interface: Interface) -> None:
        self.functions = interface.functions
        self.others = interface.others
        #: Names of the memories that it exports.
        self.memories = [name for name, kind in interface.others.items() if kind == "memory"]
        #: Whether it imports from WASI, so that its store must carry a WASI context.
        self.wants_wasi = any(module == _WASI for module, _ in interface.imports)
        #: Whether it can open files, and so is handed directories.
        self.wants_files = any(field == "path_open" for _, field in interface.imports)
        #: Whether it can read standard input.
        self.reads_stdin = any(field == "fd_read" for _, field in interface.imports)
        self._imports_links = any(field == "path_symlink" for _, field in interface.imports)
        check_imports(interface.imports)
        self.world, self._module = world, module
        self._ready = {world.linker: self._linked(world.linker)}
        self._has_allocator = (
            self.functions.get(_ALLOCATOR) == _ALLOCATOR_TYPE and self.others.get("memory") == "memory"
        )

    def _linked(self, linker: wasmtime.Linker) -> wasmtime.InstancePre:
        try:
            return linker.instantiate_pre(self._module)
        except wasmtime.WasmtimeError as error:
            raise Invalid(f"the module's imports can't be met: {error}") from error

    def set_limits(self, store: wasmtime.Store, limits: Limits, grants: Grants | None) -> None:
        """Set the limits of a guest with these grants."""
        count = 2 if self.makes_links(grants) else 1
        store.set_limits(limits.memory_bytes, limits.table_elements, count, limits.tables, count)

    def instantiate(self, store: wasmtime.Store, grants: Grants | None) -> wasmtime.Instance:
        """Make an instance for a guest with these grants.

        Raises:
            NeverBegins: There can't be one with these limits.

        """
        with traps.of_instantiation():
            if self.makes_links(grants):
                self.world.links.begin(store)
            return self.instance(grants).instantiate(store)

    def instance(self, grants: Grants | None) -> wasmtime.InstancePre:
        """Give the linked module for a guest with these grants."""
        linker = self._linker(grants)
        if grants is not None and linker is self.world.restricted:
            self.world.sources.begin(grants)
        if linker not in self._ready:
            self._ready[linker] = self._linked(linker)
        return self._ready[linker]

    def makes_links(self, grants: Grants | None) -> bool:
        """Whether a guest with these grants makes links by Propeller's own ``path_symlink``."""
        return self._imports_links and self._linker(grants) is not self.world.linker

    def _linker(self, grants: Grants | None) -> wasmtime.Linker:
        if grants is None:
            return self.world.linker
        if not (grants.clock and grants.random is True):
            return self.world.restricted
        if self._imports_links and grants.has_changeable_dirs:
            return self.world.linking
        return self.world.linker

    def call(self, run: GuestRun) -> CoreCall:
        """Check a call; raise ``Invalid`` if it can't be made."""
        return CoreCall(self, run)

    def choose(self, export: str) -> str:
        """Find the function that a task of this name means.

        Differs: The reference falls back to ``main``, ``run`` or ``_start`` for any unknown name, so that a
        typing error runs another function. Here only a program that exports no other function runs under
        any name.

        Raises:
            Invalid: There is no such function; the message lists the exported ones.

        """
        if export in self.functions:
            return export
        if export in self.others:
            raise Invalid(
                f"{shown(export)} is exported, but as a {self.others[export]}, and not as a function"
            )
        if "_start" in self.functions and all(name.startswith("_") for name in self.functions):
            return "_start"
        if not self.functions:
            raise Invalid(f"no function {shown(export)} is exported, nor any other function")
        names = [signature.of(name) for name, signature in self.functions.items()]
        raise Invalid(f"no function {shown(export)} is exported; exported are: {_listed(names)}")

    def is_command(self, name: str) -> bool:
        """Whether this function is a WASI command's entry, whose result is what it prints."""
        return name == "_start" and self.is_plain(name)

    def is_plain(self, name: str) -> bool:
        """Whether this function exists, takes nothing and gives nothing."""
        return self.functions.get(name) == Signature((), ())

    def arguments(self, name: str, inputs: list[str]) -> list[int | float | _Buffer]:
        """Convert inputs to the function's parameters.

        Where the module exports the component model's allocator, a text in double quotes or a list of bytes
        (``[104, 105]``) is copied into its memory, and is two parameters: address and size.
        """
        params, results = self.functions[name]
        if strange := [t for t in (*params, *results) if t not in type_names]:
            raise Invalid(
                f"{self.functions[name].of(name)} has the type {strange[0]}, which has no text form here"
            )
        buffers = {n: data for n, text in enumerate(inputs) if (data := self._buffer(text)) is not None}
        if len(inputs) + len(buffers) != len(params):
            raise Invalid(_wrong_count(name, params, inputs))
        arguments: list[int | float | _Buffer] = []
        types = iter(params)
        for number, text in enumerate(inputs):
            type_name = next(types)
            if number not in buffers:
                arguments.append(to_wasm(text, type_name, export=name, number=number + 1))
                continue
            if type_name != "i32" or next(types) != "i32":
                raise Invalid(
                    f"input {number + 1} of {name} is text or bytes, which stand for two parameters of type "
                    f"i32 (address and size), but it takes ({', '.join(params)})"
                )
            arguments.append(buffers[number])
        return arguments

    def _buffer(self, text: str) -> _Buffer | None:
        if not self._has_allocator or text[:1] not in ('"', "["):
            return None
        try:
            value = json.loads(text)
            return _Buffer(value.encode() if isinstance(value, str) else bytes(value))
        except (ValueError, TypeError) as error:
            raise Invalid(f"the input {shown(text)} is neither JSON text nor a list of bytes") from error


def check_imports(imports: Iterable[tuple[str, str]]) -> None:
    """Raise ``Invalid`` where an import, given as module and field, is not offered."""
    foreign = [f"{module}.{field}" for module, field in imports if module != _WASI]
    if foreign:
        raise Invalid(
            f"the module imports {_listed(foreign)}, which this proplet does not offer (only {_WASI})"
        )


def _wrong_count(name: str, params: tuple[str, ...], inputs: list[str]) -> str:
    types = f" ({', '.join(params)})" if params else ""
    given = f"{len(inputs)} input was" if len(inputs) == 1 else f"{len(inputs)} inputs were"
    shown_inputs = f": {shown(inputs)}" if inputs else ""
    plural = "" if len(params) == 1 else "s"
    return f"{name} takes {len(params)} parameter{plural}{types}, but {given} given{shown_inputs}"


def _function(exports: Mapping[str, object], name: str) -> wasmtime.Func:
    function = exports[name]
    assert isinstance(function, wasmtime.Func)
    return function


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED_MAX
    cut = [name if len(name) <= 200 else name[:200] + "…" for name in names[:_LISTED_MAX]]
    return ", ".join(cut) + (f" and {more} more" if more > 0 else "")
