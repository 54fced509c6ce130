"""Programs that are components: their linking, the functions that tasks name, and their calls."""

from collections.abc import Callable
from functools import cached_property

import wasmtime
from wasmtime import component

from propeller.core.failures import ErrorKind
from propeller.core.sandbox import Grants
from propeller.errors import Invalid
from propeller.runtime.component import wave
from propeller.runtime.component.calls import Callee
from propeller.runtime.component.imports import foreign_in, in_words
from propeller.runtime.component.interface import ComponentInterface, Path
from propeller.runtime.component.values import call
from propeller.runtime.component.variants import Err
from propeller.runtime.failures import refused_as
from propeller.runtime.guest_run import GuestRun, Limits
from propeller.runtime.runner import traps
from propeller.runtime.runner.own_memory import writable_bytes
from propeller.runtime.wasi.clocks import ComponentSources
from propeller.runtime.wasi.incoming import Handler
from propeller.runtime.wasi.session import Exited, Session


class ComponentWorld:
    """The imports that components are offered in one engine: WASI 0.2."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self.engine = engine
        self.linker = component.Linker(engine)
        self.linker.add_wasip2()


class ComponentCall:
    """One call; all is checked that can be before there is an instance."""

    wants_wasi = True
    #: Set before the call where Propeller's own WASI needs it.
    session: Session | None = None

    def __init__(self, program: "ComponentProgram", run: GuestRun) -> None:
        self._program = program
        self._callee = Callee(program.interface, run.export)
        #: Whether its result is what it prints.
        self.is_command = self._callee.is_command
        self.name = run.export
        with refused_as(ErrorKind.INPUTS):
            self._arguments = self._callee.arguments(run.inputs)
        self._grants = run.grants
        self.wants_session = program.wants_session(run.grants)
        self.set_limits = program.set_limits

    def __call__(self, store: wasmtime.Store) -> str:
        """Instantiate and call; give the value as text. Raises what the guest did wrong."""
        self._memory_before = writable_bytes()
        if self.session is None:
            return self._result(store)
        with self.session.in_this_thread():
            try:
                return self._result(store)
            except wasmtime.WasmtimeError:
                if isinstance(self.session.failure, Exited):
                    return self._exit(self.session.failure)
                raise

    @staticmethod
    def _exit(exited: Exited) -> str:
        if exited.is_ok:
            return ""
        raise ExitedWithError(exited.code)

    def _result(self, store: wasmtime.Store) -> str:
        instance = self._program.instantiate(store, self._grants)
        function = instance.get_func(store, self._program.index(self._callee.path))
        assert function is not None
        value = call(function, store, self._callee.type, self._arguments)
        if self.is_command:
            if isinstance(value, Err):
                raise ExitedWithError
            return ""
        result = self._callee.type.result
        return "" if result is None else wave.render(value, result) + "\n"

    def memory_bytes(self) -> int:
        """Give the size of the component's memories and a little more; asked before its store is closed."""
        return max(0, writable_bytes() - self._memory_before)


class ExitedWithError(Exception):
    """A program ended by itself, with this code; None where it gave none, which counts as 1."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__("an error" if code is None else f"code {code}")
        self.code = 1 if code is None else code


class ComponentProgram:
    """A component that is ready to be instantiated, any number of times.

    Raises:
        Invalid: It has imports that this proplet does not offer.

    """

    wants_files = True

    def __init__(
        self, world: ComponentWorld, loaded: component.Component, interface: ComponentInterface
    ) -> None:
        if foreign := foreign_in(interface.imports):
            raise Invalid("; ".join(in_words(foreign)))
        self.component = loaded
        self.interface = interface
        self._world = world
        self._restricted: tuple[component.Linker, ComponentSources] | None = None
        self._indexes: dict[Path, component.ExportIndex] = {}

    @staticmethod
    def set_limits(store: wasmtime.Store, limits: Limits, _grants: Grants | None = None) -> None:
        store.set_limits(
            limits.memory_bytes, limits.table_elements, limits.instances, limits.tables, limits.memories
        )

    @property
    def reads_stdin(self) -> bool:
        """True if it can read standard input."""
        return self.interface.reads_stdin

    def wants_session(self, grants: Grants | None) -> bool:
        """Say whether a guest with these grants needs Propeller's own WASI: for HTTP, or to make links."""
        makes_links = grants is not None and grants.has_changeable_dirs and self.interface.imports_links
        return self.interface.imports_http or makes_links

    def instantiate(self, store: wasmtime.Store, grants: Grants | None) -> component.Instance:
        """Make an instance for a guest with these grants.

        Raises:
            NeverBegins: There can't be one with these limits.

        """
        linker = self.own_linker if self.wants_session(grants) else self.linker(grants)
        with traps.of_instantiation():
            return linker.instantiate(store, self.component)

    @cached_property
    def own_linker(self) -> component.Linker:
        """The linker with Propeller's own WASI."""
        # Loaded where it is needed: that takes longer than the start of a runner.
        from propeller.runtime.wasi.linking import linker_for  # noqa: PLC0415

        return linker_for(self._world.engine, self.component, self.interface)

    def handler(self, new_store: Callable[[], wasmtime.Store]) -> Handler:
        """Make the handler of HTTP requests; raise ``Invalid`` if the component does not answer them."""
        return Handler(self.component, self.interface, self.own_linker, new_store)

    def choose(self, export: str) -> Path:
        """Find the function that a task of this name means; raise ``Invalid`` if none can be called."""
        callee = Callee(self.interface, export)
        callee.check()
        return callee.path

    def call(self, run: GuestRun) -> ComponentCall:
        """Check a call; raise ``Invalid`` if it can't be made."""
        return ComponentCall(self, run)

    def linker(self, grants: Grants | None) -> component.Linker:
        """Give the engine's linker for a guest with these grants."""
        if grants is None or (grants.clock and grants.random is True):
            return self._world.linker
        if self._restricted is None:
            linker = component.Linker(self._world.engine)
            linker.allow_shadowing = True
            linker.add_wasip2()
            sources = ComponentSources()
            sources.define(linker, self.interface.imports.instances)
            self._restricted = linker, sources
        linker, sources = self._restricted
        sources.begin(grants)
        return linker

    def index(self, path: Path) -> component.ExportIndex:
        """Find an export by the name of its instance, if it is in one, and its own."""
        if path not in self._indexes:
            found: component.ExportIndex | None = None
            for name in path:
                found = self.component.get_export_index(name, found)
                if found is None:
                    raise Invalid(f"the component does not export {'#'.join(path)}")
            assert found is not None
            self._indexes[path] = found
        return self._indexes[path]
