"""A module that is compiled and linked, and what a task's name means in it."""

import wasmtime

from propeller.errors import Invalid
from propeller.runtime.interface import Interface, Signature
from propeller.runtime.values import shown

_WASI = "wasi_snapshot_preview1"
_LISTED_MAX = 20


class Program:
    """A module that is ready to be instantiated, any number of times.

    Raises:
        Invalid: It imports what this proplet does not offer.

    """

    def __init__(self, linker: wasmtime.Linker, module: wasmtime.Module, interface: Interface) -> None:
        self.functions = interface.functions
        self.others = interface.others
        #: Names of the memories that it exports.
        self.memories = [name for name, kind in interface.others.items() if kind == "memory"]
        #: It imports from WASI, so its store must carry a WASI context.
        self.wants_wasi = any(module == _WASI for module, _ in interface.imports)
        foreign = [f"{module}.{field}" for module, field in interface.imports if module != _WASI]
        if foreign:
            raise Invalid(
                f"the module imports {_listed(foreign)}, which this proplet does not offer (only {_WASI})"
            )
        try:
            self.ready = linker.instantiate_pre(module)
        except wasmtime.WasmtimeError as error:
            raise Invalid(f"the module's imports can't be met: {error}") from error

    def choose(self, export: str) -> str:
        """Tell which function a task of this name means.

        Differs: The reference falls back to ``main``, ``run`` or ``_start`` for any unknown name, so that a
        typing error runs something else. Here only a program, in which nothing else can be meant, runs
        under any name.

        Raises:
            Invalid: There is no such function; the message lists those there are.

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
        """Whether this function is there, and takes and gives nothing."""
        return self.functions.get(name) == Signature((), ())


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED_MAX
    cut = [name if len(name) <= 200 else name[:200] + "…" for name in names[:_LISTED_MAX]]
    return ", ".join(cut) + (f" and {more} more" if more > 0 else "")
