"""Programs that are core modules: their linking, the functions that tasks name, and their calls."""

from collections.abc import Iterable
from functools import cached_property

import wasmtime

from propeller.core.failures import ErrorKind
from propeller.core.sandbox import Grants
from propeller.errors import Invalid
from propeller.runtime.core_module import calls
from propeller.runtime.core_module.assemblyscript import SET_COUNT
from propeller.runtime.core_module.interface import Interface
from propeller.runtime.core_module.values import to_text
from propeller.runtime.failures import refused_as
from propeller.runtime.guest_run import GuestRun, Limits
from propeller.runtime.quoting import listed
from propeller.runtime.runner import traps
from propeller.runtime.runner.assemblyscript import ABORT, define_abort, hint_for
from propeller.runtime.runner.exports import Exports
from propeller.runtime.runner.memories import memory_bytes_each
from propeller.runtime.wasi.clocks import CoreSources
from propeller.runtime.wasi.session import Session
from propeller.runtime.wasi.symlinks import CoreLinks

_WASI = "wasi_snapshot_preview1"


class CoreWorld:
    """The imports that core modules are offered in one engine: WASI preview 1."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self.linker = wasmtime.Linker(engine)
        self.linker.define_wasi()
        define_abort(self.linker)
        self.links = CoreLinks(self.linker)
        #: For runs without the machine's own clock or randomness.
        self.restricted = self._with_own_links()
        self.sources = CoreSources(self.restricted)

    @cached_property
    def linking(self) -> wasmtime.Linker:
        """The linker for runs that may make links and have the machine's own clock and randomness."""
        return self._with_own_links()

    @cached_property
    def without_memory(self) -> wasmtime.Linker:
        """The linker for modules that export no memory, without which the engine's ``proc_exit`` fails."""
        linker = self._open()
        type_ = wasmtime.FuncType([wasmtime.ValType.i32()], [])
        linker.define_func(_WASI, "proc_exit", type_, _exit)
        return linker

    def _with_own_links(self) -> wasmtime.Linker:
        linker = self._open()
        self.links.define(linker)
        return linker

    def _open(self) -> wasmtime.Linker:
        """Make a linker in which functions of WASI can be replaced."""
        linker = wasmtime.Linker(self.linker.engine)
        linker.allow_shadowing = True
        linker.define_wasi()
        define_abort(linker)
        return linker


class Exited(Exception):
    """The guest has ended itself with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def _exit(code: int) -> None:
    raise Exited(code & 0xFFFFFFFF)


class CoreCall:
    """One call; all is checked that can be before there is an instance."""

    #: Whether it runs on Propeller's own WASI (``propeller.runtime.wasi``), and so needs a session.
    wants_session = False
    session: Session | None = None

    def __init__(self, program: "CoreProgram", run: GuestRun) -> None:
        self._program = program
        self.name = program.choose(run.export)
        self._given = len(run.inputs)
        interface = program.interface
        #: Whether its result is what it prints.
        self.is_command = calls.is_command(interface, self.name)
        self.wants_wasi = program.wants_wasi
        with refused_as(ErrorKind.INPUTS):
            self._arguments = [] if self.is_command else calls.arguments(interface, self.name, run.inputs)
        self._grants = run.grants

    def set_limits(self, store: wasmtime.Store, limits: Limits) -> None:
        self._program.set_limits(store, limits, self._grants)

    def __call__(self, store: wasmtime.Store) -> str:
        """Instantiate and call; give the values as text. Raises what the guest did wrong."""
        self._store = store
        self._memories: list[wasmtime.Memory] = []
        interface = self._program.interface
        exports = Exports(store, self._program.instantiate(store, self._grants))
        self._memories = [exports.memory(name) for name in interface.exported_memories]
        if self.is_command:
            exports.call("_start", calls.PLAIN, ())
            return ""
        if self.name != "_initialize" and calls.is_plain(interface, "_initialize"):
            exports.call("_initialize", calls.PLAIN, ())
        arguments = self._placed(exports)
        if interface.counts_arguments:
            exports.function(SET_COUNT)(store, self._given)
        signature = interface.functions[self.name]
        values = exports.call(self.name, signature, arguments)
        return "".join(to_text(v, t) + "\n" for v, t in zip(values, signature.results, strict=True))

    def _placed(self, exports: Exports) -> list[int | float]:
        """Copy buffers into the guest's memory, where the guest allocates room for them."""
        placed: list[int | float] = []
        for argument in self._arguments:
            if isinstance(argument, calls.Buffer):
                size = len(argument.data)
                address = exports.function(calls.ALLOCATOR)(self._store, 0, 0, 1, size)
                exports.memory("memory").write(self._store, argument.data, address & 0xFFFFFFFF)
                placed += [address, size]
            else:
                placed.append(argument)
        return placed

    def memory_bytes(self) -> int:
        """Give the size of the guest's memories, as far as exported; asked before its store is closed."""
        return sum(memory.data_len(self._store) for memory in self._memories)


class CoreProgram:
    """A module that is ready to be instantiated, any number of times.

    Raises:
        Invalid: It has imports that this proplet does not offer.

    """

    def __init__(self, world: CoreWorld, module: wasmtime.Module, interface: Interface) -> None:
        self.interface = interface
        #: Whether it imports from WASI, so that its store must carry a WASI context.
        self.wants_wasi = any(module == _WASI for module, _ in interface.imports)
        #: Whether it can open files, and so is handed directories.
        self.wants_files = any(field == "path_open" for _, field in interface.imports)
        #: Whether it can read standard input.
        self.reads_stdin = interface.reads_stdin
        self._imports_links = any(field == "path_symlink" for _, field in interface.imports)
        check_imports(interface.imports)
        self.world, self._module = world, module
        plain = self._linker(None)
        self._ready = {plain: self._linked(plain)}

    def _linked(self, linker: wasmtime.Linker) -> wasmtime.InstancePre:
        try:
            return linker.instantiate_pre(self._module)
        except wasmtime.WasmtimeError as error:
            raise Invalid(f"the module's imports can't be met: {error}") from error

    def set_limits(self, store: wasmtime.Store, limits: Limits, grants: Grants | None) -> None:
        """Set the limits of a guest with these grants.

        Raises:
            CanNotBegin: Its memories do not fit into the limit that they share.

        """
        links = 1 if self.makes_links(grants) else 0
        store.set_limits(
            memory_bytes_each(self.interface.memories, limits),
            limits.table_elements,
            1 + links,
            limits.tables,
            min(max(len(self.interface.memories), 1), limits.memories) + links,
        )

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
        """Say whether a guest with these grants makes links by Propeller's own ``path_symlink``."""
        linkers = (self.world.linker, self.world.without_memory)
        return self._imports_links and self._linker(grants) not in linkers

    def _linker(self, grants: Grants | None) -> wasmtime.Linker:
        if self.interface.others.get("memory") != "memory":
            return self.world.without_memory
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
        """Find the function that a task of this name means; raise ``Invalid`` if there is none."""
        return calls.choose(self.interface, export)


def is_offered(module: str, field: str) -> bool:
    """Say whether this module and field are, as far as their names tell, imports that proplets offer."""
    return module == _WASI or (module, field) == ABORT


def check_imports(imports: Iterable[tuple[str, str]]) -> None:
    """Raise ``Invalid`` where an import, given as module and field, is not offered."""
    foreign = [f"{module}.{field}" for module, field in imports if not is_offered(module, field)]
    if foreign:
        raise Invalid(
            f"the module imports {listed(foreign)}, which this proplet does not offer (only {_WASI})"
            + hint_for(foreign)
        )
